"""How many submissions are waiting for their answer, on average."""

import math
import time
from collections.abc import Callable

from direct311.runtime.busy_file import BusyFile

REMEMBERED_SECONDS = 1.0
"""The time constant of the average. The number itself rises and falls within milliseconds, whether
or not the gateway is overloaded."""

MANY = 5.5
"""The average from which the gateway is busy, so that other work on its machine waits. Eight
connections that send without a pause keep 6 to 7 in hand; a steady 200 per second keeps 2 to 5."""


class GatewayLoad:
    """A count and its average over the last seconds. While the gateway is busy, each new submission
    touches the busy file."""

    def __init__(self, busy_file: BusyFile, now: Callable[[], float] = time.monotonic) -> None:
        self._busy_file = busy_file
        self._now = now
        self._count = 0
        self._average = 0.0
        self._at = now()

    def add(self, change: int) -> None:
        """Count one more (1) or one less (-1)."""
        self._settle()
        self._count += change
        if change > 0 and self._average >= MANY:
            self._busy_file.touch()

    @property
    def busy(self) -> bool:
        """Whether many submissions have been waiting for their answer recently."""
        return self.average >= MANY

    @property
    def average(self) -> float:
        """The average. After each second, earlier values count only about a third as much."""
        self._settle()
        return self._average

    def _settle(self) -> None:
        now = self._now()
        weight = math.exp((self._at - now) / REMEMBERED_SECONDS)
        self._average = self._average * weight + self._count * (1 - weight)
        self._at = now
