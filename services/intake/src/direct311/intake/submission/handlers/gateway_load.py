"""How many submissions are waiting for their answer, on average."""

import math
import time
from collections.abc import Callable

REMEMBERED_SECONDS = 1.0
"""The time constant of the average. The number itself rises and falls within milliseconds, whether
or not the gateway is overloaded."""


class GatewayLoad:
    """A count and its average over the last seconds."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._count = 0
        self._average = 0.0
        self._at = now()

    def add(self, change: int) -> None:
        """Count one more (1) or one less (-1)."""
        self._settle()
        self._count += change

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
