"""Located requests in the database."""

from collections.abc import Mapping, Sequence
from typing import Any

from direct311.geo.places.domain import Difference, LocatedRequest
from direct311.runtime.storage.database import Collection, Index, MongoRecords


class MongoLocations:
    """Implements `Locations` over the collection of records."""

    INDEXES = (Index([("location.outcome", 1)], name="outcome"),)

    def __init__(self, records: Collection) -> None:
        self._records = records

    async def count(self) -> Mapping[str, int]:
        stages: list[dict[str, Any]] = [
            # What only became eligible here, such as a case file, was never located.
            {"$match": {"lifecycle": "active", "location.outcome": {"$gt": ""}}},
            {"$group": {"_id": "$location.outcome", "count": {"$sum": 1}}},
        ]
        return {
            document["_id"]: document["count"] async for document in self._records.aggregate(stages)
        }


class MongoStoredPlaces:
    """Implements `StoredPlaces` over the records."""

    def __init__(self, records: MongoRecords[LocatedRequest]) -> None:
        self._records = records

    async def after(self, record_id: str, limit: int) -> Sequence[LocatedRequest]:
        # By `_id` only: every other condition costs the index (decision 77).
        found = self._records.collection.find(
            {"_id": {"$gt": record_id}}, sort=[("_id", 1)], limit=limit
        )
        return [self._records.stored(document).state async for document in found]


class MongoDifferences:
    """Implements `Differences`: one document for each set and record."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection

    async def prepare(self) -> None:
        """Create the indexes."""
        await self._collection.create_indexes(
            [
                Index([("set_id", 1), ("record_id", 1)], name="set"),
                Index([("record_id", 1)], name="record"),
            ]
        )

    async def put(self, differences: Sequence[Difference]) -> None:
        for each in differences:
            key = f"{each.set_id}:{each.record_id}"
            await self._collection.replace_one(
                {"_id": key}, each.model_dump(mode="python"), upsert=True
            )

    async def of_set(self, set_id: str, after: str, limit: int) -> Sequence[Difference]:
        found = self._collection.find(
            {"set_id": set_id, "record_id": {"$gt": after}}, sort=[("record_id", 1)], limit=limit
        )
        return [Difference.model_validate(_without_id(each)) async for each in found]

    async def clear(self, set_id: str) -> None:
        await self._collection.delete_many({"set_id": set_id})

    async def forget(self, record_id: str) -> int:
        result = await self._collection.delete_many({"record_id": record_id})
        return int(result.deleted_count)


def _without_id(document: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name != "_id"}
