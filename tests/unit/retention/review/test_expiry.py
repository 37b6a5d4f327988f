"""A record becomes eligible on its day and is announced once; a look ahead changes nothing."""

from datetime import date, timedelta

import pytest

from direct311.retention.holds.domain import Hold
from direct311.runtime.errors import RefusedError
from direct311.schemas import events as ev
from tests.unit.retention.fakes import COUNSEL, START, RetentionUnderTest, created, updated

pytestmark = pytest.mark.anyio


@pytest.mark.policy("P14")
async def test_a_record_is_announced_once_on_its_day() -> None:
    retention = RetentionUnderTest()
    await retention.apply(created("r1"), updated("r1", 2, closed_at=START))
    await retention.expiry.step()
    assert retention.record("r1").stage == "active"
    retention.clock.advance(timedelta(days=364))
    await retention.expiry.step()
    assert retention.names("r1") == []
    retention.clock.advance(timedelta(days=1))
    await retention.expiry.step()
    await retention.expiry.step()
    (said,) = retention.said("r1")
    assert isinstance(said.data, ev.RecordExpired)
    assert said.data.items == ("94",)
    assert said.data.decided_by == "94"
    assert said.data.eligible_on == date(2027, 3, 2)
    assert said.data.version == retention.record("r1").version


async def test_a_record_that_was_reopened_is_announced_again() -> None:
    retention = RetentionUnderTest()
    await retention.eligible("r1")
    await retention.apply(updated("r1", 3), updated("r1", 4, closed_at=START - timedelta(days=800)))
    await retention.expiry.step()
    first, second = retention.said("r1")
    assert first.id != second.id
    assert retention.record("r1").stage == "eligible"


async def test_a_hold_stops_neither_the_clock_nor_the_announcement() -> None:
    retention = RetentionUnderTest()
    await retention.holding.place(
        Hold(
            hold_id="h1",
            name="suit",
            kind="litigation",
            authority="26-1",
            record_ids=("r1",),
            placed_by="cole",
            placed_at=START,
        ),
        COUNSEL,
    )
    await retention.eligible("r1")
    assert retention.record("r1").stage == "eligible"
    assert retention.names("r1") == ["hold.placed", "record.expired"]


async def test_a_look_ahead_lists_page_by_page_and_changes_nothing() -> None:
    retention = RetentionUnderTest()
    for number in range(5):
        at = START + timedelta(days=number // 2)
        await retention.apply(created(f"r{number}"), updated(f"r{number}", 2, closed_at=at))
    before = {key: write.state for key, write in retention.records.documents.items()}
    as_of = date(2028, 1, 1)
    first = await retention.expiry.look(as_of, None, 3)
    assert [each.record_id for each in first.records] == ["r0", "r1", "r2"]
    assert first.more
    last = first.records[-1]
    assert last.eligible_on is not None
    second = await retention.expiry.look(as_of, (last.eligible_on, last.record_id), 3)
    assert [each.record_id for each in second.records] == ["r3", "r4"]
    assert not second.more
    assert (await retention.expiry.look(date(2027, 1, 1), None, 3)).records == []
    assert {key: write.state for key, write in retention.records.documents.items()} == before


async def test_a_day_in_the_future_is_refused_in_production() -> None:
    retention = RetentionUnderTest(ahead=False)
    await retention.apply(created("r1"), updated("r1", 2, closed_at=START))
    with pytest.raises(RefusedError) as refused:
        await retention.expiry.run(date(2027, 3, 2))
    assert refused.value.code == "as_of_in_future"
    assert retention.record("r1").stage == "active"
    assert (await retention.expiry.look(date(2027, 3, 2), None, 10)).count == 1


async def test_a_test_system_may_live_in_the_future() -> None:
    retention = RetentionUnderTest()
    await retention.apply(created("r1"), updated("r1", 2, closed_at=START))
    assert (await retention.expiry.run(date(2027, 3, 2))).count == 1
    assert retention.record("r1").stage == "eligible"
