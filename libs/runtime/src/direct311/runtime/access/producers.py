"""Which processes of a service are writing access events now.

Each process numbers its events. If a stopped process has a missing number, that event was never
sent and opened nothing; if a running process has one, that is an alarm. Each process reports here
that it is running, and the audit service asks.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol

from direct311.runtime.clock import Clock
from direct311.runtime.storage.database import Collection

SILENT = timedelta(seconds=60)
"""A process that has not reported for this long has stopped."""

_FORGOTTEN = timedelta(days=30)


class Producers(Protocol):
    async def running(self) -> Sequence[str]:
        """The running producers, in all copies of the service."""
        ...


class MongoProducers:
    """Implements `Producers` with one small document per process: `_id` and `seen_at`."""

    def __init__(self, collection: Collection, clock: Clock) -> None:
        self._collection = collection
        self._clock = clock

    async def beat(self, producer: str) -> None:
        """Report that `producer` is running."""
        now = self._clock.now()
        await self._collection.update_one(
            {"_id": producer}, {"$set": {"seen_at": now}}, upsert=True
        )
        await self._collection.delete_many({"seen_at": {"$lt": now - _FORGOTTEN}})

    async def running(self) -> Sequence[str]:
        since = self._clock.now() - SILENT
        found = self._collection.find({"seen_at": {"$gte": since}}, {"_id": 1})
        return [document["_id"] async for document in found]
