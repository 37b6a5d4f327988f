"""How many submissions are waiting for their answer, on average."""

import math
import time
from collections.abc import Callable

from direct311.runtime.busy_file import BusyFile

REMEMBERED_SECONDS = 1.0
"""The time constant of the average by which consumers go. The number itself rises and falls within
milliseconds, whether or not the gateway is overloaded."""

MANY = 5.5
"""The average from which the gateway is busy, so that other work on its machine waits. Eight
connections that send without a pause keep 6 to 7 in hand; a steady 200 per second keeps 2 to 5."""

SOON_SECONDS = 0.2
SOME = 3.0
"""The same for work that takes minutes anyway: with the average above, it would go on at full speed
for the first two seconds of each burst."""


class _Average:
    """The average of a number over the last seconds; after each `seconds`, earlier values count
    only about a third as much."""

    def __init__(self, seconds: float, now: float) -> None:
        self._seconds = seconds
        self._at = now
        self.value = 0.0

    def settle(self, number: int, now: float) -> None:
        """The number was this since the last call."""
        weight = math.exp((self._at - now) / self._seconds)
        self.value = self.value * weight + number * (1 - weight)
        self._at = now


class GatewayLoad:
    """A count and its averages over the last seconds. While the gateway is busy, each new
    submission touches the busy file, and while some callers wait, the file beside it."""

    def __init__(self, busy_file: BusyFile, now: Callable[[], float] = time.monotonic) -> None:
        self._busy_file = busy_file
        self._sooner = busy_file.sooner()
        self._now = now
        self._count = 0
        self._long = _Average(REMEMBERED_SECONDS, now())
        self._short = _Average(SOON_SECONDS, now())

    def add(self, change: int) -> None:
        """Count one more (1) or one less (-1)."""
        self._settle()
        self._count += change
        if change > 0 and self._long.value >= MANY:
            self._busy_file.touch()
        if change > 0 and self._short.value >= SOME:
            self._sooner.touch()

    @property
    def busy(self) -> bool:
        """Whether many submissions have been waiting for their answer recently."""
        return self.average >= MANY

    @property
    def average(self) -> float:
        """The average by which consumers go."""
        self._settle()
        return self._long.value

    def _settle(self) -> None:
        now = self._now()
        self._long.settle(self._count, now)
        self._short.settle(self._count, now)
