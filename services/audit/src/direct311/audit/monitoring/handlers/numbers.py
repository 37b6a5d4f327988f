"""Compares the numbers that producers give their events with the leaves of the log.

A process numbers its access events from 1 without a gap, and sends them in order. A number still
missing a minute after a later one was logged raises an alarm (one alarm for consecutive numbers):
events were lost or held back. If the process has stopped and every key fetch of its service has its
event, the number was never sent and opened nothing; it closes as 'never opened'. A duplicate number
is an alarm too, unless one of the two is void.

The stored state of a producer stays small, whatever numbers it uses: see `MOST_RANGES`.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from direct311.audit.alarms.ports import Alarms
from direct311.audit.index_row import EntrySummary
from direct311.audit.log.domain import DELIVERY_LIMIT
from direct311.audit.monitoring.domain.numbers import Gap, Numbered
from direct311.audit.monitoring.ports import Numbers
from direct311.runtime.clock import Clock

MOST_RANGES = 1_000
"""The most separate gaps, and ranges of void numbers, of one producer. With more gaps, the two
lowest merge with everything between them. With more void ranges, the lowest are forgotten, and a
forgotten number that still arrives is an alarm."""


class Numbering:
    """Watches the numbers. An `Observer`; `step` looks at what is missing.

    `telling`: the services that report which of their processes are running.
    """

    def __init__(
        self,
        numbers: Numbers,
        alarms: Alarms,
        clock: Clock,
        telling: Collection[str],
        *,
        patience: timedelta = timedelta(seconds=60),
    ) -> None:
        self._numbers = numbers
        self._alarms = alarms
        self._clock = clock
        self._telling = frozenset(telling)
        self._patience = patience

    async def see(self, summaries: Sequence[EntrySummary]) -> None:
        """Count these entries in."""
        by_producer: dict[str, list[EntrySummary]] = {}
        for each in summaries:
            if each.facts and each.facts.producer and each.facts.sequence:
                by_producer.setdefault(each.facts.producer, []).append(each)
        known = await self._numbers.of(by_producer)
        changed = []
        for producer, seen in by_producer.items():
            state = known.get(producer, Numbered(producer))
            repeated = []
            for each in seen:
                state, twice = _counted(state, each)
                repeated += twice
            for number in repeated:
                await self._alarm(state, range(number, number + 1), "used for two events")
            changed.append(state)
        await self._numbers.save(changed)

    async def step(
        self, running: Mapping[str, Iterable[str]], unlogged: Iterable[str]
    ) -> Sequence[tuple[str, Gap]]:
        """Check for overdue numbers; returns the gaps of each producer that has some.

        `running`: the running producers, by service, for services that have reported them;
        `unlogged`: services with a key fetch that lacks its event.
        """
        now = self._clock.now()
        missing = []
        for state in await self._numbers.with_gaps():
            late = [gap for gap in state.missing if gap.since < now - self._patience]
            gone = state.service in running and state.producer not in running[state.service]
            if gone and state.service not in set(unlogged):
                await self._close(state, late)
                continue
            for gap in late:
                missing.append((state.producer, gap))
                await self._alarm(state, gap.numbers, "missing from the log")
            if state.service not in self._telling:
                # Nothing will report that the process has stopped; the broker has deleted what it
                # sent.
                forgotten = [gap for gap in late if gap.since < now - DELIVERY_LIMIT]
                await self._close(state, forgotten)
        return missing

    async def _close(self, state: Numbered, gaps: Sequence[Gap]) -> None:
        """These will not arrive any more. If one still does, it joins its void event."""
        if gaps:
            closed = replace(
                state,
                missing=tuple(gap for gap in state.missing if gap not in gaps),
                void=_joined([*state.void, *(gap.numbers for gap in gaps)]),
                closed=state.closed + sum(gap.size for gap in gaps),
            )
            await self._numbers.save([closed])

    async def _alarm(self, state: Numbered, numbers: range, what: str) -> None:
        first, last = numbers.start, numbers.stop - 1
        words = f"number {first}" if first == last else f"numbers {first} to {last}"
        detail = f"{what}: {words} of the access events of {state.producer}"
        # Late numbers arrive lowest first, so a gap is identified by its end.
        await self._alarms.raise_alarm("sequence_gap", f"{state.producer}#{last}", detail)


def _counted(state: Numbered, seen: EntrySummary) -> tuple[Numbered, list[int]]:
    """The state after one entry, and its number if it was used twice."""
    facts = seen.facts
    if facts is None or facts.sequence is None or seen.index <= state.index:
        return state, []
    number, void = facts.sequence, facts.action == "void"
    missing, twice = state.missing, []
    if number > state.highest + 1:
        missing = (*missing, Gap(range(state.highest + 1, number), seen.logged_at))
    elif any(number in gap.numbers for gap in missing):
        missing = tuple(part for gap in missing for part in gap.without(number))
    elif number <= state.highest and not void and not any(number in each for each in state.void):
        twice = [number]
    after = replace(
        state,
        highest=max(number, state.highest),
        index=seen.index,
        missing=_bounded(missing),
        void=_joined([*state.void, range(number, number + 1)]) if void else state.void,
    )
    return after, twice


def _bounded(gaps: tuple[Gap, ...]) -> tuple[Gap, ...]:
    """Merges gaps if there are too many; no missing number is forgotten."""
    if len(gaps) <= MOST_RANGES:
        return gaps
    first, second, *others = gaps
    return (Gap(range(first.numbers.start, second.numbers.stop), first.since), *others)


def _joined(ranges: Iterable[range]) -> tuple[range, ...]:
    """The same numbers in as few ranges as possible; keeps only the highest ranges."""
    joined: list[range] = []
    for each in sorted(ranges, key=lambda each: each.start):
        if joined and each.start <= joined[-1].stop:
            joined[-1] = range(joined[-1].start, max(joined[-1].stop, each.stop))
        else:
            joined.append(each)
    return tuple(joined[-MOST_RANGES:])
