"""What the sweep asks the documents."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from direct311.runtime.storage.database import Collection, Index

INDEXES = (
    Index([("files.media_id", 1)], name="media_id"),
    Index([("files.public.name", 1)], name="public_name", sparse=True),
)
"""Indexes of the records, besides the runtime's."""


class MongoHoldings:
    """Implements `Holdings` over the collection of records."""

    def __init__(self, records: Collection) -> None:
        self._records = records

    async def known_uploads(self, upload_ids: Sequence[str]) -> set[str]:
        files = self._files("files.media_id", upload_ids)
        return {file["media_id"] async for file in files} & set(upload_ids)

    async def named_copies(self, names: Sequence[str]) -> set[str]:
        files = self._files("files.public.name", names)
        return {file.get("public", {}).get("name") async for file in files} & set(names)

    async def living_records(self, record_ids: Sequence[str]) -> set[str]:
        query = {"_id": {"$in": list(record_ids)}, "lifecycle": {"$ne": "destroyed"}}
        return {document["_id"] async for document in self._records.find(query, {"_id": 1})}

    async def _files(self, path: str, values: Sequence[str]) -> AsyncIterator[dict[str, Any]]:
        """All files of the documents that have one of the values at `path`."""
        async for document in self._records.find({path: {"$in": list(values)}}, {"files": 1}):
            for file in document["files"]:
                yield file
