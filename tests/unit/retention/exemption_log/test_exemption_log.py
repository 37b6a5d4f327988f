"""What was withheld, over all cases: rows without values, for those who may know of the case."""

import json
from datetime import timedelta
from typing import Any

import anyio
import pytest
from fastapi import Request

from direct311.retention.exemption_log.api import router
from direct311.retention.exemption_log.domain import LogQuery, Place, WithheldRow
from direct311.retention.exemption_log.handlers import ExemptionLog, LogPage
from direct311.retention.recalls.handlers import Recalling
from direct311.runtime.access.ledger import AuditUnavailableError
from direct311.runtime.access.rules import Caller
from direct311.runtime.errors import RefusedError
from direct311.schemas import replaced
from tests.support.record_owners import CITATION, record
from tests.unit.retention.cases.fakes import InMemoryCases
from tests.unit.retention.packages.fakes import CARLA, COLE, OLGA, PackagingDesk

pytestmark = pytest.mark.anyio

ADA = Caller("ada", ("auditor",))
LETTER = "LETTER-108"


class Log(PackagingDesk):
    """Cases with released packages, and the log over all of them."""

    def __init__(self) -> None:
        super().__init__()
        self.log = ExemptionLog(self.work, InMemoryCases(self.files), self.documents)

    async def released(self, records: int = 3) -> str:
        case_id = await self.granted(records)
        await self.releasing.release(CARLA, case_id, await self.approved(case_id))
        return case_id

    async def read(self, caller: Caller = OLGA, limit: int = 100, **asked: Any) -> LogPage:
        reference = LETTER if caller is ADA else None
        return await self.log.page(caller, LogQuery(**asked), limit, reference=reference)

    async def change(self, case_id: str, **changes: Any) -> None:
        """A case as if this had been written."""
        await self.files.put(replaced(self.file(case_id), **changes), self.clock.now())

    def accesses(self) -> list[tuple[str, str | None, str | None]]:
        """Each time that the log was read: action, purpose, reference."""
        return [
            (each.action, each.why.purpose, each.why.reference)
            for each in self.access_log.events()
            if each.what.fields == ("exemption_log",) and each.outcome == "success"
        ]


@pytest.fixture
def log() -> Log:
    return Log()


async def test_each_item_is_a_row_with_place_law_and_decider_and_without_its_value(
    log: Log,
) -> None:
    case_id = await log.released(3)
    page = await log.read()
    assert [(each.record_id, each.item) for each in page.rows] == [
        ("record-0001", "description:16-22"),
        ("record-0002", "description:16-22"),
        ("record-0002", "description:23-29"),
    ]
    (package,) = log.file(case_id).packages.released
    for row in page.rows:
        assert (row.case_id, row.package, row.released_at) == (
            case_id,
            package.sha256,
            package.released_at,
        )
        assert (row.citation, row.code, row.decided_by) == (CITATION, "protected_person", "rita")
    assert (page.counts, page.records, page.unreadable, page.next) == ({CITATION: 3}, 2, 0, None)
    assert "bridge" not in json.dumps([each.model_dump(mode="json") for each in page.rows])


async def test_what_was_built_and_has_not_gone_out_is_not_in_the_log(log: Log) -> None:
    case_id = await log.granted(3)
    sha256 = await log.approved(case_id)
    assert (await log.read()).rows == []
    await log.releasing.release(CARLA, case_id, sha256)
    assert len((await log.read()).rows) == 3


async def test_it_is_read_by_time_law_and_case(log: Log) -> None:
    case_id = await log.released()
    released_at = log.file(case_id).packages.released[0].released_at
    assert released_at is not None
    later = released_at + timedelta(seconds=1)
    assert len((await log.read(since=released_at, until=later)).rows) == 3
    assert (await log.read(until=released_at)).rows == []
    assert (await log.read(since=later)).rows == []
    assert len((await log.read(citation=CITATION)).rows) == 3
    page = await log.read(citation="119.071(5)(a)")
    assert (page.rows, page.counts, page.records) == ([], {}, 2)
    assert len((await log.read(case_id=case_id)).rows) == 3
    assert (await log.read(case_id="another-case")).rows == []


async def test_pages_go_on_inside_a_case_and_together_are_the_whole_log(log: Log) -> None:
    await log.released(6)
    whole = (await log.read()).rows
    assert len(whole) == 6
    pieces: list[WithheldRow] = []
    after = None
    while True:
        page = await log.log.page(OLGA, LogQuery(), 1, after)
        assert page.records == 1
        pieces += page.rows
        after = page.next
        if after is None:
            break
    assert pieces == list(whole)


async def test_each_case_that_is_read_is_an_access_that_says_why(log: Log) -> None:
    case_id = await log.released()
    await log.read(OLGA)
    await log.read(COLE)
    await log.read(ADA)
    assert log.accesses() == [
        ("export", "county_business", case_id),
        ("export", "county_business", case_id),
        ("export", "authorised_audit", LETTER),
    ]


async def test_an_auditor_without_a_letter_and_the_custodian_read_nothing(log: Log) -> None:
    await log.released()
    with pytest.raises(RefusedError):
        await log.log.page(ADA, LogQuery(), 10)
    with pytest.raises(RefusedError):
        await log.log.page(CARLA, LogQuery(), 10)


async def test_without_the_log_of_accesses_nothing_is_opened(log: Log) -> None:
    await log.released()
    log.access_log.down = True
    with pytest.raises(AuditUnavailableError):
        await log.read()


async def test_an_exempt_case_is_not_there_until_it_opens_up(log: Log) -> None:
    case_id = await log.released()
    until = log.clock.now() + timedelta(days=1)
    await log.change(case_id, kind="law_enforcement", exempt_until=until)
    page = await log.read(ADA)
    assert (page.rows, page.counts, page.records, page.next) == ([], {}, 0, None)
    assert log.accesses() == []
    # A records officer approves and releases such packages, and so knows of the case.
    assert len((await log.read(OLGA)).rows) == 3
    log.clock.advance(timedelta(days=2))
    assert len((await log.read(ADA)).rows) == 3


async def test_a_part_that_is_gone_is_counted_and_hides_no_other(log: Log) -> None:
    case_id = await log.released()
    part = log.file(case_id).packages.part("record-0001")
    assert part is not None
    del log.documents.versions[case_id, part.sealed_name]
    page = await log.read()
    assert (len(page.rows), page.records, page.unreadable) == (2, 1, 1)


def test_over_http_it_has_a_cursor_and_is_for_three_roles(log: Log) -> None:
    anyio.run(log.released, 6)

    async def who(request: Request) -> Caller:
        return await log.authenticator.caller(request.headers.get("authorization"))

    http = log.serve(router(log.log, who))
    officer = {"Authorization": "Bearer records_officer:olga"}
    first = http.get("/v1/exemption-log", params={"limit": 3}, headers=officer)
    assert first.status_code == 200, first.text
    assert first.headers["Cache-Control"] == "no-store"
    cursor = {"cursor": first.json()["next"]}
    rest = http.get("/v1/exemption-log", params=cursor, headers=officer)
    assert (len(first.json()["rows"] + rest.json()["rows"]), rest.json()["next"]) == (6, None)
    wrong = http.get("/v1/exemption-log", params={"cursor": "x"}, headers=officer)
    assert wrong.status_code == 422
    for role, status in (("custodian", 403), ("liaison", 403), ("auditor", 422)):
        somebody = {"Authorization": f"Bearer {role}:s"}
        assert http.get("/v1/exemption-log", headers=somebody).status_code == status
    auditor = {"Authorization": "Bearer auditor:ada"}
    letter = http.get("/v1/exemption-log", params={"reference": LETTER}, headers=auditor)
    assert len(letter.json()["rows"]) == 6


async def test_an_auditor_without_a_letter_is_refused_also_when_there_is_nothing_to_read(
    log: Log,
) -> None:
    with pytest.raises(RefusedError) as refused:
        await log.log.page(ADA, LogQuery(), 100)
    assert (refused.value.code, refused.value.field) == ("refused:reference", "reference")
    assert [each.outcome for each in log.access_log.events()] == ["denied"]
    assert (await log.log.page(ADA, LogQuery(), 100, reference=LETTER)).rows == []
    assert (await log.log.page(OLGA, LogQuery(), 100)).rows == []


async def test_what_was_withheld_in_a_recalled_package_stays_and_is_marked(log: Log) -> None:
    case_id = await log.released(3)
    before = (await log.read()).rows
    (wrong,) = log.file(case_id).packages.released
    await Recalling(log.work)(CARLA, case_id, wrong.sha256, "wrong_record")
    log.clock.advance(timedelta(minutes=1))
    recalled_at = log.file(case_id).packages.released[0].recalled_at
    assert recalled_at is not None
    page = await log.read()
    assert page.rows == [replaced(each, recalled_at=recalled_at) for each in before]
    assert page.unreadable == 0
    # The same records go out again: what is withheld then is there beside it.
    log.owners.records["record-0001"] = record(1, withheld=3)
    right = await log.approved(case_id)
    await log.releasing.release(CARLA, case_id, right)
    rows = (await log.read()).rows
    assert [(each.record_id, each.recalled_at is None) for each in rows] == [
        *[("record-0001", False)] * 1,
        *[("record-0001", True)] * 3,
        *[("record-0002", False)] * 2,
        *[("record-0002", True)] * 2,
    ]
    # A page ends after a record, not between its two packages.
    first = await log.read(limit=1)
    assert {each.record_id for each in first.rows} == {"record-0001"}
    assert (len(first.rows), first.next) == (4, Place(case_id, "record-0001"))
    query = LogQuery()
    rest = await log.log.page(OLGA, query, 10, after=first.next)
    assert [*first.rows, *rest.rows] == [*rows]


async def test_the_same_package_recalled_and_released_again_is_there_twice(log: Log) -> None:
    case_id = await log.released(2)
    (wrong,) = log.file(case_id).packages.released
    await Recalling(log.work)(CARLA, case_id, wrong.sha256, "wrong_record")
    log.clock.advance(timedelta(minutes=1))
    again = await log.approved(case_id)
    await log.releasing.release(CARLA, case_id, again)
    rows = (await log.read()).rows
    assert [(each.record_id, each.recalled_at is None) for each in rows] == [
        ("record-0001", False),
        ("record-0001", True),
    ]


async def test_the_same_package_recalled_twice_is_there_with_both_times(log: Log) -> None:
    case_id = await log.released(2)
    (wrong,) = log.file(case_id).packages.released
    await Recalling(log.work)(CARLA, case_id, wrong.sha256, "wrong_record")
    log.clock.advance(timedelta(minutes=1))
    await log.releasing.release(CARLA, case_id, await log.approved(case_id))
    await Recalling(log.work)(CARLA, case_id, wrong.sha256, "wrong_record")
    packages = log.file(case_id).packages.released
    rows = (await log.read()).rows
    assert [(each.released_at, each.recalled_at) for each in rows] == [
        (each.released_at, each.recalled_at) for each in packages
    ]
    assert len(rows) == 2
