"""Reads without a key: so many a minute for each caller, counted in memory.

Copies of the process share their counts once a second. Who has used less than a tenth is nobody's
concern and is not shared; so with several copies a caller may get a tenth more at each of them, and
what they all let in within one second. Names are keyed hashes under a key of the day.
"""

import hashlib
import hmac
import os
from collections.abc import Awaitable, Callable
from ipaddress import ip_address, ip_network

from direct311.intake.ports import SharedCounts
from direct311.runtime.clock import Clock
from direct311.runtime.sign_ins import Sources

MOST_CALLERS = 20_000
"""Of one minute. More than these are let in uncounted: to refuse them would shut out all."""


class ReadLimits:
    """Counts reads by name, minute by minute."""

    def __init__(self, store: SharedCounts, clock: Clock, *, worth: int) -> None:
        """`worth`: from so many reads on, a count is shared with the other copies."""
        self._store = store
        self._clock = clock
        self._worth = worth
        self._minute = 0
        self._mine: dict[str, int] = {}
        self._shared: dict[str, int] = {}
        self._others: dict[str, int] = {}

    def take(self, name: str, limit: int) -> int | None:
        """Count a read; where there is no room for it, in how many seconds there is."""
        seconds = int(self._clock.now().timestamp())
        if seconds // 60 != self._minute:
            self._minute = seconds // 60
            self._mine, self._shared, self._others = {}, {}, {}
        mine = self._mine.get(name)
        if mine is None:
            if len(self._mine) >= MOST_CALLERS:
                return None
            mine = 0
        if mine + self._others.get(name, 0) >= limit:
            return 60 - seconds % 60
        self._mine[name] = mine + 1
        return None

    async def settle(self) -> None:
        """Tell the others, and hear from them."""
        minute, others, shared = self._minute, self._others, self._shared
        news = {
            name: mine - shared.get(name, 0)
            for name, mine in self._mine.items()
            if mine >= self._worth and mine > shared.get(name, 0)
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
        """16 hex digits. Who has one address of IPv6 has all of its network of 64 bits."""
        if ":" in address:
            address = _network(address)
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


def _network(address: str) -> str:
    try:
        at = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    return str(ip_network((at, 64), strict=False)) if at.version == 6 else address
