"""Whatever the order of steps, a record under hold is never ordered to be destroyed."""

from collections.abc import Callable, Coroutine, Generator, Sequence
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from direct311.retention.holds.domain import Hold, HoldQuery, HoldSnapshot
from direct311.retention.record import InventoryRecord
from direct311.runtime.errors import RefusedError
from direct311.schemas import events as ev
from tests.unit.retention.fakes import (
    CARLA,
    COUNSEL,
    LONG_AGO,
    RAUL,
    SETTLE_FOR,
    START,
    RetentionUnderTest,
    updated,
)

RECORDS = ("r1", "r2", "r3")
Act = Callable[["Watched"], Coroutine[Any, Any, None]]


class _Turn:
    """Gives way to whoever is chosen next."""

    def __await__(self) -> Generator[None, None, None]:
        yield


async def turn() -> None:
    await _Turn()


def interleave(
    acts: Sequence[Coroutine[Any, Any, None]], choices: Sequence[tuple[int, int]]
) -> None:
    """Run them in the order that is chosen, each time one of them for some steps, and at last each
    to its end."""
    live = list(acts)
    for choice, steps in choices:
        for _ in range(steps):
            if live:
                _advance(live, choice % len(live))
    while live:
        _advance(live, 0)


def _advance(live: list[Coroutine[Any, Any, None]], index: int) -> None:
    try:
        live[index].send(None)
    except StopIteration:
        del live[index]


# ---------------------------------------------------------------- who does what


class Watched(RetentionUnderTest):
    """Retention that remembers which holds had raised the fence when an order was approved."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.raised: dict[str | None, list[str]] = {}


def hold(hold_id: str, **scope: object) -> Hold:
    return Hold(
        hold_id=hold_id,
        name="suit",
        kind="litigation",
        authority="26-1",
        placed_by="cole",
        placed_at=START,
        **scope,
    )


async def hold_by_query(retention: Watched) -> None:
    await retention.holding.place(
        hold("query", query=HoldQuery(service_codes=("POTHOLE",))), COUNSEL
    )


async def hold_by_list(retention: Watched) -> None:
    await retention.holding.place(hold("list", record_ids=("r1", "r2")), COUNSEL)


async def hold_by_another_query(retention: Watched) -> None:
    await retention.holding.place(hold("city", query=HoldQuery(until=START)), COUNSEL)


async def release(retention: Watched) -> None:
    """As soon as it is in force, or never."""
    for _ in range(30):
        try:
            await retention.holding.release("query", RAUL, "settled")
        except RefusedError:
            await turn()


async def dispose(retention: Watched, *record_ids: str) -> None:
    """Both persons, one after the other."""
    try:
        made = await retention.review.propose(CARLA, record_ids or RECORDS, 500, None)
        assert made.set_hash is not None
        for _ in range(4):
            await turn()  # the officer reads the set
        retention.raised[made.disposition_id] = [
            each.hold_id for each in retention.holds.holds.values() if each.fence is not None
        ]
        await retention.review.approve(made.disposition_id, RAUL, made.set_hash)
    except RefusedError:
        return


async def dispose_of_one(retention: Watched) -> None:
    await dispose(retention, "r2")


async def reclassify(retention: Watched, service_code: str = "POTHOLE") -> None:
    """r3 comes under the query, and its clock has run out all the same."""
    closed_at = LONG_AGO + timedelta(days=9)
    await retention.apply(updated("r3", 3, service_code, closed_at=closed_at, updated_at=closed_at))
    await retention.expiry.step()


async def loops(retention: Watched) -> None:
    for _ in range(2):
        await retention.holding.step()
        await retention.review.step()


ACTS: tuple[Act, ...] = (
    hold_by_query,
    hold_by_list,
    hold_by_another_query,
    release,
    dispose,
    dispose_of_one,
    reclassify,
    loops,
)


@pytest.mark.policy("P14", "P20")
@settings(max_examples=120, deadline=None)
@given(
    acts=st.lists(st.sampled_from(ACTS), min_size=2, max_size=6),
    choices=st.lists(st.tuples(st.integers(0, 5), st.integers(1, 15)), max_size=40),
    stale=st.booleans(),
)
def test_a_record_under_hold_is_never_ordered(
    acts: list[Act], choices: list[tuple[int, int]], stale: bool
) -> None:
    retention = begun(stale)
    interleave([act(retention) for act in dict.fromkeys(acts)], choices)
    check_the_end(retention)


@pytest.mark.policy("P14")
@pytest.mark.parametrize("placing", [hold_by_query, hold_by_list])
def test_wherever_a_hold_comes_in_between_no_held_record_is_ordered(placing: Act) -> None:
    """Every place where a review can stop, and every stretch of a placing that can come there."""
    together = set()
    for at in range(1, steps_of(dispose)):
        for stretch in range(1, steps_of(placing)):
            retention = begun(stale=True)
            interleave([dispose(retention), placing(retention)], [(0, at), (1, stretch), (0, 1000)])
            check_the_end(retention)
            together.add((retention.record("r1").stage, bool(retention.record("r1").holds)))
    assert together == {("ordered", False), ("eligible", True)}


def steps_of(act: Act) -> int:
    """In how many steps it does its work when nobody is in between."""
    live = [act(begun(stale=True))]
    count = 0
    while live:
        _advance(live, 0)
        count += 1
    return count


def begun(stale: bool) -> "Watched":
    """Three records whose time has come; r3 of another type."""
    retention = Watched(turn=turn, stale=stale)
    interleave([_begin(retention)], [])
    watch(retention)
    return retention


def check_the_end(retention: "Watched") -> None:
    """Once all loops have had their time: no order under hold, and each hold where it belongs."""
    interleave([_end(retention)], [])
    for record_id in RECORDS:
        _holder_sees_no_order_under_hold(retention, record_id)
        record = retention.record(record_id)
        if record.open_to_change:
            standing = [each for each in retention.holds.holds.values() if each.standing]
            due = {each.hold_id for each in standing if each.matches(record)}
            assert due <= set(record.holds) <= {each.hold_id for each in standing}
        for each in retention.holds.holds.values():
            assert record_id not in each.too_late or record.stage == "ordered"


def watch(retention: Watched) -> None:
    """At the very write that orders a record, no hold may match it that is in force, or that had
    raised the fence before the approval."""

    def look(before: InventoryRecord | None, after: InventoryRecord) -> None:
        if after.stage != "ordered" or before is None or before.stage == "ordered":
            return
        assert before.stage == "in_review"
        assert not after.held_by
        counted = [
            each.hold_id
            for each in retention.holds.holds.values()
            if each.state == "in_force"
            or (each.standing and each.hold_id in retention.raised[after.order_id])
            if each.matches(after)
        ]
        assert not counted

    retention.records.watch = look


async def _begin(retention: Watched) -> None:
    await retention.eligible("r1", "r2")
    await retention.eligible("r3", service_code="OTHER")


async def _end(retention: Watched) -> None:
    """All loops have had their time."""
    for _ in range(3):
        retention.clock.advance(SETTLE_FOR)
        await retention.holding.step()
        await retention.review.step()


def _holder_sees_no_order_under_hold(retention: Watched, record_id: str) -> None:
    """What a holder makes of the events in their order, dropping what is not newer."""
    seen: dict[str, int] = {}
    holds: set[str] = set()
    is_ordered = False
    for event in retention.said(record_id):
        data = event.data
        assert isinstance(data, ev.RecordEvent)
        assert not is_ordered, "nothing follows an order"
        assert data.version > seen.get(event.name, 0), "a holder would drop it"
        seen[event.name] = data.version
        match data:
            case ev.HoldPlaced():
                holds.add(data.hold_id)
            case ev.HoldReleased():
                holds.discard(data.hold_id)
                assert data.still_held == bool(holds)
            case ev.DispositionOrdered():
                assert not holds
                is_ordered = True
            case _:
                assert isinstance(data, ev.RecordExpired)
    assert holds == set(retention.record(record_id).holds)


def test_the_check_notices_a_review_that_does_not_read_the_fence() -> None:
    """A control: with holds as they were before the fence was raised, a held record is ordered."""
    retention = Watched(turn=turn)
    interleave([_begin(retention)], [])
    before = HoldSnapshot.of(0, ())
    later = hold("later", query=HoldQuery(service_codes=("LATER",)))
    interleave([_place(retention, later)], [])

    async def standing(fence: int) -> HoldSnapshot:
        return before

    async def standing_now() -> HoldSnapshot:
        return before

    retention.holds.standing = standing  # type: ignore[method-assign]
    retention.holds.standing_now = standing_now  # type: ignore[method-assign]
    watch(retention)
    interleave([reclassify(retention, "LATER")], [])
    with pytest.raises(AssertionError, match="later"):
        interleave([dispose(retention)], [])


async def _place(retention: Watched, one: Hold) -> None:
    await retention.holding.place(one, COUNSEL)
