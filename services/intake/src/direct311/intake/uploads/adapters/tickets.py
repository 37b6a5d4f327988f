"""Upload tickets in MongoDB."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from direct311.intake.uploads.domain import UploadTicket
from direct311.runtime.storage.database import Collection, Index


class MongoUploadTickets:
    """`UploadTickets` over a collection of their own."""

    INDEXES = (Index([("usable_until", 1)], name="over"),)

    def __init__(self, collection: Collection) -> None:
        self._collection = collection

    async def prepare(self) -> None:
        await self._collection.create_indexes(list(self.INDEXES))

    async def keep(self, tickets: Sequence[UploadTicket]) -> None:
        await self._collection.insert_many(
            [
                {"_id": each.upload_id, **each.model_dump(exclude={"upload_id"}, exclude_none=True)}
                for each in tickets
            ]
        )

    async def get(self, upload_ids: Sequence[str]) -> Mapping[str, UploadTicket]:
        found = self._collection.find({"_id": {"$in": list(upload_ids)}})
        return {
            each["_id"]: UploadTicket.model_validate({**each, "upload_id": each["_id"]})
            async for each in found
        }

    async def claim(self, upload_id: str, claim: str, record_id: str, at: datetime) -> bool:
        result = await self._collection.update_one(
            {"_id": upload_id, "claim": {"$in": [None, claim]}},
            {"$set": {"claim": claim, "record_id": record_id, "claimed_at": at}},
        )
        return bool(result.matched_count)

    async def release(self, upload_ids: Sequence[str], claim: str) -> None:
        await self._collection.update_many(
            {"_id": {"$in": list(upload_ids)}, "claim": claim},
            {"$unset": {"claim": 1, "record_id": 1, "claimed_at": 1}},
        )

    async def forget(self, before: datetime) -> None:
        """Drop the tickets that had expired by then."""
        await self._collection.delete_many({"usable_until": {"$lt": before}})
