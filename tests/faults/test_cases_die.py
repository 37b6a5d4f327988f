"""Retention is killed before each crossing of each call about a disclosure case, and while the
broker, the store or the log is away. Whoever made the call makes it again, with the same words.

No release without its leaf, none twice, each act once in the case file and on the topic, and the
bytes that go out are those that two persons approved.
"""

import contextlib
import sys
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from uuid_utils import compat

from deploy.local.stack import Stack
from direct311.runtime.access.disclosures import nonce_of_package
from tests.e2e.test_case_grants import stored
from tests.faults.law_case import Delivery, LawCase
from tests.faults.mortal_desk import PATIENCE, Left, Mortal, Worked, checked, mortal
from tests.support.county import County, Document, until
from tests.support.disposition import in_the_inventory
from tests.support.submissions import photo, submission

pytestmark = [pytest.mark.faults, pytest.mark.anyio, pytest.mark.timeout(900)]

PUBLIC = "/v1/records-requests"
FIELDS = ["phone", "email", "first_name", "last_name", "description", "job_history"]
PHOTO = photo("A crane.", (25, 46, 1), (80, 12, 1))
MOST = 24
"""More crossings than any call has; the campaign says so if that is not so any more."""
IN_EVERY_RUN = 3
"""The crossing of a run that is no campaign: where most calls have written and told nothing yet."""
NUMBERS = range(1, MOST + 1)
AWAY = [pytest.param(each, marks=pytest.mark.campaign) for each in ("broker", "store", "log")]


@pytest.fixture(scope="module")
async def anyio_backend() -> str:
    return "asyncio"


class RecordsCase(Worked):
    """A public-records case about two records, from the gateway to its second end. `has_photo`:
    the first record has a picture, of which a part goes out."""

    def __init__(
        self, county: County, dying: Mortal, *, has_photo: bool = False, **harm: Any
    ) -> None:
        super().__init__(county, dying, **harm)
        self._photo = has_photo
        self.pictures: list[str] = []
        tag = uuid4().hex[:8]
        self.custodian = ("custodian", f"carla-{tag}")
        self.officer = ("records_officer", f"olga-{tag}")
        self.counsel = ("counsel", f"cole-{tag}")
        self.token = self.package = ""
        self.records: list[str] = []

    async def from_receipt_to_release(self) -> str:
        """Returns the hash of what was released."""
        await self.prepared()
        await self.collected()
        await self.built()
        return await self.released()

    async def prepared(self) -> None:
        """Up to a review in which everything is decided."""
        for number in range(2):
            text = f"A crane was hurt, {uuid4().hex}." + " The owner said hello." * number
            files = [("a.jpg", PHOTO, "image/jpeg")] if self._photo and not number else ()
            form = submission(4_980 + number) | {"description": text}
            self.records.append(await self.county.accepted(form, files))
        for each in self.records:
            await self.county.routed(each)
            await in_the_inventory(self.county, each)
        if self._photo:
            self.pictures = [await stored(self.county, self.records[0])]
        await self.opened()
        by = self.custodian
        await self.at_desk("bound", "PUT", "/bounds", {"record_ids": self.records}, by=by)
        asked = {"text": "Which crane?", "asks": True, "key": uuid4().hex}
        await self.at_desk("clarify", "POST", "/messages", asked, by=by)
        scope = {"version": 0, "words": ["crane"], "person": {"name": "Anna"}}
        await self.at_desk("scope", "PUT", "/scope", scope, by=by)
        search = {"search_id": str(compat.uuid7()), "where": "email", "shape": ["words"], "hits": 0}
        await self.at_desk("search", "POST", "/searches", {**search, "minutes": 5}, by=by)
        minutes = {"note_id": str(compat.uuid7()), "work": "copy", "minutes": 5}
        await self.at_desk("minutes", "POST", "/minutes", minutes, by=by)
        held = {"record_ids": self.records, "complete": True}
        await self.at_desk("identify", "POST", "/records", held, by=by)
        await self.granted()
        if self._photo:
            await self.pictured(0)
        await self.reviewed()

    async def pictured(self, version: int) -> None:
        """A part of the picture is withheld, each time another one."""
        box = {"page": 1, "left": 0.0, "top": 0.0, "right": 1.0, "bottom": 0.5 + version / 100}
        order = {
            "version": version,
            "outcome": "redact",
            "boxes": [{**box, "code": "protected_person"}],
        }
        path = f"/v1/cases/{self.case_id}/files/{self.pictures[0]}/decisions"

        async def decided() -> bool:
            with contextlib.suppress(httpx.TransportError):
                answer = await self.county.ask("PUT", "media", path, *self.custodian, order)
                return answer.status_code == 200
            return False

        await until(decided, "media is there, and the grant in effect", seconds=PATIENCE)

    async def collected(self, *, again: bool = False) -> None:
        """What an owner did not answer is asked for again."""
        by, asked = self.custodian, {"again": True} if again else {}
        await self.at_desk("collect", "POST", "/collection", asked, by=by)

        async def done() -> bool:
            found = await self.at_desk("", "POST", "/collection", asked, by=by)
            return not found["remaining"] and not found["not_collected"]

        await until(done, "both records are collected")

    async def opened(self) -> None:
        gateway = self.county.known.services["intake"]
        key = {"Idempotency-Key": uuid4().hex}

        async def attempt(sent: Document) -> httpx.Response:
            return await self.county.http.post(gateway + PUBLIC, json=sent, headers=key)

        made = await self.act("open", attempt, {"request": "Everything about the crane."})
        self.case_id, self.token = made["case_id"], made["token"]

    async def granted(self) -> None:
        body = {
            "version": 0,
            "record_ids": self.records,
            "fields": FIELDS + ["media_original"] * self._photo,
            "file_ids": self.pictures,
            "workers": [self.custodian[1]],
            "valid_until": (datetime.now(UTC) + timedelta(hours=2)).isoformat(),
        }
        grant = await self.at_desk("grant", "POST", "/grants", body, by=self.custodian)
        approval = {
            "version": grant["version"],
            "id_token": await self.id_token(grant["nonce"], self.officer[1]),
        }
        path = f"/grants/{grant['grant_id']}/approve"
        done = await self.at_desk("approve", "POST", path, approval, by=self.officer)
        assert done["state"] == "approved"

    async def reviewed(self) -> None:
        """All of one record goes out, and a part of the other."""
        for record_id in self.records:
            path = f"/v1/cases/{self.case_id}/records/{record_id}"

            async def shown(path: str = path) -> Document | None:
                answer = await self.county.ask("POST", "intake", f"{path}/review", *self.custodian)
                return answer.json() if answer.status_code == 200 else None

            found = await until(shown, "the grant is in effect at intake")
            assert "description" in found["texts"], sorted(found["texts"])
            text = str(found["texts"]["description"])
            start = text.find("The owner")
            item = {
                "item": f"description:{start}-{len(text)}",
                "decision": "withhold",
                "code": "social_security_number",
            }
            body = {"version": found["version"], "decisions": [item] if start > 0 else []}
            answer = await self.county.ask(
                "PUT", "intake", f"{path}/decisions", *self.custodian, body
            )
            assert answer.status_code == 200, answer.text

        async def at_routing() -> bool:
            path = f"/v1/jobs/{self.records[0]}/history"
            body = {"purpose": "public_records", "reference": self.case_id}
            answer = await self.county.ask("POST", "routing", path, *self.custodian, body)
            return answer.status_code == 200

        await until(at_routing, "the grant is in effect at routing")

    async def built(self) -> None:
        found = await self.at_desk("build", "POST", "/packages", {"version": 0}, by=self.custodian)
        self.package = str(found["packages"][-1]["sha256"])

    async def released(self) -> str:
        package = self.package
        path = f"/packages/{package}"
        for who in (self.officer, self.counsel):
            read = await self.at_desk("read", "GET", path, by=who)
            assert sha256(read["content"]).hexdigest() == package
            token = await self.id_token(nonce_of_package(self.case_id, package), who[1])
            await self.at_desk(
                f"approve as {who[0]}", "POST", f"{path}/approve", {"id_token": token}, by=who
            )
        out = await self.at_desk("release", "POST", f"{path}/release", {}, by=self.custodian)
        assert out["state"] == "released"
        got = await self.downloaded()
        checked(self.county.stack, got, package)
        return package

    async def downloaded(self) -> bytes:
        gateway = self.county.known.services["intake"]
        headers = {"Authorization": f"Bearer {self.token}"}

        async def attempt(_: Document) -> httpx.Response:
            return await self.county.http.get(f"{gateway}{PUBLIC}/package", headers=headers)

        return bytes((await self.act("download", attempt))["content"])

    async def closed_and_opened_again(self) -> None:
        by = self.custodian
        await self.at_desk("close", "POST", "/close", {"outcome": "part"}, by=by)
        await self.at_desk("reopen", "POST", "/reopening", {"reason": "requester_wrote"}, by=by)
        await self.at_desk("withdraw", "POST", "/close", {"outcome": "withdrawn"}, by=by)


async def of_records(stack: Stack, armed: Path, service: str = "retention", **harm: Any) -> Worked:
    """A whole case while this service dies, and what must be so afterwards."""
    async with mortal(stack, service, armed) as (county, dying):
        case = RecordsCase(county, dying, **harm)
        package = await case.from_receipt_to_release()
        await case.closed_and_opened_again()
        left = Left(county, case.case_id)
        await left.look()
        left.check()
        assert left.released() == [package]
        await left.opened_nothing_unlogged()
        return case


def _told(case: Worked, capsys: pytest.CaptureFixture[str], what: str) -> None:
    with capsys.disabled():
        deaths = ", ".join(f"{name} {count}" for name, count in case.dead.items() if count)
        sys.stdout.write(f"\nfaults: {what}: {case.dead.total()} deaths: {deaths}")
        sys.stdout.flush()


@pytest.mark.policy("P13", "P20")
@pytest.mark.parametrize(
    "number",
    [
        pytest.param(each, marks=() if each == IN_EVERY_RUN else pytest.mark.campaign)
        for each in NUMBERS
    ],
)
async def test_a_records_case_whose_desk_dies_before_each_crossing(
    disposable: Stack, tmp_path: Path, number: int, capsys: pytest.CaptureFixture[str]
) -> None:
    case = await of_records(disposable, tmp_path / "armed", number=number)
    _told(case, capsys, f"records case, crossing {number}")
    assert case.dead.total() or number > IN_EVERY_RUN
    assert not (number == MOST and case.dead.total()), "there are crossings that nobody tried"


@pytest.mark.policy("P13", "P20")
@pytest.mark.parametrize("part", AWAY)
async def test_a_records_case_whose_desk_dies_while_a_part_is_away(
    disposable: Stack, tmp_path: Path, part: str, capsys: pytest.CaptureFixture[str]
) -> None:
    case = await of_records(disposable, tmp_path / "armed", without=part)
    _told(case, capsys, f"records case, without the {part}")


async def _of_law_enforcement(stack: Stack, armed: Path, **harm: Any) -> list[Worked]:
    async with mortal(stack, "retention", armed) as (county, dying):
        record_id = await county.accepted(submission(4_990))
        await in_the_inventory(county, record_id)
        cases = [LawCase(county, dying, record_id, **harm) for _ in range(3)]
        await cases[0].by_a_warrant()
        await cases[1].in_danger()
        await cases[2].referred()
        for each in cases:
            left = Left(county, each.case_id)
            await left.look()
            left.check()
            assert left.released() == []
            await left.opened_nothing_unlogged()
        return list(cases)


async def _of_a_delivery(stack: Stack, armed: Path, **harm: Any) -> Worked:
    """A whole delivery while this happens, and what must be so afterwards."""
    async with mortal(stack, "retention", armed) as (county, dying):
        case = Delivery(county, dying, await _known(county), **harm)
        await case.delivered()
        await _stands(case, receipts=1)
        return case


async def _known(county: County) -> str:
    """A record that the inventory has and routing has given to a department."""
    record_id = await county.accepted(submission(4_991))
    await county.routed(record_id)
    await in_the_inventory(county, record_id)
    return record_id


async def _stands(case: Delivery, *, receipts: int) -> None:
    left = Left(case.county, case.case_id)
    await left.look()
    case.check(left, receipts)
    await left.opened_nothing_unlogged()


@pytest.mark.campaign
@pytest.mark.policy("P18", "P19", "P20")
@pytest.mark.parametrize("number", NUMBERS)
async def test_law_enforcement_cases_whose_desk_dies_before_each_crossing(
    disposable: Stack, tmp_path: Path, number: int, capsys: pytest.CaptureFixture[str]
) -> None:
    cases = await _of_law_enforcement(disposable, tmp_path / "armed", number=number)
    for each in cases:
        _told(each, capsys, f"law enforcement, crossing {number}")
    deaths = sum(each.dead.total() for each in cases)
    assert deaths or number > IN_EVERY_RUN
    assert not (number == MOST and deaths), "there are crossings that nobody tried"


@pytest.mark.policy("P18", "P19", "P20")
@pytest.mark.parametrize("part", AWAY)
async def test_law_enforcement_cases_whose_desk_dies_while_a_part_is_away(
    disposable: Stack, tmp_path: Path, part: str, capsys: pytest.CaptureFixture[str]
) -> None:
    cases = await _of_law_enforcement(disposable, tmp_path / "armed", without=part)
    for each in cases:
        _told(each, capsys, f"law enforcement, without the {part}")


@pytest.mark.campaign
@pytest.mark.policy("P18", "P20")
@pytest.mark.parametrize("number", NUMBERS)
async def test_a_delivery_whose_desk_dies_before_each_crossing(
    disposable: Stack, tmp_path: Path, number: int, capsys: pytest.CaptureFixture[str]
) -> None:
    case = await _of_a_delivery(disposable, tmp_path / "armed", number=number)
    _told(case, capsys, f"delivery, crossing {number}")
    assert case.dead.total() or number > IN_EVERY_RUN
    assert not (number == MOST and case.dead.total()), "there are crossings that nobody tried"


@pytest.mark.policy("P18", "P20")
@pytest.mark.parametrize("part", AWAY)
async def test_a_delivery_whose_desk_dies_while_a_part_is_away(
    disposable: Stack, tmp_path: Path, part: str, capsys: pytest.CaptureFixture[str]
) -> None:
    case = await _of_a_delivery(disposable, tmp_path / "armed", without=part)
    _told(case, capsys, f"delivery, without the {part}")


@pytest.mark.campaign
@pytest.mark.policy("P18", "P20")
async def test_a_code_opens_one_download_wherever_the_desk_dies(
    disposable: Stack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One case, whose package is encrypted, coded, downloaded and receipted again and again, with
    the desk killed before another crossing each time, and then with a part away."""
    async with mortal(disposable, "retention", tmp_path / "armed") as (county, dying):
        case = Delivery(county, dying, await _known(county))
        await case.released()
        downloads = 0
        for number in range(1, MOST + 1):
            before = case.dead.total()
            await _again(case, number=number)
            downloads += 1
            if case.dead.total() == before:
                break
        else:
            pytest.fail("there are crossings that nobody tried")
        for part in ("broker", "store", "log"):
            await _again(case, without=part)
            downloads += 1
        for number in range(1, downloads + 1):
            case.harm(number=number)
            await case.receipted(f"SPD-{number}")
        await _stands(case, receipts=downloads)
        _told(case, capsys, f"{downloads} downloads")
    assert {"encrypt", "code", "download", "receipt"} <= {*case.dead}


async def _again(case: Delivery, **harm: Any) -> None:
    case.harm(**harm)
    await case.encrypted()
    await case.coded()
    await case.downloaded()
