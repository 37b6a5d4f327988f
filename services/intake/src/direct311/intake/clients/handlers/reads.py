"""Reads without a key: so many a minute for each caller, counted in memory. One that asks for much
counts as several.

Copies of the process share their counts once a second. Who has used less than a tenth is nobody's
concern and is not shared; so with several copies a caller may get a tenth more at each of them, and
what they all let in within one second. Names are keyed hashes under a key of the day.
"""

import hashlib
import hmac
import os
from collections.abc import Awaitable, Callable

from direct311.intake.clients.ports import SharedCounts
from direct311.runtime.access.sign_ins import Sources
from direct311.runtime.clock import Clock

MOST_CALLERS = 20_000
"""Of one minute. More than these are let in uncounted: to refuse them would shut out all."""


class ReadLimits:
    """Counts reads by name, minute by minute."""

    def __init__(self, store: SharedCounts, clock: Clock, *, worth: int) -> None:
        """`worth`: from so many reads on, a count is shared with the other copies."""
        self._store = store
        self._clock = clock
        self._worth = worth
        self.minute = 0
        """Of the last read that was counted."""
        self._mine: dict[str, int] = {}
        self._shared: dict[str, int] = {}
        self._others: dict[str, int] = {}

    def take(self, name: str, limit: int, charge: int = 1) -> int | None:
        """Count a read as `charge` of them; where there is no room, in how many seconds there is.

        Where there is room for one it is let in, however much it counts.
        """
        seconds = int(self._clock.now().timestamp())
        if seconds // 60 != self.minute:
            self.minute = seconds // 60
            self._mine, self._shared, self._others = {}, {}, {}
        mine = self._mine.get(name)
        if mine is None:
            if len(self._mine) >= MOST_CALLERS:
                return None
            mine = 0
        if mine + self._others.get(name, 0) >= limit:
            return 60 - seconds % 60
        self._mine[name] = mine + charge
        return None

    def add(self, name: str, charge: int) -> int:
        """Count a read that was let in as so many more; the minute that they count in."""
        if name in self._mine:
            self._mine[name] += charge
        return self.minute

    def give_back(self, name: str, charge: int, minute: int) -> None:
        """Count so much less of what was taken in this minute, if it is not over."""
        if minute == self.minute and name in self._mine:
            self._mine[name] -= charge

    async def settle(self) -> None:
        """Tell the others, and hear from them."""
        minute, others, shared = self.minute, self._others, self._shared
        news = {
            name: mine - shared.get(name, 0)
            for name, mine in self._mine.items()
            if mine != shared.get(name, 0) and (mine >= self._worth or name in shared)
        }
        if not news:
            return
        for name, count in news.items():
            # Where the store fails nobody knows whether it has counted: rather once too few.
            shared[name] = shared.get(name, 0) + count
        now = self._clock.now()
        totals = await self._store.add({f"{minute}:{name}": n for name, n in news.items()}, now)
        for name in news:
            others[name] = max(0, totals.get(f"{minute}:{name}", 0) - shared[name])


class SharedNames:
    """Names for network addresses that all copies give alike, until midnight UTC.

    The key is made of a secret that the copies have, and of a random salt that lies in the database
    for a day and is then deleted: neither what is left of the one nor the other tells an address.
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
        """16 hex digits; an address of IPv6 counts as its network."""
        return self._sources.name(address) or ""

    async def refresh(self) -> None:
        """Take the day's key, where it is a new day."""
        today = self._clock.now().date()
        if today.isoformat() == self._day:
            return
        salt = await self._salt_of(today.isoformat(), os.urandom(32))
        key = hmac.digest(self._secret, b"callers:" + salt, hashlib.sha256)
        self._sources.adopt(key, today)
        self._day = today.isoformat()
