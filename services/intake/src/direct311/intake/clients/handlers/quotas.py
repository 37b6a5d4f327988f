"""Quotas of keys: exact for all copies of the process together, and across restarts.

What of a quota is left lies in the database. A copy takes a slice of it in one atomic step and
hands it out from memory, so that a call costs no question; slices get smaller as the quota nears
its end, down to one call each, and what a copy does not use up it gives back within a second. A
copy that is killed loses the rest of its slice until the window ends: never is more let in than the
quota says.
"""

import asyncio
import math
from datetime import datetime, timedelta

from direct311.intake.clients.domain.clients import Quota
from direct311.intake.clients.ports import QuotaStore
from direct311.runtime.clock import Clock

LARGEST_SLICE = 500
PART = 16
"""A slice is this part of what is left."""
ASK_AGAIN = timedelta(milliseconds=500)
"""A quota that was used up is not asked for again before: who calls on and on costs nothing."""
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


class Quotas:
    """Hands out calls. Windows are minutes and days of UTC."""

    def __init__(self, store: QuotaStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._purses: dict[tuple[str, timedelta], _Purse] = {}

    async def take(self, client_id: str, quota: Quota) -> int | None:
        """Count one call; where the quota has no room, in how many seconds it has again.

        :raises DatabaseError, TransientError: that cannot be told now; nothing was counted.
        """
        now = self._clock.now()
        taken: list[_Purse] = []
        for length, limit in ((DAY, quota.day), (MINUTE, quota.minute)):
            if limit is None:
                continue
            purse = self._purse(client_id, length, limit, now)
            if not await purse.take(now):
                for other in taken:
                    other.left += 1
                return max(1, math.ceil((purse.until - now).total_seconds()))
            taken.append(purse)
        return None

    def _purse(self, client_id: str, length: timedelta, limit: int, now: datetime) -> "_Purse":
        key = (client_id, length)
        purse = self._purses.get(key)
        if purse is None or now >= purse.until or purse.limit != limit:
            begun = now.replace(second=0, microsecond=0)
            if length == DAY:
                begun = begun.replace(hour=0, minute=0)
            window = f"{client_id}:{'day' if length == DAY else 'minute'}:{begun:%Y-%m-%dT%H:%M}"
            purse = self._purses[key] = _Purse(self._store, window, begun + length, limit)
        return purse

    async def settle(self) -> None:
        """Give back what is not being used up; every second."""
        now = self._clock.now()
        for key, purse in list(self._purses.items()):
            if now >= purse.until:
                del self._purses[key]
            else:
                await purse.give_back(keep=2 * purse.spent)
                purse.spent = 0

    async def close(self) -> None:
        """Give back all; the process ends."""
        for purse in list(self._purses.values()):
            await purse.give_back(keep=0)


class _Purse:
    """A copy's slice of one window."""

    def __init__(self, store: QuotaStore, window: str, until: datetime, limit: int) -> None:
        self.window = window
        self.until = until
        self.limit = limit
        self.left = 0
        self.spent = 0
        self._store = store
        self._beyond = limit
        """What is left of the window beyond the slice, as far as we know."""
        self._refused_until: datetime | None = None
        self._lock = asyncio.Lock()

    async def take(self, now: datetime) -> bool:
        if self.left == 0:
            async with self._lock:
                if self.left == 0:
                    await self._refill(now)
                if self.left == 0:
                    return False
                self.left -= 1
        else:
            self.left -= 1
        self.spent += 1
        return True

    async def _refill(self, now: datetime) -> None:
        if self._refused_until is not None and now < self._refused_until:
            return
        wanted = max(1, min(LARGEST_SLICE, self._beyond // PART))
        granted, self._beyond = await self._store.take(self.window, wanted, self.limit, self.until)
        self.left += granted
        self._refused_until = now + ASK_AGAIN if granted == 0 else None

    async def give_back(self, *, keep: int) -> None:
        surplus = self.left - keep
        if surplus <= 0:
            return
        # Taken out first: what is on its way back is not handed out meanwhile.
        self.left -= surplus
        await self._store.give_back(self.window, surplus)
