"""Watches that emergency staff say what became of what they opened.

They open contact data at once, when somebody's life is in danger, and say within a day whom they
told. Each opening has a case file with a number that follows from it; the first thing that
retention says about that case explains it.
"""

from collections.abc import Sequence
from datetime import UTC

from direct311.audit.alarms.ports import Alarms
from direct311.audit.entry import Facts
from direct311.audit.index_row import EntrySummary
from direct311.audit.monitoring.domain.openings import EXPLAINED_WITHIN, Unexplained
from direct311.audit.monitoring.ports import Openings
from direct311.runtime.access.openings import EMERGENCY_PURPOSE, EMERGENCY_ROLE, opening_case
from direct311.runtime.clock import Clock


class EmergencyOpenings:
    """An `Observer`; `step` looks at what is late."""

    def __init__(self, openings: Openings, alarms: Alarms, clock: Clock) -> None:
        self._openings = openings
        self._alarms = alarms
        self._clock = clock

    async def see(self, summaries: Sequence[EntrySummary]) -> None:
        """Note openings, and forget those that a case file explains."""
        waiting: dict[str, Unexplained] = {}
        explained = []
        for each in summaries:
            facts = each.facts
            if facts is None:
                continue
            if facts.case_id is not None and facts.event.startswith("disclosure."):
                explained.append(facts.case_id)
            elif _is_opening(facts):
                for record_id in facts.record_ids:
                    on = facts.occurred_at.astimezone(UTC).date()
                    case_id = opening_case(facts.actor, record_id, on)
                    found = Unexplained(case_id=case_id, event_id=facts.event_id, at=each.logged_at)
                    waiting.setdefault(case_id, found)
        await self._openings.keep(list(waiting.values()))
        await self._openings.explain(explained)

    async def step(self) -> int:
        """Raise an alarm about each opening that nobody has explained in time; returns how many
        there are."""
        late = await self._openings.late(self._clock.now() - EXPLAINED_WITHIN)
        for each in late:
            await self._alarms.raise_alarm(
                "opening_unexplained",
                each.event_id,
                "something was opened in an emergency, and nobody has said what became of it",
            )
        return len(late)


def _is_opening(facts: Facts) -> bool:
    return (
        facts.break_glass
        and facts.purpose == EMERGENCY_PURPOSE
        and EMERGENCY_ROLE in facts.roles
        and facts.outcome == "success"
        and bool(facts.fields)
    )
