"""Exempt entries: withheld from ordinary auditors, and shown as withheld."""

import json
from datetime import timedelta

import pytest

from direct311.audit.entry import Filter
from direct311.audit.questions.api.questions import entry_of
from direct311.runtime.errors import RefusedError
from direct311.runtime.http.problem_codes import status_of
from direct311.verifier.bundle import verify_bundle
from tests.unit.audit.audit_under_test import ASKING, COUNSEL, TRUST, AuditUnderTest
from tests.unit.audit.events import OTHER, RECORD, START, Producer, producers

pytestmark = pytest.mark.anyio
OFFICER = "officer-of-the-liaison"


@pytest.fixture
async def audit() -> AuditUnderTest:
    audit = AuditUnderTest()
    await audit.log(
        Producer().access(RECORD),
        Producer().access(
            RECORD,
            actor=OFFICER,
            purpose="law_enforcement",
            case_id="D-7",
            exempt_until=START + timedelta(days=30),
        ),
        Producer().access(OTHER),
    )
    return audit


async def test_its_place_is_shown_and_nothing_else(audit: AuditUnderTest) -> None:
    page = await audit.reading.page(ASKING, Filter(record_ids=(RECORD,)), limit=10)
    assert [(each.row.index, each.withheld) for each in page.entries] == [(1, True), (0, False)]
    assert page.withheld == 1
    shown = entry_of(page.entries[0]).model_dump(exclude_defaults=True)
    assert shown == {
        "index": 1,
        "event_id": None,
        "logged_at": START,
        "readable": False,
        "withheld": True,
        "withheld_until": START + timedelta(days=30),
    }
    # Its key was not fetched for it: another entry's was, under the same record.
    assert audit.access_log.events()[-1].what.fields == ("audit_entry",)


@pytest.mark.parametrize(
    "probe",
    [
        Filter(actor=OFFICER),
        Filter(case_id="D-7"),
        Filter(purpose="law_enforcement", record_ids=(RECORD,)),
        Filter(role="agent", actor=OFFICER),
        Filter(field="phone", actor=OFFICER),
    ],
)
async def test_no_question_finds_out_what_it_says(audit: AuditUnderTest, probe: Filter) -> None:
    page = await audit.reading.page(ASKING, probe, limit=10)
    assert page.entries == []
    tally = await audit.counting.tally(ASKING, probe, ("actor", "record"), 10)
    assert (tally.entries, list(tally.groups), tally.withheld) == (0, [], 1)
    timeline = await audit.counting.timeline(ASKING, probe, "day")
    assert (list(timeline.buckets), timeline.withheld) == ([], 1)
    assert (await audit.exporting.export(ASKING, probe)).entries == 0
    assert json.loads(await audit.bundle(probe))["receipts"] == []


async def test_an_unknown_entry_and_a_withheld_one_answer_alike(audit: AuditUnderTest) -> None:
    hidden = audit.stores.log.entries[1].row.event_id  # type: ignore[attr-defined]
    answers = []
    for event_id in (hidden, "0195567e-8f00-7000-8000-0000000000ff"):
        with pytest.raises(RefusedError) as refused:
            await audit.reading.one(ASKING, event_id)
        answers.append((status_of(refused.value), refused.value.code, refused.value.detail))
        with pytest.raises(RefusedError) as refused:
            await audit.reading.proof(ASKING, event_id)
        answers.append((status_of(refused.value), refused.value.code, refused.value.detail))
    assert len(set(answers)) == 1
    assert answers[0][0] == 404
    events = [event.what.record_ids for event in audit.access_log.events()]
    assert events == [(), ()]


async def test_in_a_bundle_it_stays_sealed_and_the_bundle_verifies(audit: AuditUnderTest) -> None:
    data = await audit.bundle(Filter(record_ids=(RECORD,)))
    report = verify_bundle(data, TRUST, producers())
    assert report.ok, report.text
    receipts = json.loads(data)["receipts"]
    assert [(each["index"], each["event"] is None) for each in receipts] == [(0, False), (1, True)]
    assert OFFICER not in data.decode()


async def test_counsel_sees_it_and_the_event_says_so(audit: AuditUnderTest) -> None:
    page = await audit.reading.page(COUNSEL, Filter(actor=OFFICER), limit=10)
    (opened,) = page.entries
    assert not opened.withheld
    assert opened.event is not None
    assert page.withheld == 0
    event = audit.access_log.events()[-1]
    assert (event.agent.roles, event.what.fields) == (("counsel",), ("audit_entry", "exempt_entry"))
    export_stream = await audit.exporting.export(COUNSEL, Filter())
    assert export_stream.entries == 3
    assert audit.access_log.events()[-1].what.fields == ("audit_entry", "exempt_entry")


async def test_it_is_like_any_other_once_its_time_is_over(audit: AuditUnderTest) -> None:
    audit.stores.clock.advance(timedelta(days=30))
    page = await audit.reading.page(ASKING, Filter(actor=OFFICER), limit=10)
    assert [each.withheld for each in page.entries] == [False]
    assert page.withheld == 0


async def test_a_page_of_withheld_and_others_neither_misses_nor_repeats(
    audit: AuditUnderTest,
) -> None:
    exempt = START + timedelta(days=9)
    await audit.log(
        *(
            Producer().access(RECORD, exempt_until=exempt if number % 2 else None)
            for number in range(20)
        )
    )
    found: list[int] = []
    cursor = None
    while True:
        page = await audit.reading.page(ASKING, Filter(), limit=3, cursor=cursor)
        found += [each.row.index for each in page.entries]
        cursor = page.next
        if cursor is None:
            break
    assert found == list(range(22, -1, -1))
