"""Reviews in MongoDB: one document for each record, replaced only by its next version or by the
note that they were removed."""

from collections.abc import Sequence
from datetime import datetime

from direct311.intake.review.domain.reviews import RecordReviews
from direct311.runtime.storage.database import Collection, DuplicateError


class MongoReviews:
    """Implements `Reviews`."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection

    async def of(self, record_id: str) -> RecordReviews:
        document = await self._collection.find_one({"_id": record_id})
        if document is None or "reviews" not in document:
            return RecordReviews(record_id=record_id)
        return RecordReviews.model_validate_json(document["reviews"])

    async def store(self, reviews: RecordReviews) -> bool:
        after = reviews.written()
        # As text: places may have dots, which not every server takes in a name.
        document = {
            "_id": after.record_id,
            "version": after.version,
            "reviews": after.model_dump_json(),
        }
        if reviews.version == 0:
            try:
                await self._collection.insert_one(document)
            except DuplicateError:
                return False
            return True
        before = {"_id": reviews.record_id, "version": reviews.version}
        result = await self._collection.replace_one(before, document)
        return result.matched_count == 1

    async def forget(self, record_id: str, at: datetime) -> int:
        # The note has the reviews' place, so that no late insert can bring any back.
        while True:
            found = await self._collection.find_one({"_id": record_id})
            if found is not None and "removed" in found:
                return int(found["removed"])
            note = {"_id": record_id, "removed": 0 if found is None else 1, "removed_at": at}
            if found is None:
                try:
                    await self._collection.insert_one(note)
                except DuplicateError:
                    continue
                return 0
            before = {"_id": record_id, "version": found["version"]}
            result = await self._collection.replace_one(before, note)
            if result.matched_count:
                return 1

    async def records(self, after: str, limit: int) -> Sequence[str]:
        wanted = {"_id": {"$gt": after}, "version": {"$gte": 1}}
        cursor = self._collection.find(wanted, {"_id": 1}).sort("_id", 1)
        return [document["_id"] async for document in cursor.limit(limit)]

    async def drop_notes(self, before: datetime) -> None:
        await self._collection.delete_many({"removed_at": {"$lt": before}})
