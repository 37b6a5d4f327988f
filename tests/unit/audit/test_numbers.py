"""Numbers of producers: a gap alarms, what was never sent closes, what comes twice shows."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from direct311.audit.domain import Facts
from direct311.audit.handlers.numbers import Numbering
from direct311.audit.handlers.walk import Walk
from direct311.audit.ports import IndexLostError, Sighting
from tests.unit.audit.events import RECORD, START, Producer
from tests.unit.audit.fakes import (
    InMemoryAlarms,
    InMemoryBodyKeys,
    InMemoryLog,
    InMemoryNumbers,
    InMemoryWatch,
    SettableClock,
)
from tests.unit.audit.log_contract import in_memory

pytestmark = pytest.mark.anyio
ONE, TWO = "intake/one", "intake/two"
MINUTE = timedelta(minutes=1)


def sighting(index: int, number: int, producer: str = ONE, action: str = "view") -> Sighting:
    facts = Facts(
        event_id=f"event-{index}",
        event="pii.accessed",
        service=producer.partition("/")[0],
        actor="maria",
        action=action,
        outcome="success",
        occurred_at=START,
        producer=producer,
        sequence=number,
    )
    return Sighting(index, facts.event_id, START, facts)


class World:
    def __init__(self) -> None:
        self.numbers, self.alarms = InMemoryNumbers(), InMemoryAlarms()
        self.clock = SettableClock(START)
        self.numbering = Numbering(self.numbers, self.alarms, self.clock)

    async def see(self, *numbers: int, producer: str = ONE, first: int = 0) -> None:
        await self.numbering.see(
            [sighting(first + i, number, producer) for i, number in enumerate(numbers)]
        )


async def test_numbers_without_a_gap_are_in_order() -> None:
    world = World()
    await world.see(1, 2, 3)
    world.clock.advance(2 * MINUTE)
    assert await world.numbering.step({}, []) == []
    assert world.alarms.raised == []


async def test_a_gap_alarms_after_a_minute_and_not_before() -> None:
    world = World()
    await world.see(1, 4)
    assert await world.numbering.step({"intake": [ONE]}, []) == []
    world.clock.advance(MINUTE + timedelta(seconds=1))
    assert await world.numbering.step({"intake": [ONE]}, []) == [(ONE, 2), (ONE, 3)]
    await world.numbering.step({"intake": [ONE]}, [])
    assert world.alarms.raised == [("sequence_gap", f"{ONE}#{n}") for n in (2, 3)]


async def test_what_comes_late_or_is_filled_closes_the_gap() -> None:
    world = World()
    await world.see(1, 4, 2)
    await world.numbering.see([sighting(3, 3, action="void")])
    world.clock.advance(2 * MINUTE)
    assert await world.numbering.step({}, []) == []
    # The original of what was filled may still come.
    await world.numbering.see([sighting(4, 3)])
    assert world.alarms.raised == []


async def test_a_number_of_a_process_that_is_gone_was_never_sent() -> None:
    world = World()
    await world.see(1, 3)
    await world.see(1, 3, producer=TWO)
    world.clock.advance(2 * MINUTE)
    assert await world.numbering.step({"intake": [TWO]}, []) == [(TWO, 2)]
    assert world.numbers.states[ONE].closed == 1
    await world.see(2, first=9)
    assert world.alarms.raised == [("sequence_gap", f"{TWO}#2")]


@pytest.mark.parametrize(
    ("running", "unlogged"), [({}, []), ({"media": []}, []), ({"intake": []}, ["intake"])]
)
async def test_nothing_closes_while_somebody_is_silent_or_a_fetch_lacks_its_event(
    running: dict[str, list[str]], unlogged: list[str]
) -> None:
    world = World()
    await world.see(1, 3)
    world.clock.advance(2 * MINUTE)
    assert await world.numbering.step(running, unlogged) == [(ONE, 2)]
    assert world.alarms.raised == [("sequence_gap", f"{ONE}#2")]


async def test_a_number_that_is_used_twice_alarms() -> None:
    world = World()
    await world.see(1, 2, 2)
    assert world.alarms.raised == [("sequence_gap", f"{ONE}#2")]


async def test_the_same_entries_again_change_nothing() -> None:
    """A crash between looking and noting how far."""
    world = World()
    for _ in range(2):
        await world.see(1, 2, 5)
    assert world.alarms.raised == []
    assert sorted(world.numbers.states[ONE].missing) == [3, 4]


@settings(deadline=None)
@given(
    st.permutations(range(1, 9)),
    st.sets(st.integers(1, 8)),
    st.lists(st.tuples(st.integers(1, 8), st.integers(0, 8)), min_size=8, max_size=8),
)
async def test_whatever_the_order_what_is_missing_is_what_did_not_come(
    order: list[int], lost: set[int], steps: list[tuple[int, int]]
) -> None:
    """A step is how many entries come next, and how many of before come again."""
    world = World()
    arrived = [number for number in order if number not in lost]
    at = 0
    for new, again in steps:
        first, end = max(0, at - again), min(at + new, len(arrived))
        await world.see(*arrived[first:end], first=first)
        at = end
    world.clock.advance(2 * MINUTE)
    missing = [number for _, number in await world.numbering.step({}, [])]
    highest = max(arrived, default=0)
    assert at == len(arrived)
    assert sorted(missing) == sorted(number for number in lost if number < highest)


async def test_an_observer_sees_every_entry_and_goes_on_where_it_was() -> None:
    log, watch = InMemoryLog(), InMemoryWatch()
    stores = in_memory(log, InMemoryBodyKeys())
    producer, numbers = Producer(), InMemoryNumbers()

    async def walk() -> None:
        numbering = Numbering(numbers, stores.alarms, stores.clock)
        await Walk([numbering], log, log, watch).step()

    for count in (3, 2):
        await stores.arrive([producer.access(RECORD) for _ in range(count)])
        await stores.sequence()
        await walk()
    (state,) = numbers.states.values()
    assert (state.highest, dict(state.missing), watch.places) == (5, {}, {Walk.NAME: 5})


async def test_an_observer_is_shown_nothing_of_an_index_that_is_lost() -> None:
    log, watch, numbers = InMemoryLog(), InMemoryWatch(), InMemoryNumbers()
    stores = in_memory(log, InMemoryBodyKeys())
    producer = Producer()
    numbering = Numbering(numbers, stores.alarms, stores.clock)
    observer = Walk([numbering], log, log, watch)
    await stores.arrive([producer.access(RECORD) for _ in range(5)])
    await stores.sequence()
    log.drop_index()
    with pytest.raises(IndexLostError):
        await observer.step()
    assert (numbers.states, watch.places) == ({}, {})
    await stores.rebuild()
    await observer.step()
    (state,) = numbers.states.values()
    assert (state.highest, dict(state.missing)) == (5, {})
