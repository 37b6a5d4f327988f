"""Certificates in MongoDB."""

from collections.abc import Sequence
from datetime import date

from direct311.retention.certificates.domain import Certificate
from direct311.runtime.storage.database import (
    Index,
    MongoRecords,
)


class MongoCertificates:
    """Implements `Certificates` over the collection of the runtime's records."""

    INDEXES = (Index([("content.disposed_on", 1)], name="disposed"),)

    def __init__(self, records: MongoRecords[Certificate]) -> None:
        self._records = records

    async def get(self, certificate_id: str) -> Certificate | None:
        found = (await self._records.load([certificate_id])).get(certificate_id)
        return found.state if found else None

    async def disposed(self, first_on: date, last_on: date) -> Sequence[Certificate]:
        days = {"$gte": first_on.isoformat(), "$lte": last_on.isoformat()}
        cursor = self._records.collection.find({"content.disposed_on": days})
        return [self._records.stored(document).state async for document in cursor]
