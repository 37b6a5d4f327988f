"""Records under disposition: documents with an outbox."""

from collections.abc import Sequence

from direct311.audit.disposition.domain.records import AuditedRecord
from direct311.runtime.clock import Clock
from direct311.runtime.storage.database import Index, MongoRecords


class DueRecords:
    """Finds the records that are due."""

    def __init__(self, records: MongoRecords[AuditedRecord], clock: Clock) -> None:
        self._records = records
        self._clock = clock

    async def prepare(self) -> None:
        await self._records.prepare(
            [
                Index(
                    [("destroy_at", 1)],
                    name="due",
                    partialFilterExpression={"lifecycle": "active"},
                )
            ]
        )

    async def due(self, limit: int) -> Sequence[AuditedRecord]:
        query = {"lifecycle": "active", "destroy_at": {"$lte": self._clock.now()}, "holds": []}
        found = self._records.collection.find(query).limit(limit)
        return [self._records.stored(document).state async for document in found]

    async def under_hold(self, hold: str, limit: int) -> Sequence[AuditedRecord]:
        """The records under this hold."""
        found = self._records.collection.find({"holds": hold}).limit(limit)
        return [self._records.stored(document).state async for document in found]
