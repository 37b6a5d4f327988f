"""What intake's counting needs of a store, kept in memory, with copies that share it."""

import asyncio
from collections.abc import Mapping
from datetime import datetime

from direct311.runtime.errors import TransientError


class InMemoryQuotas:
    """`QuotaStore`. Each call gives way once before and once after, as a call over a wire does."""

    def __init__(self) -> None:
        self.taken: dict[str, int] = {}
        self.calls = 0
        self.down = False

    async def take(self, window: str, wanted: int, limit: int, until: datetime) -> tuple[int, int]:
        self.calls += 1
        await asyncio.sleep(0)
        if self.down:
            raise TransientError("down")
        before = self.taken.get(window, 0)
        after = max(before, min(limit, before + wanted))
        self.taken[window] = after
        await asyncio.sleep(0)
        return after - before, max(0, limit - after)

    async def give_back(self, window: str, count: int) -> None:
        await asyncio.sleep(0)
        if self.down:
            raise TransientError("down")
        if self.taken.get(window, 0) >= count:
            self.taken[window] -= count


class InMemoryCounts:
    """`SharedCounts`."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.down = False

    async def add(self, counts: Mapping[str, int], until: datetime) -> Mapping[str, int]:
        await asyncio.sleep(0)
        if self.down:
            raise TransientError("down")
        for name, count in counts.items():
            self.counts[name] = self.counts.get(name, 0) + count
        return {name: self.counts[name] for name in counts}
