"""How long arrived events wait for their place in the log."""

from datetime import timedelta

from direct311.audit.log.ports.inbox import Inbox
from direct311.runtime.clock import Clock

LONGEST_WAIT = timedelta(seconds=60)


class Waiting:
    """Checks the oldest event in the inbox."""

    def __init__(self, inbox: Inbox, clock: Clock) -> None:
        self._inbox = inbox
        self._clock = clock

    async def age(self) -> timedelta:
        """How long it has waited; zero if none is waiting."""
        oldest = await self._inbox.oldest()
        return self._clock.now() - oldest if oldest else timedelta()

    async def problem(self) -> str | None:
        """For readiness: whether it has waited for too long."""
        stuck = await self.age() > LONGEST_WAIT
        return "events have waited for over a minute for the log" if stuck else None
