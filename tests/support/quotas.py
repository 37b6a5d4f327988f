"""What intake's counting needs of a store, kept in memory, and shared by several copies."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from direct311.intake.clients.domain.clients import Client
from direct311.intake.clients.handlers.reads import ReadLimits, SharedNames
from direct311.intake.open311.api.read_limits import Callers
from direct311.runtime.access.sign_ins import Sources
from direct311.runtime.clock import Clock
from direct311.runtime.errors import TransientError


class InMemoryClients:
    """`KnownClients`; remembers the keys that were used."""

    def __init__(self, clients: Sequence[Client]) -> None:
        self._by_hash = {key.sha256: each for each in clients for key in each.keys}
        self._origins = {
            origin for each in clients if not each.revoked_at for origin in each.origins
        }
        self.used: list[str] = []

    def by_key(self, key_hash: str) -> Client | None:
        return self._by_hash.get(key_hash)

    def has_origin(self, origin: str) -> bool:
        return origin in self._origins

    def note_use(self, key_id: str) -> None:
        self.used.append(key_id)


class InMemoryQuotas:
    """`QuotaStore`. Each call yields once before and once after, as a call over the network
    does."""

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


def callers(
    clock: Clock, reader: Callable[[str], Client | None] = lambda _: None, most: int = 1_200
) -> Callers:
    """The callers of one copy. `reader`: the client that a key for reading belongs to; `most`:
    reads of an address."""

    async def salt(_: str, offered: bytes) -> bytes:
        return offered

    limits = ReadLimits(InMemoryCounts(), clock, worth=most)
    return Callers(limits, SharedNames(Sources(clock), clock, b"s", salt), reader, most)
