"""Jobs that run at intervals, on one copy of a service at a time."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import timedelta

import structlog

from direct311.runtime.clock import Clock
from direct311.runtime.messaging.relay import Lease

_log = structlog.get_logger(__name__)
Step = Callable[[], Awaitable[None]]


class Loop:
    """A job that runs at intervals; with a lease, it runs on one copy of the service at a time."""

    def __init__(self, name: str, every: timedelta, step: Step, lease: Lease | None, clock: Clock):
        self.name = name
        self._every = every.total_seconds()
        self._step = step
        self._lease = lease
        self._clock = clock
        self._wake = asyncio.Event()
        self.last_error: str | None = None

    def wake(self) -> None:
        """Run soon instead of waiting for the next turn."""
        self._wake.set()

    async def give_back(self) -> None:
        """Let another copy take the job at once."""
        if self._lease is not None:
            await self._lease.release()

    async def run(self) -> None:
        while True:
            try:
                if self._lease is None or await self._lease.hold(self._clock.now()):
                    await self._step()
                self.last_error = None
            except asyncio.CancelledError:
                raise
            except Exception as error:
                self.last_error = type(error).__name__
                _log.warning("loop.failed", loop=self.name, error=self.last_error)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), self._every)
            self._wake.clear()
