"""Which cases wait for something that should have come by now.

The alarm has one form for all kinds of cases: their numbers. It counts an instrument that did not
follow an exigent request, bounds that nobody set, and a hold that nobody decided about after its
time. So a number tells nobody that law enforcement asked.
"""

from collections.abc import Sequence
from typing import Final

from direct311.retention.holds.ports import Holds
from direct311.retention.legal_process.ports import LegalCases, Unbounded
from direct311.runtime.clock import Clock

LISTED: Final = 500


class FollowUps:
    """Looks at case files and holds; changes nothing."""

    def __init__(self, cases: LegalCases, unbounded: Unbounded, holds: Holds, clock: Clock) -> None:
        self._cases = cases
        self._unbounded = unbounded
        self._holds = holds
        self._clock = clock

    async def overdue(self) -> Sequence[str]:
        """The numbers of the cases, in order, each once."""
        found = {*await self._cases.awaiting_follow_up(self._clock.now(), LISTED)}
        found |= {*await self._unbounded.alarming()}
        found |= {each.case_id for each in await self._holds.releasable(LISTED) if each.case_id}
        return sorted(found)
