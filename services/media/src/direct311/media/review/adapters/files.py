"""How a file is found by its id."""

from direct311.runtime.storage.database import Collection


class MongoFilesById:
    """Implements `FilesById` over the collection of records, by its index `media_id`."""

    def __init__(self, records: Collection) -> None:
        self._records = records

    async def record_of(self, media_id: str) -> str | None:
        query = {"files.media_id": media_id, "lifecycle": "active"}
        found = await self._records.find_one(query, {"_id": 1})
        return None if found is None else str(found["_id"])
