"""Numbers of producers: a gap alarms, what was never sent closes, what comes twice shows."""

from collections.abc import Iterable, Mapping
from datetime import timedelta

import bson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from direct311.audit.entry import Facts
from direct311.audit.index_row import EntrySummary
from direct311.audit.log.domain import DELIVERY_LIMIT
from direct311.audit.log.ports.log import IndexLostError
from direct311.audit.monitoring.adapters.mongo_watch import _numbered, _numbers_document
from direct311.audit.monitoring.domain.numbers import Gap, Numbered
from direct311.audit.monitoring.handlers.log_tailer import LogTailer
from direct311.audit.monitoring.handlers.numbers import MOST_RANGES, Numbering
from tests.support.runtime import SetClock
from tests.unit.audit.events import RECORD, START, Producer
from tests.unit.audit.fakes import (
    InMemoryAlarms,
    InMemoryLog,
    InMemoryNumbers,
    InMemoryWatch,
)
from tests.unit.audit.log_contract import in_memory

pytestmark = pytest.mark.anyio
ONE, TWO, UNTOLD = "intake/one", "intake/two", "geo/one"
TELLING = ("intake", "media", "audit")
MINUTE = timedelta(minutes=1)


def summary(index: int, number: int, producer: str = ONE, action: str = "view") -> EntrySummary:
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
    return EntrySummary(index, facts.event_id, START, facts)


class NumberingAudit:
    def __init__(self) -> None:
        self.numbers, self.alarms = InMemoryNumbers(), InMemoryAlarms()
        self.clock = SetClock(START)
        self.numbering = Numbering(self.numbers, self.alarms, self.clock, TELLING)

    async def see(self, *numbers: int, producer: str = ONE, first: int = 0) -> None:
        await self.numbering.see(
            [summary(first + i, number, producer) for i, number in enumerate(numbers)]
        )

    async def missing(
        self, running: Mapping[str, Iterable[str]], unlogged: Iterable[str] = ()
    ) -> list[tuple[str, int, int]]:
        """Producer, first and last number of each gap that is overdue."""
        found = await self.numbering.step(running, unlogged)
        return [(name, gap.numbers.start, gap.numbers.stop - 1) for name, gap in found]


async def test_numbers_without_a_gap_are_in_order() -> None:
    audit = NumberingAudit()
    await audit.see(1, 2, 3)
    audit.clock.advance(2 * MINUTE)
    assert await audit.missing({}) == []
    assert audit.alarms.raised == []


async def test_a_gap_alarms_once_after_a_minute_and_not_before() -> None:
    audit = NumberingAudit()
    await audit.see(1, 4, 6)
    assert await audit.missing({"intake": [ONE]}) == []
    audit.clock.advance(MINUTE + timedelta(seconds=1))
    for _ in range(2):
        assert await audit.missing({"intake": [ONE]}) == [(ONE, 2, 3), (ONE, 5, 5)]
    assert audit.alarms.raised == [("sequence_gap", f"{ONE}#{which}") for which in ("3", "5")]


@pytest.mark.parametrize("number", [500_000, 10**12, 2**63 - 1])
async def test_a_leap_is_one_gap_however_far_it_goes(number: int) -> None:
    audit = NumberingAudit()
    await audit.see(1, number)
    audit.clock.advance(2 * MINUTE)
    ((_, gap),) = await audit.numbering.step({"intake": [ONE]}, [])
    assert gap.size == number - 2
    assert audit.alarms.raised == [("sequence_gap", f"{ONE}#{number - 1}")]
    await audit.see(7, first=2)
    assert await audit.missing({"intake": [ONE]}) == [(ONE, 2, 6), (ONE, 8, number - 1)]
    assert await audit.missing({"intake": []}) == []
    state = audit.numbers.states[ONE]
    assert (state.highest, state.closed) == (number, number - 3)
    document = _numbers_document(state)
    assert _numbered(bson.decode(bson.encode(document))) == state
    await audit.see(8, 7, first=3)
    assert audit.alarms.raised[-1] == ("sequence_gap", f"{ONE}#7")


async def test_what_is_kept_of_a_producer_stays_small_whatever_it_numbers() -> None:
    audit, count = NumberingAudit(), 3 * MOST_RANGES
    numbers = [*range(2, 4 * count, 4)]
    await audit.see(*numbers)
    await audit.numbering.see([summary(count + n, 4 * n + 4, action="void") for n in range(count)])
    state = audit.numbers.states[ONE]
    assert (len(state.missing), len(state.void)) == (MOST_RANGES, MOST_RANGES)
    assert len(bson.encode(_numbers_document(state))) < 2**18
    # Nothing that is missing was forgotten.
    gone = [n for n in range(1, 4 * count) if n % 2]
    assert all(any(n in gap.numbers for gap in state.missing) for n in gone)
    assert audit.alarms.raised == []


def test_what_was_kept_before_there_were_ranges_is_read() -> None:
    missing = [{"number": number, "since": START} for number in (2, 4)]
    old = {"_id": ONE, "highest": 9, "index": 8, "missing": missing, "void": [3, 5], "closed": 0}
    gaps = (Gap(range(2, 3), START), Gap(range(4, 5), START))
    assert _numbered(old) == Numbered(ONE, 9, 8, gaps, (range(3, 4), range(5, 6)))


async def test_what_comes_late_or_is_filled_closes_the_gap() -> None:
    audit = NumberingAudit()
    await audit.see(1, 4, 2)
    await audit.numbering.see([summary(3, 3, action="void")])
    audit.clock.advance(2 * MINUTE)
    assert await audit.missing({}) == []
    # The original of what was filled may still come.
    await audit.numbering.see([summary(4, 3)])
    assert audit.alarms.raised == []


async def test_a_number_of_a_process_that_is_gone_was_never_sent() -> None:
    audit = NumberingAudit()
    await audit.see(1, 3)
    await audit.see(1, 3, producer=TWO)
    audit.clock.advance(2 * MINUTE)
    assert await audit.missing({"intake": [TWO]}) == [(TWO, 2, 2)]
    assert audit.numbers.states[ONE].closed == 1
    await audit.see(2, first=9)
    assert audit.alarms.raised == [("sequence_gap", f"{TWO}#2")]


@pytest.mark.parametrize(
    ("running", "unlogged"), [({}, []), ({"media": []}, []), ({"intake": []}, ["intake"])]
)
async def test_nothing_closes_while_somebody_is_silent_or_a_fetch_lacks_its_event(
    running: dict[str, list[str]], unlogged: list[str]
) -> None:
    audit = NumberingAudit()
    await audit.see(1, 3)
    audit.clock.advance(2 * MINUTE)
    assert await audit.missing(running, unlogged) == [(ONE, 2, 2)]
    assert audit.alarms.raised == [("sequence_gap", f"{ONE}#2")]


async def test_a_gap_of_a_service_that_tells_nothing_closes_when_the_broker_has_forgotten() -> None:
    audit = NumberingAudit()
    await audit.see(1, 3, producer=UNTOLD)
    await audit.see(1, 3)
    audit.clock.advance(DELIVERY_LIMIT)
    assert await audit.missing({}) == [(UNTOLD, 2, 2), (ONE, 2, 2)]
    audit.clock.advance(MINUTE)
    await audit.missing({})
    assert await audit.missing({}) == [(ONE, 2, 2)]
    assert audit.alarms.raised == [("sequence_gap", f"{each}#2") for each in (UNTOLD, ONE)]


async def test_it_is_an_alarm_also_where_nobody_looked_in_time() -> None:
    audit = NumberingAudit()
    await audit.see(1, 3, producer=UNTOLD)
    audit.clock.advance(2 * DELIVERY_LIMIT)
    await audit.missing({})
    assert await audit.missing({}) == []
    assert audit.alarms.raised == [("sequence_gap", f"{UNTOLD}#2")]


async def test_a_number_that_is_used_twice_alarms() -> None:
    audit = NumberingAudit()
    await audit.see(1, 2, 2)
    assert audit.alarms.raised == [("sequence_gap", f"{ONE}#2")]


async def test_the_same_entries_again_change_nothing() -> None:
    """A crash between looking and noting how far."""
    audit = NumberingAudit()
    for _ in range(2):
        await audit.see(1, 2, 5)
    assert audit.alarms.raised == []
    assert audit.numbers.states[ONE].missing == (Gap(range(3, 5), START),)


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
    audit = NumberingAudit()
    arrived = [number for number in order if number not in lost]
    at = 0
    for new, again in steps:
        first, end = max(0, at - again), min(at + new, len(arrived))
        await audit.see(*arrived[first:end], first=first)
        at = end
    audit.clock.advance(2 * MINUTE)
    missing = [n for _, gap in await audit.numbering.step({}, []) for n in gap.numbers]
    highest = max(arrived, default=0)
    assert at == len(arrived)
    assert sorted(missing) == sorted(number for number in lost if number < highest)


async def test_an_observer_sees_every_entry_and_goes_on_where_it_was() -> None:
    log, watch = InMemoryLog(), InMemoryWatch()
    stores = in_memory(log)
    producer, numbers = Producer(), InMemoryNumbers()

    async def walk() -> None:
        numbering = Numbering(numbers, stores.alarms, stores.clock, TELLING)
        await LogTailer([numbering], stores.followed, log, watch).step()

    for count in (3, 2):
        await stores.arrive([producer.access(RECORD) for _ in range(count)])
        await stores.sequence()
        await walk()
    (state,) = numbers.states.values()
    assert (state.highest, state.missing, watch.places) == (5, (), {LogTailer.NAME: 5})


async def test_an_observer_is_shown_nothing_of_an_index_that_is_lost() -> None:
    log, watch, numbers = InMemoryLog(), InMemoryWatch(), InMemoryNumbers()
    stores = in_memory(log)
    producer = Producer()
    numbering = Numbering(numbers, stores.alarms, stores.clock, TELLING)
    observer = LogTailer([numbering], stores.followed, log, watch)
    await stores.arrive([producer.access(RECORD) for _ in range(5)])
    await stores.sequence()
    log.drop_index()
    with pytest.raises(IndexLostError):
        await observer.step()
    assert (numbers.states, watch.places) == ({}, {})
    await stores.rebuild()
    await observer.step()
    (state,) = numbers.states.values()
    assert (state.highest, state.missing) == (5, ())
