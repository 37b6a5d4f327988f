"""Each department's share of routing, so that none slows another down."""

import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from direct311.runtime.errors import RefusedError

MINUTE = 60.0


class Shares:
    """How many calls of one department are in hand at the same time, and how many begin in a
    minute. Each copy of the service counts for itself, in memory."""

    def __init__(
        self, at_once: int, a_minute: int, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._at_once = at_once
        self._a_minute = a_minute
        self._now = now
        self._in_hand: Counter[str] = Counter()
        self._begun: defaultdict[str, deque[float]] = defaultdict(deque)

    @contextmanager
    def one(self, department: str) -> Iterator[None]:
        """The time of one call.

        :raises RefusedError: the department's share is used up; says when to try again.
        """
        now, begun = self._now(), self._begun[department]
        while begun and begun[0] <= now - MINUTE:
            begun.popleft()
        if self._in_hand[department] >= self._at_once:
            raise RefusedError(
                "too_often",
                f"At most {self._at_once} calls at the same time; see Retry-After.",
                retry_after=1,
            )
        if len(begun) >= self._a_minute:
            raise RefusedError(
                "too_often",
                f"At most {self._a_minute} calls in a minute; see Retry-After.",
                retry_after=max(1, int(begun[0] + MINUTE - now) + 1),
            )
        begun.append(now)
        self._in_hand[department] += 1
        try:
            yield
        finally:
            self._in_hand[department] -= 1
