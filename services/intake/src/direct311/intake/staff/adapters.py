"""Staff sessions ended by signing out, in MongoDB: no copy of the cookie opens them again."""

from datetime import datetime

from direct311.runtime.storage.database import Collection, Index


class MongoEndedSessions:
    """`EndedSessions`: one small document each, until the session would have expired anyway."""

    INDEXES = (Index([("until", 1)], name="until"),)

    def __init__(self, collection: Collection) -> None:
        self._collection = collection

    async def prepare(self) -> None:
        await self._collection.create_indexes(list(self.INDEXES))

    async def add(self, session_id: str, until: datetime) -> None:
        await self._collection.update_one(
            {"_id": session_id}, {"$set": {"until": until}}, upsert=True
        )

    async def has(self, session_id: str) -> bool:
        return await self._collection.find_one({"_id": session_id}) is not None

    async def forget(self, now: datetime) -> None:
        """Drop those that have expired anyway."""
        await self._collection.delete_many({"until": {"$lt": now}})
