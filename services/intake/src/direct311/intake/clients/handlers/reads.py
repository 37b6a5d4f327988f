"""Reads without a key: a limit per minute for each caller, counted in memory. A large read counts
as several.

Copies of the process share their counts once a second. Callers that have used less than a tenth do
not matter and are not shared. So with several copies a caller may get a tenth more at each of them,
plus what they all admit within one second. Names are keyed hashes under a daily key.
"""

import hashlib
import hmac
import os
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from direct311.intake.clients.ports import SharedCounts
from direct311.runtime.access.sign_ins import Sources
from direct311.runtime.clock import Clock

A_MINUTE = 60
MOST_CALLERS = 20_000
"""The most names in one minute. Further callers are admitted uncounted: refusing them would shut
out everybody."""


class ReadLimits:
    """Counts reads by name, minute by minute."""

    def __init__(
        self, store: SharedCounts, clock: Clock, *, worth: int, seconds: int = A_MINUTE
    ) -> None:
        """`worth`: from this many reads on, a count is shared with the other copies. `seconds`: how
        long a period of counting is, if it is not a minute."""
        self._seconds = seconds
        self._store = store
        self._clock = clock
        self._worth = worth
        self.minute = 0
        """The minute (or other period) of the last counted read."""
        self._mine: dict[str, int] = {}
        self._shared: dict[str, int] = {}
        self._others: dict[str, int] = {}

    def take(self, name: str, limit: int, charge: int = 1) -> int | None:
        """Count a read as `charge` reads. If there is no room, returns the number of seconds until
        there is. If there is room for one read, it is admitted, however much it counts.
        """
        seconds = int(self._clock.now().timestamp())
        if seconds // self._seconds != self.minute:
            self.minute = seconds // self._seconds
            self._mine, self._shared, self._others = {}, {}, {}
        mine = self._mine.get(name)
        if mine is None:
            if len(self._mine) >= MOST_CALLERS:
                return None
            mine = 0
        if mine + self._others.get(name, 0) >= limit:
            return self._seconds - seconds % self._seconds
        self._mine[name] = mine + charge
        return None

    def add(self, name: str, charge: int) -> int:
        """Count an admitted read as this many more; returns the minute in which they count."""
        if name in self._mine:
            self._mine[name] += charge
        return self.minute

    def give_back(self, name: str, charge: int, minute: int) -> None:
        """Reduce the count for this minute, if it has not ended."""
        if minute == self.minute and name in self._mine:
            self._mine[name] -= charge

    async def settle(self) -> None:
        """Exchange counts with the other copies."""
        minute, others, shared = self.minute, self._others, self._shared
        news = {
            name: mine - shared.get(name, 0)
            for name, mine in self._mine.items()
            if mine != shared.get(name, 0) and (mine >= self._worth or name in shared)
        }
        if not news:
            return
        for name, count in news.items():
            # If the store fails, it is unknown whether it counted; count once too few rather than
            # twice.
            shared[name] = shared.get(name, 0) + count
        end = datetime.fromtimestamp((minute + 1) * self._seconds, UTC)
        totals = await self._store.add({f"{minute}:{name}": n for name, n in news.items()}, end)
        for name in news:
            others[name] = max(0, totals.get(f"{minute}:{name}", 0) - shared[name])


class SharedNames:
    """Names for network addresses, the same in all copies, until midnight UTC.

    The key is made from a secret that the copies have and a random salt that is in the database for
    a day and then deleted, so neither what remains of one nor the other reveals an address.
    """

    def __init__(
        self,
        sources: Sources,
        clock: Clock,
        secret: bytes,
        salt_of: Callable[[str, bytes], Awaitable[bytes]],
    ) -> None:
        self._sources = sources
        self._clock = clock
        self._secret = secret
        self._salt_of = salt_of
        self._day = ""

    def name(self, address: str) -> str:
        """16 hex digits; an IPv6 address counts as its network."""
        return self._sources.name(address) or ""

    async def refresh(self) -> None:
        """Take the new day's key, if the day has changed."""
        today = self._clock.now().date()
        if today.isoformat() == self._day:
            return
        salt = await self._salt_of(today.isoformat(), os.urandom(32))
        key = hmac.digest(self._secret, b"callers:" + salt, hashlib.sha256)
        self._sources.adopt(key, today)
        self._day = today.isoformat()
