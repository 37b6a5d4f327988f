"""Located requests in the database."""

from collections.abc import Mapping
from typing import Any

from direct311.runtime.storage.database import Collection, Index


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
