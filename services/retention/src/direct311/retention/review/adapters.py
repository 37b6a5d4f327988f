"""Disposition sets in MongoDB."""

from collections.abc import Sequence

from direct311.retention.review.domain import Disposition, Status
from direct311.retention.versioned import Versioned
from direct311.runtime.clock import Clock
from direct311.runtime.messaging.state import RecordState
from direct311.runtime.process import AggregateStore
from direct311.runtime.storage.database import Document, Index


class MongoDispositions(Versioned[Disposition]):
    """Implements `Dispositions`."""

    def __init__(self, store: AggregateStore[RecordState], clock: Clock) -> None:
        super().__init__(store, Disposition, "disposition_id", clock)

    async def prepare(self) -> None:
        await self._store.records.prepare([Index([("status", 1)], name="status")])

    async def add(self, disposition: Disposition) -> None:
        await self._insert(disposition)

    async def with_status(self, statuses: Sequence[Status], limit: int) -> Sequence[str]:
        cursor = self._collection.find({"status": {"$in": list(statuses)}}, {"_id": 1})
        return [document["_id"] async for document in cursor.limit(limit)]

    async def page(self, after: str | None, limit: int) -> Sequence[Disposition]:
        query: Document = {"_id": {"$lt": after}} if after else {}
        cursor = self._collection.find(query).sort("_id", -1).limit(limit)
        return [self._read(document) async for document in cursor]
