"""What the other services say becomes one document a record, with items, trigger and date."""

from datetime import UTC, date, datetime, timedelta

import pytest

from direct311.retention.record import InventoryRecord
from direct311.retention.schedule.domain.schedule import Schedule
from direct311.runtime.errors import RefusedError
from direct311.runtime.http.problem_codes import status_of
from direct311.runtime.messaging.state import Change
from direct311.schemas import events as ev
from tests.unit.retention.fakes import (
    CARLA,
    COUNSEL,
    FOUR,
    LONG_AGO,
    START,
    RetentionUnderTest,
    created,
    event,
    located,
    receipt,
    updated,
)

pytestmark = pytest.mark.anyio

CLOSED = datetime(2024, 11, 15, 18, tzinfo=UTC)


def routed(record_id: str, version: int, department: str) -> ev.RequestRouted:
    return ev.RequestRouted(
        record_id=record_id,
        version=version,
        request_version=1,
        department=department,
        revision=1,
        service_code="ROAD-POTHOLE",
        place=ev.Place(),
        received_at=LONG_AGO,
        routed_at=START,
        rule_id="r",
        rules_version="1",
        reason="type",
    )


async def test_a_request_is_inventoried_with_what_is_known_of_it() -> None:
    retention = RetentionUnderTest()
    media = (
        ev.MediaItem(media_id="m1", state="stored", size=700),
        ev.MediaItem(media_id="m2", state="stored"),
        ev.MediaItem(media_id="m3", state="rejected", reason="bomb"),
    )
    await retention.apply(
        created("r1", "ROAD-POTHOLE"),
        located("r1", 1, "hialeah"),
        event(routed("r1", 1, "public_works"), "r1", "routing"),
        event(
            ev.MediaStored(record_id="r1", version=1, media=media, stored_at=START), "r1", "media"
        ),
    )
    record = retention.record("r1")
    assert (record.service_code, record.municipality, record.department) == (
        "ROAD-POTHOLE",
        "hialeah",
        "public_works",
    )
    assert (record.media_files, record.media_bytes) == (2, 700)
    assert record.known_holders == ("intake", "media", "geo", "routing")
    assert record.items == (94, 141)
    assert record.eligible_on is None
    assert record.stage == "active"


@pytest.mark.policy("P14")
async def test_closing_starts_the_clock_and_the_longest_item_decides() -> None:
    retention = RetentionUnderTest()
    await retention.apply(
        created("r1", "ROAD-POTHOLE", datetime(2024, 11, 1, tzinfo=UTC)),
        updated("r1", 2, "ROAD-POTHOLE", closed_at=CLOSED),
    )
    record = retention.record("r1")
    assert (record.decided_by, record.trigger, record.trigger_on) == (
        141,
        "completed",
        date(2024, 11, 15),
    )
    assert record.eligible_on == date(2028, 10, 1)


async def test_days_are_those_of_the_county() -> None:
    retention = RetentionUnderTest()
    late = datetime(2024, 10, 1, 3, 59, tzinfo=UTC)  # 23:59 on 30 September in Miami
    await retention.apply(
        created("r1", "ROAD-POTHOLE"), updated("r1", 2, "ROAD-POTHOLE", closed_at=late)
    )
    assert retention.record("r1").eligible_on == date(2027, 10, 1)


async def test_reopening_stops_the_clock_and_closing_starts_it_anew() -> None:
    retention = RetentionUnderTest()
    await retention.eligible("r1")
    assert retention.record("r1").stage == "eligible"
    await retention.apply(updated("r1", 3))
    assert (retention.record("r1").stage, retention.record("r1").eligible_on) == ("active", None)
    await retention.apply(updated("r1", 4, closed_at=CLOSED))
    assert retention.record("r1").eligible_on == date(2025, 11, 15)


async def test_reclassifying_after_closing_restarts_the_clock() -> None:
    retention = RetentionUnderTest()
    await retention.eligible("r1")
    changed_at = datetime(2026, 2, 1, 12, tzinfo=UTC)
    closed_at = LONG_AGO + timedelta(days=9)
    await retention.apply(
        updated("r1", 3, "ANI-STRAY", closed_at=closed_at, updated_at=changed_at),
    )
    record = retention.record("r1")
    assert (record.stage, record.items) == ("active", (94, 234))
    assert record.eligible_on == date(2030, 2, 1)
    # A later word on the same type does not move it again.
    await retention.apply(updated("r1", 4, "ANI-STRAY", closed_at=closed_at))
    assert retention.record("r1").eligible_on == date(2030, 2, 1)


async def test_an_update_that_comes_before_the_creation_is_not_undone_by_it() -> None:
    retention = RetentionUnderTest()
    await retention.apply(updated("r1", 3, "ANI-STRAY", closed_at=CLOSED))
    await retention.apply(created("r1", "POTHOLE"))
    record = retention.record("r1")
    assert (record.service_code, record.closed_at) == ("ANI-STRAY", CLOSED)
    assert record.eligible_on == date(2028, 11, 15)


def recalled(version: int, department: str) -> ev.RequestRecalled:
    return ev.RequestRecalled(
        record_id="r1",
        version=version,
        department=department,
        reason="moved",
        recalled_at=START,
    )


async def test_a_recall_takes_away_only_the_department_that_it_names() -> None:
    retention = RetentionUnderTest()
    await retention.apply(created("r1"), event(routed("r1", 3, "parks"), "r1", "routing"))
    await retention.apply(event(recalled(2, "parks"), "r1", "routing"))
    assert retention.record("r1").department == "parks"
    await retention.apply(event(recalled(4, "solid_waste"), "r1", "routing"))
    assert retention.record("r1").department == "parks"
    await retention.apply(event(recalled(5, "parks"), "r1", "routing"))
    assert retention.record("r1").department is None


@pytest.mark.parametrize("known", [True, False], ids=["known", "first heard of"])
async def test_a_recall_that_overtakes_its_routing_is_not_forgotten(*, known: bool) -> None:
    retention = RetentionUnderTest()
    if known:
        await retention.apply(created("r1"))
    await retention.apply(event(recalled(7, "parks"), "r1", "routing"))
    await retention.apply(event(routed("r1", 5, "parks"), "r1", "routing"))
    assert retention.record("r1").department is None
    assert "routing" in retention.record("r1").known_holders
    await retention.apply(event(routed("r1", 7, "solid_waste"), "r1", "routing"))
    assert retention.record("r1").department == "solid_waste"


async def test_a_repeated_event_changes_nothing() -> None:
    retention = RetentionUnderTest()
    await retention.apply(created("r1"), updated("r1", 2, closed_at=CLOSED))
    before = retention.record("r1")
    await retention.apply(created("r1"), updated("r1", 2, closed_at=CLOSED))
    assert retention.record("r1") == before


async def junk(retention: RetentionUnderTest) -> None:
    """A code violation, closed as a request in 2024."""
    await retention.apply(
        created("r1", "CODE-JUNK"), updated("r1", 2, "CODE-JUNK", closed_at=CLOSED)
    )


def decided(retention: RetentionUnderTest) -> tuple[object, ...]:
    record = retention.record("r1")
    return record.decided_by, record.trigger, record.trigger_on, record.eligible_on


@pytest.mark.policy("P14")
@pytest.mark.parametrize(
    ("outcome", "item", "eligible_on"),
    [
        ("citation_issued", 398, date(2031, 10, 1)),
        ("hearing", 236, date(2031, 10, 1)),
        ("litigation", 27, date(2031, 2, 3)),
    ],
)
async def test_a_case_is_kept_from_its_own_closing_and_not_from_the_requests(
    outcome: str, item: int, eligible_on: date
) -> None:
    retention = RetentionUnderTest()
    await junk(retention)
    assert decided(retention) == (237, "case_closed", date(2024, 11, 15), date(2027, 11, 15))
    await retention.outcomes.add(COUNSEL, "r1", outcome, retention.ids.new())
    assert decided(retention) == (item, "case_closed", None, None)
    assert f"the closing of its case ({outcome})" in (retention.record("r1").reason or "")
    retention.clock.at = datetime(2040, 1, 1, tzinfo=UTC)
    await retention.expiry.step()
    assert retention.record("r1").stage == "active"
    await retention.outcomes.add(COUNSEL, "r1", outcome, retention.ids.new(), date(2026, 2, 3))
    assert decided(retention) == (item, "case_closed", date(2026, 2, 3), eligible_on)
    await retention.expiry.step()
    assert retention.record("r1").stage == "eligible"


async def test_a_second_case_that_is_open_keeps_the_record_whatever_the_first_says() -> None:
    retention = RetentionUnderTest()
    await junk(retention)
    await retention.outcomes.add(COUNSEL, "r1", "hearing", retention.ids.new(), date(2025, 3, 1))
    await retention.outcomes.add(COUNSEL, "r1", "litigation", retention.ids.new())
    assert decided(retention) == (27, "case_closed", None, None)


async def test_a_case_that_is_opened_again_waits_again() -> None:
    retention = RetentionUnderTest()
    await junk(retention)
    await retention.outcomes.add(COUNSEL, "r1", "hearing", retention.ids.new(), date(2025, 3, 1))
    dated = retention.record("r1")
    # Said once more without a day: nothing new.
    await retention.outcomes.add(COUNSEL, "r1", "hearing", retention.ids.new())
    assert retention.record("r1") == dated
    await retention.outcomes.add(COUNSEL, "r1", "hearing", retention.ids.new(), reopened=True)
    assert decided(retention) == (236, "case_closed", None, None)


async def test_an_incident_is_no_case_and_waits_for_nothing() -> None:
    retention = RetentionUnderTest()
    await retention.apply(created("r1"), updated("r1", 2, closed_at=CLOSED))
    await retention.outcomes.add(COUNSEL, "r1", "incident", retention.ids.new())
    assert decided(retention) == (94, "resolved", date(2024, 11, 15), date(2025, 11, 15))
    assert retention.record("r1").items == (94, 241)


@pytest.mark.parametrize(
    ("outcome", "closed_on"),
    [
        ("hearing", date(2026, 3, 3)),
        ("hearing", date(2015, 5, 31)),
        ("incident", date(2026, 3, 2)),
    ],
    ids=["to come", "before the request", "no case"],
)
async def test_a_day_on_which_no_case_can_have_closed_is_refused(
    outcome: str, closed_on: date
) -> None:
    retention = RetentionUnderTest()
    await junk(retention)
    before = retention.record("r1")
    with pytest.raises(RefusedError) as refused:
        await retention.outcomes.add(COUNSEL, "r1", outcome, retention.ids.new(), closed_on)
    assert (status_of(refused.value), refused.value.field) == (422, "closed_on")
    assert retention.record("r1") == before


@pytest.mark.parametrize("stage", ["active", "eligible", "in_review"])
async def test_what_was_dated_by_the_requests_closing_is_taken_back(stage: str) -> None:
    retention = RetentionUnderTest()
    await retention.eligible("r1", service_code="CODE-JUNK")
    made = await retention.review.propose(CARLA, ["r1"], 500, None)
    # As it was kept before outcomes had a day of their own.
    old = retention.record("r1").model_dump(exclude={"outcomes_closed_on", "order_id"}) | {
        "outcomes": ("hearing",),
        "items": (94, 237, 236),
        "decided_by": 236,
        "eligible_on": date(2020, 10, 1),
        "schedule_version": "GS1-SL 2026.1, assignments 2026.1",
        "stage": stage,
        "order_id": made.disposition_id if stage == "in_review" else None,
    }

    async def as_before(_: InventoryRecord) -> Change[InventoryRecord]:
        return Change(InventoryRecord.model_validate(old))

    await retention.processor.change("r1", retention.ids.new(), as_before)
    await retention.expiry.step()
    record = retention.record("r1")
    assert (record.stage, record.order_id) == ("active", None)
    assert decided(retention) == (236, "case_closed", None, None)


@pytest.mark.parametrize(
    ("record_id", "outcome", "code"),
    [
        ("r1", "fame", "outcome"),
        ("r2", "hearing", "unknown_record"),
        ("gone", "hearing", "ordered"),
    ],
)
async def test_an_outcome_that_cannot_be_added_is_refused(
    record_id: str, outcome: str, code: str
) -> None:
    retention = RetentionUnderTest()
    await retention.eligible("r1", "gone")
    await retention.ordered("gone")
    with pytest.raises(RefusedError) as refused:
        await retention.outcomes.add(COUNSEL, record_id, outcome, retention.ids.new())
    assert refused.value.code == code


async def test_what_is_ordered_takes_receipts_alone() -> None:
    retention = RetentionUnderTest()
    await retention.eligible("r1")
    await retention.ordered("r1")
    before = retention.record("r1")
    await retention.apply(
        updated("r1", 9),
        located("r1", 9, "miami"),
        event(routed("r1", 9, "parks"), "r1", "routing"),
    )
    assert retention.record("r1") == before


async def test_a_record_is_destroyed_once_all_but_audit_have_answered() -> None:
    retention = RetentionUnderTest()
    await retention.eligible("r1")
    order = await retention.ordered("r1")
    for holder in FOUR[:3]:
        await retention.answered(order, holder)
    assert retention.record("r1").stage == "ordered"
    await retention.answered(order, FOUR[3], FOUR[3])
    record = retention.record("r1")
    assert record.stage == "destroyed"
    assert [each.holder for each in record.receipts] == list(FOUR)
    assert record.answered == 4


@pytest.mark.parametrize("wrong", ["order", "holder", "state"])
async def test_a_receipt_that_nobody_asked_for_is_a_dead_letter(wrong: str) -> None:
    retention = RetentionUnderTest()
    await retention.eligible("r1", "r2")
    order = (await retention.ordered("r1")).disposition_id
    bad = {
        "order": receipt("r1", retention.ids.new(), "geo", START),
        "holder": receipt("r1", order, "media", START, source="geo"),
        "state": receipt("r2", order, "geo", START),
    }[wrong]
    assert await retention.apply(bad) == ["ReceiptError"]
    assert retention.record("r1").receipts == ()


async def test_new_rules_bring_another_date_and_take_back_what_was_eligible() -> None:
    retention = RetentionUnderTest()
    await retention.eligible("r1")
    longer = tuple(
        item.model_copy(update={"count": 50}) if item.item == 94 else item
        for item in retention.rules.schedule.items
    )
    edition = retention.rules.schedule.model_dump() | {"items": longer, "version": "2027.1"}
    schedule = Schedule.model_validate(edition)
    retention.rules = type(retention.rules)(
        schedule, retention.rules.assignments, retention.rules.timezone
    )
    retention.start()
    await retention.expiry.step()
    record = retention.record("r1")
    assert (record.stage, record.eligible_on) == ("active", date(2065, 6, 10))
    assert "2027.1" in (record.schedule_version or "")


async def test_an_open_request_is_never_eligible_whatever_its_items() -> None:
    retention = RetentionUnderTest()
    incident_alone = retention.rules.assignments.model_copy(
        update={"default": (241,), "assignments": ()}
    )
    rules = type(retention.rules)(
        retention.rules.schedule, incident_alone, retention.rules.timezone
    )
    record = InventoryRecord(record_id="r1", service_code="X", received_at=LONG_AGO)
    assert rules.determined(record).eligible_on is None
    closed = record.model_copy(update={"closed_at": CLOSED})
    assert rules.determined(closed).eligible_on == date(2019, 6, 1)
