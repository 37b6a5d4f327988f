"""Open cases in the database."""

from collections.abc import Sequence
from typing import Final

from direct311.retention.cases.domain import CaseFile
from direct311.runtime.storage.database import Index, MongoRecords

_LEFT_OUT: Final = {
    "outbox": 0,
    "sealed": 0,
    "steps": 0,
    "searches": 0,
    "correspondence": 0,
    "packages.parts": 0,
}
"""What may be large, and says nothing about approvals."""


class MongoOpenCases:
    """Implements `OpenCases` over the collection of the case desk."""

    INDEXES = (Index([("kind", 1), ("state", 1), ("_id", 1)], name="kind_state", sparse=True),)

    def __init__(self, records: MongoRecords[CaseFile]) -> None:
        self._records = records

    async def open_cases(self, limit: int) -> Sequence[CaseFile]:
        query = {
            "kind": {"$in": ["public_records", "law_enforcement"]},
            "state": {"$ne": "closed"},
            "lifecycle": "active",
        }
        cursor = self._records.collection.find(query, _LEFT_OUT).sort([("_id", 1)]).limit(limit)
        return [self._records.stored(document).state async for document in cursor]
