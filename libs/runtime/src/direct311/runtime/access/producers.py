"""Which processes of a service write access events now.

Each process numbers its events. A number that is missing from a process that is gone was never
sent, and opened nothing; one that is missing from a process that runs is an alarm. Each process
says here that it runs, and the audit service asks.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol

from direct311.runtime.clock import Clock
from direct311.runtime.storage.database import Collection

SILENT = timedelta(seconds=60)
"""A process that has not said so for this long is gone."""

_FORGOTTEN = timedelta(days=30)


class Producers(Protocol):
    async def running(self) -> Sequence[str]:
        """The producers that run, in all copies of the service."""
        ...


class MongoProducers:
    """`Producers`: one small document for each process, `_id` and `seen_at`."""

    def __init__(self, collection: Collection, clock: Clock) -> None:
        self._collection = collection
        self._clock = clock

    async def beat(self, producer: str) -> None:
        """`producer` runs."""
        now = self._clock.now()
        await self._collection.update_one(
            {"_id": producer}, {"$set": {"seen_at": now}}, upsert=True
        )
        await self._collection.delete_many({"seen_at": {"$lt": now - _FORGOTTEN}})

    async def running(self) -> Sequence[str]:
        since = self._clock.now() - SILENT
        found = self._collection.find({"seen_at": {"$gte": since}}, {"_id": 1})
        return [document["_id"] async for document in found]
