"""The owners of what is disclosed are killed while they store a grant, and while they answer with
what may go out.

The grant takes effect all the same, and ends when it is revoked. The package is that of the
decisions, goes out once, and each opening is in the log.
"""

import contextlib
import sys
from pathlib import Path

import httpx
import pytest

from deploy.local.stack import Stack
from tests.e2e.test_case_grants import PHOTO, CaseWork, stored
from tests.faults.mortal_desk import PATIENCE, Left, Mortal, mortal
from tests.faults.test_cases_die import MOST, RecordsCase
from tests.support.county import County, until
from tests.support.submissions import submission

pytestmark = [
    pytest.mark.faults,
    pytest.mark.campaign,
    pytest.mark.anyio,
    pytest.mark.timeout(900),
]

NUMBERS = (1, 2, 3, 4)
"""The crossings before which an owner dies."""


@pytest.fixture(scope="module")
async def anyio_backend() -> str:
    return "asyncio"


class Opening:
    """A grant for one record and its file, and the owner that opens them under it."""

    def __init__(self, county: County, owner: str) -> None:
        self._county, self._owner = county, owner
        self.work = CaseWork(county)
        self._record_id = self._media_id = ""

    async def prepared(self) -> dict[str, object]:
        await self.work.opened()
        files = [("a.jpg", PHOTO, "image/jpeg")]
        self._record_id = await self._county.accepted(submission(4_992), files)
        self._media_id = await stored(self._county, self._record_id)
        return await self.work.prepared(
            record_ids=[self._record_id],
            file_ids=[self._media_id],
            fields=["phone", "media_original"],
        )

    async def opens(self) -> bool:
        with contextlib.suppress(httpx.TransportError):
            if self._owner == "intake":
                answer = await self.work.read(self._record_id)
            else:
                answer = await self.work.file(self._record_id, self._media_id)
            return answer.status_code == 200
        return False

    async def refuses(self) -> bool:
        return not await self.opens()


async def _dies_before(county: County, dying: Mortal, owner: str, number: int) -> None:
    opening = Opening(county, owner)
    grant = await opening.prepared()
    await county.caught_up()
    dying.arm(number)
    approved = await opening.work.approved(grant)
    await until(opening.opens, "the grant is in effect", seconds=PATIENCE)
    dying.disarm()
    await until(dying.ready, f"{owner} is ready", seconds=PATIENCE)
    with county.database() as database:
        query = {"case_id": opening.work.case_id}
        kept = [each["_id"] for each in database[owner]["disclosures"].find(query)]
    # The grant, and where the case is: each once.
    assert len(kept) == len(set(kept)) == 2
    order = {"version": approved["version"], "reason": "withdrawn"}
    path = f"/{approved['grant_id']}/revoke"
    ended = await opening.work.ask(path, order, "custodian", opening.work.custodian)
    assert ended.status_code == 200, ended.text
    await until(opening.refuses, "the end of the grant is known", seconds=PATIENCE)


@pytest.mark.policy("P13", "P20")
@pytest.mark.parametrize("owner", ["intake", "media"])
async def test_an_owner_that_dies_while_it_stores_a_grant_has_it_afterwards(
    disposable: Stack, tmp_path: Path, owner: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async with mortal(disposable, owner, tmp_path / "armed") as (county, dying):
        for number in NUMBERS:
            await _dies_before(county, dying, owner, number)
        deaths = dying.deaths
    with capsys.disabled():
        sys.stdout.write(f"\nfaults: {owner} died before: {', '.join(deaths)}")
    assert any("disclosures" in each for each in deaths)


@pytest.mark.policy("P13", "P20")
@pytest.mark.parametrize("owner", ["intake", "media"])
async def test_an_owner_that_dies_while_it_renders_is_asked_again(
    disposable: Stack, tmp_path: Path, owner: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """One case, whose picture is decided anew, collected and built until no crossing of the owner
    is left before which it did not die."""
    async with mortal(disposable, owner, tmp_path / "armed") as (county, dying):
        case = RecordsCase(county, dying, has_photo=True, only=frozenset({"collect", "build"}))
        await case.prepared()
        for number in range(1, MOST + 1):
            before = case.dead.total()
            case.harm(number=number)
            await case.collected(again=number > 1)
            await case.built()
            if case.dead.total() == before:
                break
            await case.pictured(number)
        else:
            pytest.fail("there are crossings that nobody tried")
        case.harm()
        package = await case.released()
        await case.closed_and_opened_again()
        left = Left(county, case.case_id)
        await left.look()
        left.check(again=("collected", "packaged"))
        assert left.released() == [package]
        await left.opened_nothing_unlogged()
    with capsys.disabled():
        sys.stdout.write(f"\nfaults: {owner} died before: {', '.join(dying.deaths)}")
    assert case.dead["collect"]
