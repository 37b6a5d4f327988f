"""Counts, groups, timelines and comparisons come from the index, and are events all the same."""

from datetime import timedelta

import pytest

from direct311.audit.entry import Filter
from direct311.audit.questions.handlers.audited_query import QueryContext
from direct311.runtime.access.ledger import AuditUnavailableError
from direct311.runtime.access.rules import Caller
from direct311.runtime.vault.vault import DeniedError
from tests.unit.audit.audit_under_test import ASKING, AuditUnderTest
from tests.unit.audit.events import OTHER, RECORD, START, Producer

pytestmark = pytest.mark.anyio


@pytest.fixture
async def audit() -> AuditUnderTest:
    audit = AuditUnderTest()
    for number in range(20):
        audit.stores.clock.at = at = START + timedelta(hours=6 * number)
        await audit.log(
            Producer().access(
                *((RECORD, OTHER) if number % 5 == 0 else (RECORD,)),
                actor=f"agent-{number % 3}",
                purpose="respond" if number < 12 else "county_business",
                at=at,
            )
        )
    audit.stores.clock.at = START + timedelta(days=6)
    return audit


async def test_groups_come_largest_first_with_first_and_last(audit: AuditUnderTest) -> None:
    tally = await audit.counting.tally(ASKING, Filter(record_ids=(RECORD,)), ("actor",), 2)
    assert [(group.key, group.count) for group in tally.groups] == [
        (("agent-0",), 7),
        (("agent-1",), 7),
    ]
    assert (tally.entries, tally.of) == (20, 3)
    assert tally.groups[0].first == START
    assert tally.groups[0].last == START + timedelta(hours=6 * 18)
    two = await audit.counting.tally(ASKING, Filter(), ("purpose", "record"), 10)
    counts = {group.key: group.count for group in two.groups}
    assert counts == {
        ("respond", RECORD): 12,
        ("county_business", RECORD): 8,
        ("respond", OTHER): 3,
        ("county_business", OTHER): 1,
    }


async def test_one_entry_of_many_refusals_counts_for_all_of_them(audit: AuditUnderTest) -> None:
    at = START + timedelta(hours=3)
    await audit.log(
        Producer().access(RECORD, actor="eve", outcome="denied", at=at),
        Producer().access(RECORD, actor="eve", outcome="denied", count=79, at=at),
    )
    mine = Filter(record_ids=(RECORD,))
    tally = await audit.counting.tally(ASKING, mine, ("actor",), 1)
    assert (tally.entries, tally.times) == (22, 100)
    assert [(group.key, group.count, group.times) for group in tally.groups] == [(("eve",), 2, 80)]
    bare = await audit.counting.tally(ASKING, Filter(), (), 1)
    # This question before is an entry once it is logged; it is not yet.
    assert (bare.entries, bare.times) == (22, 100)
    opened = await audit.counting.tally(ASKING, Filter(outcome="success"), (), 1)
    assert (opened.entries, opened.times) == (20, 20)
    line = await audit.counting.timeline(ASKING, mine, "day")
    assert (line.buckets[0].count, line.buckets[0].times) == (4, 82)
    assert line.buckets[0].by["eve"] == 80
    day = START, START + timedelta(hours=23)
    eve = START - timedelta(days=1), START - timedelta(seconds=1)
    compared = await audit.counting.compare(ASKING, mine, ("outcome",), eve, day, 5)
    assert compared.groups[0].key == ("denied",)
    assert compared.groups[0].after == 80


async def test_a_count_opens_nothing_and_is_an_event(audit: AuditUnderTest) -> None:
    await audit.counting.tally(ASKING, Filter(actor="agent-1"), ("day",), 10)
    (event,) = audit.access_log.events()
    assert (event.action, event.outcome) == ("log_read", "success")
    assert (event.what.fields, event.what.query_fields) == ((), ("actor",))
    assert event.what.result_count == 7
    assert audit.keys.fetches == []


async def test_a_timeline_says_when_and_by_whom(audit: AuditUnderTest) -> None:
    found = await audit.counting.timeline(ASKING, Filter(record_ids=(OTHER,)), "day")
    assert [(each.at, each.count, each.by) for each in found.buckets] == [
        ("2026-03-02", 1, {"agent-0": 1}),
        ("2026-03-03", 1, {"agent-2": 1}),
        ("2026-03-05", 1, {"agent-1": 1}),
        ("2026-03-06", 1, {"agent-0": 1}),
    ]
    hours = await audit.counting.timeline(ASKING, Filter(record_ids=(OTHER,)), "hour")
    assert [each.at for each in hours.buckets][:2] == ["2026-03-02T14", "2026-03-03T20"]


async def test_a_persons_timeline_goes_through_intake(audit: AuditUnderTest) -> None:
    audit.people.records["maria"] = [OTHER]
    found = await audit.counting.timeline(
        ASKING, Filter(), "day", person={"name": "maria"}, authorization="t"
    )
    assert (list(found.record_ids), found.entries) == ([OTHER], 4)
    assert audit.people.asked == [({"name": "maria"}, "Letter 12", "t")]
    nobody = await audit.counting.timeline(
        ASKING, Filter(), "day", person={"name": "nobody"}, authorization="t"
    )
    assert (nobody.entries, list(nobody.buckets)) == (0, [])
    assert [event.what.result_count for event in audit.access_log.events()] == [4, 0]


async def test_two_periods_are_compared_group_by_group(audit: AuditUnderTest) -> None:
    middle = START + timedelta(hours=60)
    found = await audit.counting.compare(
        ASKING,
        Filter(),
        ("purpose",),
        (START, middle - timedelta(milliseconds=1)),
        (middle, START + timedelta(days=9)),
        10,
    )
    assert (found.before, found.after) == (10, 10)
    assert [(each.key, each.before, each.after, each.change) for each in found.groups] == [
        (("county_business",), 0, 8, 8),
        (("respond",), 10, 2, -8),
    ]


async def test_who_may_not_read_the_log_may_not_count_it(audit: AuditUnderTest) -> None:
    def context(operation: str) -> QueryContext:
        return QueryContext(Caller("maria", ("agent",)), operation, "Letter 12")

    for question in (
        audit.counting.tally(context("count"), Filter(), (), 1),
        audit.counting.timeline(context("timeline"), Filter(), "day", person={"name": "x"}),
        audit.breach.scope(context("breach"), Filter(actor="x"), "", START.date()),
        audit.exporting.export(context("export"), Filter()),
        audit.exporting.who_saw(context("who saw"), {"name": "x"}, "", Filter()),
    ):
        with pytest.raises(DeniedError):
            await question
    assert [event.outcome for event in audit.access_log.events()] == ["denied"] * 5
    assert audit.people.asked == []
    audit.access_log.down = True
    with pytest.raises(AuditUnavailableError):
        await audit.counting.tally(ASKING, Filter(), (), 1)
