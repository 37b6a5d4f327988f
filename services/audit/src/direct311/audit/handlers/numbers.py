"""The numbers that producers give their events, compared with the leaves of the log.

A process numbers its access events from 1 without a gap, and sends them in order. A number that is
still missing a minute after a later one was logged is an alarm: an event was lost or held back. If
the process is gone and none of its service's key fetches lacks its event, the number was never sent
and opened nothing: it closes as 'never opened'. A number that comes twice is an alarm too, unless
one of the two is void.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from direct311.audit.ports import Alarms, Numbered, Numbers, Sighting
from direct311.runtime.clock import Clock


class Numbering:
    """Watches the numbers. An `Observer`; `step` looks at what is missing."""

    def __init__(
        self,
        numbers: Numbers,
        alarms: Alarms,
        clock: Clock,
        *,
        patience: timedelta = timedelta(seconds=60),
    ) -> None:
        self._numbers = numbers
        self._alarms = alarms
        self._clock = clock
        self._patience = patience

    async def see(self, sightings: Sequence[Sighting]) -> None:
        """Count these entries in."""
        by_producer: dict[str, list[Sighting]] = {}
        for each in sightings:
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
                await self._alarm(state, number, "was used for two events")
            changed.append(state)
        await self._numbers.save(changed)

    async def step(
        self, running: Mapping[str, Iterable[str]], unlogged: Iterable[str]
    ) -> Sequence[tuple[str, int]]:
        """Look at the numbers that are overdue; those that are missing, as producer and number.

        `running`: the producers that run, by service, of the services that have said so;
        `unlogged`: services of whose key fetches one lacks its event.
        """
        overdue = self._clock.now() - self._patience
        missing = []
        for state in await self._numbers.with_gaps():
            late = [number for number, since in state.missing.items() if since < overdue]
            gone = state.service in running and state.producer not in running[state.service]
            if late and gone and state.service not in set(unlogged):
                left = {n: since for n, since in state.missing.items() if n not in late}
                # Should one still arrive, it joins the void as its original.
                closed = replace(
                    state,
                    missing=left,
                    void=state.void | set(late),
                    closed=state.closed + len(late),
                )
                await self._numbers.save([closed])
                continue
            for number in late:
                missing.append((state.producer, number))
                await self._alarm(state, number, "is missing from the log")
        return missing

    async def _alarm(self, state: Numbered, number: int, what: str) -> None:
        detail = f"number {number} of the access events of {state.producer} {what}"
        await self._alarms.raise_alarm("sequence_gap", f"{state.producer}#{number}", detail)


def _counted(state: Numbered, seen: Sighting) -> tuple[Numbered, list[int]]:
    """The state after one entry, and its number if it was used twice."""
    facts = seen.facts
    if facts is None or facts.sequence is None or seen.index <= state.index:
        return state, []
    number, void = facts.sequence, facts.action == "void"
    if number > state.highest:
        new = dict.fromkeys(range(state.highest + 1, number), seen.logged_at)
        after = replace(state, highest=number, missing={**state.missing, **new})
        twice = []
    else:
        left = {each: since for each, since in state.missing.items() if each != number}
        twice = [] if number in state.missing or number in state.void or void else [number]
        after = replace(state, missing=left)
    return (
        replace(after, index=seen.index, void=after.void | {number} if void else after.void),
        twice,
    )
