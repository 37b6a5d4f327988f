"""Stored requests in MongoDB."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from direct311.intake.request import READINGS, SENDERS, SUPERSEDED, ServiceRequest, SuspicionFlag
from direct311.runtime.storage.database import Document, Index, MongoRecords

INDEXED = ("phone", "email", "name", "home", "place", SUPERSEDED, SENDERS)
"""The kinds of index values that the protection registry uses."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class MongoRequests:
    """`Requests` over the collection of the runtime's records."""

    INDEXES = (
        Index([("idempotency", 1)], name="idempotency", unique=True, sparse=True),
        Index([("token", 1)], name="token", unique=True, sparse=True),
        Index([("registry_version", 1)], name="registry", sparse=True),
        Index([("images", 1)], name="images", sparse=True),
        Index([("marked_at", 1)], name="marked", sparse=True),
        Index([("mail_after", 1)], name="mail", sparse=True),
        Index([("indexes.phone", 1)], name="phone", sparse=True),
        Index([("indexes.email", 1)], name="email", sparse=True),
        Index([("indexes.name", 1)], name="name", sparse=True),
        Index([("indexes.home", 1)], name="home", sparse=True),
        Index([("indexes.place", 1)], name="place", sparse=True),
        Index([("indexes.earlier", 1)], name="earlier", sparse=True),
        Index([("indexes.senders", 1)], name="senders", sparse=True),
        Index([("home_unread_at", 1)], name="homes_unread", sparse=True),
    )

    def __init__(self, records: MongoRecords[ServiceRequest]) -> None:
        self._records = records

    async def get(self, record_id: str) -> ServiceRequest | None:
        document = await self._records.collection.find_one(
            {"_id": record_id, "lifecycle": "active"}
        )
        return self._records.stored(document).state if document else None

    async def with_index(self, field: str, values: Sequence[str], limit: int) -> Sequence[str]:
        wanted = {f"indexes.{field}": {"$in": list(values)}}
        cursor = self._records.collection.find(wanted, {"_id": 1})
        return [document["_id"] async for document in cursor.limit(limit)]

    async def indexed_otherwise(
        self, versions: Sequence[int], after: str, limit: int
    ) -> Sequence[ServiceRequest]:
        wanted = {"_id": {"$gt": after}, **_otherwise(versions)}
        cursor = self._records.collection.find(wanted).sort("_id", 1).limit(limit)
        return [self._records.stored(document).state async for document in cursor]

    async def count_otherwise(self, versions: Sequence[int]) -> int:
        return await self._records.collection.count_documents(_otherwise(versions))

    async def homes_unread(self, after: str, limit: int) -> Sequence[ServiceRequest]:
        # Bounded by the index's own key. With `$exists` the local database reads every request.
        wanted = {
            "home_unread_at": {"$gt": _EPOCH},
            "_id": {"$gt": after},
            "lifecycle": "active",
        }
        cursor = self._records.collection.find(wanted).sort("_id", 1).limit(limit)
        return [self._records.stored(document).state async for document in cursor]

    async def indexes_of(
        self, record_ids: Sequence[str]
    ) -> Mapping[str, Mapping[str, Sequence[str]]]:
        found: dict[str, Mapping[str, Sequence[str]]] = {}
        for start in range(0, len(record_ids), 1000):
            chunk = list(record_ids[start : start + 1000])
            cursor = self._records.collection.find(
                {"_id": {"$in": chunk}, "lifecycle": "active"}, {"indexes": 1}
            )
            async for document in cursor:
                found[document["_id"]] = document.get("indexes") or {}
        return found

    async def with_mail(self, at: datetime, limit: int) -> Sequence[str]:
        cursor = self._records.collection.find(
            {"mail_after": {"$lte": at}, "lifecycle": "active"}, {"_id": 1}
        )
        return [document["_id"] async for document in cursor.limit(limit)]

    async def unchecked(self, registry_version: int, limit: int) -> Sequence[str]:
        """Ids of requests that were checked against an older registry."""
        cursor = self._records.collection.find(
            # If all are checked, a range up to the previous version is empty.
            {"registry_version": {"$lte": registry_version - 1}, "lifecycle": "active"},
            {"_id": 1},
        )
        return [document["_id"] async for document in cursor.limit(limit)]

    async def unchecked_with(
        self, hashes: Sequence[str], registry_version: int, limit: int
    ) -> Sequence[str]:
        """The requests in `unchecked` with one of these index values, of any kind."""
        found: dict[str, None] = {}
        # One query each, because every kind has its own index.
        for kind in INDEXED:
            wanted = {
                f"indexes.{kind}": {"$in": list(hashes)},
                "registry_version": {"$lte": registry_version - 1},
                "lifecycle": "active",
            }
            cursor = self._records.collection.find(wanted, {"_id": 1}).limit(limit)
            found |= {document["_id"]: None async for document in cursor}
        return list(found)

    async def flagged(
        self, flag: SuspicionFlag | None, before: datetime, limit: int
    ) -> Sequence[ServiceRequest]:
        """Requests flagged before this time, newest first."""
        wanted: Document = {"marked_at": {"$lt": before}, "lifecycle": "active"}
        if flag is not None:
            wanted["marks"] = flag
        cursor = self._records.collection.find(wanted).sort("marked_at", -1).limit(limit)
        return [self._records.stored(document).state async for document in cursor]

    async def count(self) -> dict[str, int]:
        """Requests by status; tombstones do not count."""
        groups = self._records.collection.aggregate(
            [
                {"$match": {"lifecycle": "active"}},
                {"$group": {"_id": "$status", "n": {"$sum": 1}}},
            ]
        )
        return {group["_id"]: group["n"] async for group in groups}


def _otherwise(versions: Sequence[int]) -> Document:
    return {
        "lifecycle": "active",
        "$or": [
            {"index_versions": {"$ne": list(versions)}},
            {"index_readings": {"$ne": READINGS}},
        ],
    }
