"""Quotas of keys: exact for all copies of the process together, and across restarts.

The rest of a quota is in the database. A copy leases a part of it in one atomic step and hands it
out from memory, so that a call needs no database query. Leases get smaller as the quota nears its
end, down to one call each, and a copy returns what it does not use within a second. A killed copy
loses the rest of its lease until the window ends, so never more calls are admitted than the quota
allows.
"""

import asyncio
import math
from datetime import datetime, timedelta

from direct311.intake.clients.domain.clients import Quota
from direct311.intake.clients.ports import QuotaStore
from direct311.runtime.clock import Clock

LARGEST_LEASE = 500
LEASED_PART = 16
"""A lease is this part of the rest."""
ASK_AGAIN = timedelta(milliseconds=500)
"""An exhausted quota is not queried again before this time, so a client that keeps calling costs
nothing."""
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


class Quotas:
    """Hands out calls. Windows are minutes and days of UTC."""

    def __init__(self, store: QuotaStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._leases: dict[tuple[str, timedelta], _QuotaLease] = {}

    async def take(self, client_id: str, quota: Quota) -> int | None:
        """Count one call. If the quota has no room, returns the number of seconds until it has.

        :raises DatabaseError, TransientError: this cannot be decided now; nothing was counted.
        """
        now = self._clock.now()
        taken: list[_QuotaLease] = []
        for length, limit in ((DAY, quota.day), (MINUTE, quota.minute)):
            if limit is None:
                continue
            lease = self._lease(client_id, length, limit, now)
            if not await lease.take(now):
                for other in taken:
                    other.left += 1
                return max(1, math.ceil((lease.until - now).total_seconds()))
            taken.append(lease)
        return None

    def _lease(self, client_id: str, length: timedelta, limit: int, now: datetime) -> "_QuotaLease":
        key = (client_id, length)
        lease = self._leases.get(key)
        if lease is None or now >= lease.until or lease.limit != limit:
            begun = now.replace(second=0, microsecond=0)
            if length == DAY:
                begun = begun.replace(hour=0, minute=0)
            window = f"{client_id}:{'day' if length == DAY else 'minute'}:{begun:%Y-%m-%dT%H:%M}"
            lease = self._leases[key] = _QuotaLease(self._store, window, begun + length, limit)
        return lease

    async def settle(self) -> None:
        """Return what is not being used; runs every second."""
        now = self._clock.now()
        for key, lease in list(self._leases.items()):
            if now >= lease.until:
                del self._leases[key]
            else:
                await lease.give_back(keep=2 * lease.spent)
                lease.spent = 0

    async def close(self) -> None:
        """Return everything; the process is stopping."""
        for lease in list(self._leases.values()):
            await lease.give_back(keep=0)


class _QuotaLease:
    """The part of a window's quota that this copy hands out from memory."""

    def __init__(self, store: QuotaStore, window: str, until: datetime, limit: int) -> None:
        self.window = window
        self.until = until
        self.limit = limit
        self.left = 0
        self.spent = 0
        self._store = store
        self._beyond = limit
        """What is left of the window beyond the lease, as far as we know."""
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
        wanted = max(1, min(LARGEST_LEASE, self._beyond // LEASED_PART))
        granted, self._beyond = await self._store.take(self.window, wanted, self.limit, self.until)
        self.left += granted
        self._refused_until = now + ASK_AGAIN if granted == 0 else None

    async def give_back(self, *, keep: int) -> None:
        surplus = self.left - keep
        if surplus <= 0:
            return
        # Removed first, so that what is being returned is not handed out in the meantime.
        self.left -= surplus
        await self._store.give_back(self.window, surplus)
