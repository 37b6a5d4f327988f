"""Requests and the protection registry in MongoDB."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from direct311.intake.domain.protection import Protection
from direct311.intake.domain.request import ServiceRequest
from direct311.intake.open311.queries import RequestQuery
from direct311.runtime.database import Collection, Document, Index, MongoRecords


class MongoRequests:
    """`Requests` over the collection that the runtime's records lie in."""

    INDEXES = (
        Index([("idempotency", 1)], name="idempotency", unique=True, sparse=True),
        Index([("fingerprint", 1), ("received_at", 1)], name="fingerprint", sparse=True),
        Index([("received_at", 1)], name="listed", partialFilterExpression={"listed": True}),
        Index([("registry_version", 1)], name="registry", sparse=True),
        Index([("indexes.phone", 1)], name="phone", sparse=True),
        Index([("indexes.email", 1)], name="email", sparse=True),
        Index([("indexes.name", 1)], name="name", sparse=True),
    )

    def __init__(self, records: MongoRecords[ServiceRequest]) -> None:
        self._records = records

    async def get(self, record_id: str) -> ServiceRequest | None:
        document = await self._records.collection.find_one(
            {"_id": record_id, "lifecycle": "active"}
        )
        return self._records.stored(document).state if document else None

    async def with_index(self, field: str, value: str, limit: int) -> Sequence[str]:
        cursor = self._records.collection.find({f"indexes.{field}": value}, {"_id": 1})
        return [document["_id"] async for document in cursor.limit(limit)]

    async def listed(self, query: RequestQuery) -> Sequence[ServiceRequest]:
        """One page of the public list, newest first."""
        collection = self._records.collection
        if query.ids:
            wanted: Document = {"_id": {"$in": list(query.ids)}, "lifecycle": "active"}
            return [
                self._records.stored(document).state async for document in collection.find(wanted)
            ]
        cursor = (
            collection.find(_filter(query))
            .sort([("received_at", -1), ("_id", -1)])
            .skip((query.page - 1) * query.page_size)
            .limit(query.page_size)
        )
        return [self._records.stored(document).state async for document in cursor]

    async def unchecked(self, registry_version: int, limit: int) -> Sequence[str]:
        """Ids of requests that were checked against an older registry."""
        cursor = self._records.collection.find(
            # Where all are checked, a range up to the version before is empty.
            {"registry_version": {"$lte": registry_version - 1}, "lifecycle": "active"},
            {"_id": 1},
        )
        return [document["_id"] async for document in cursor.limit(limit)]

    async def count(self) -> dict[str, int]:
        """Requests by status; tombstones do not count."""
        groups = self._records.collection.aggregate(
            [
                {"$match": {"lifecycle": "active"}},
                {"$group": {"_id": "$status", "n": {"$sum": 1}}},
            ]
        )
        return {group["_id"]: group["n"] async for group in groups}


def _filter(query: RequestQuery) -> Document:
    wanted: Document = {
        "listed": True,
        "received_at": {"$gte": query.start, "$lte": query.end},
    }
    if query.service_codes:
        wanted["service_code"] = {"$in": list(query.service_codes)}
    if query.statuses:
        wanted["status"] = {"$in": list(query.statuses)}
    between: Document = {}
    if query.updated_after:
        between["$gt"] = query.updated_after
    if query.updated_before:
        between["$lt"] = query.updated_before
    if between:
        wanted["updated_at"] = between
    if query.bbox:
        west, south, east, north = query.bbox
        wanted["located.longitude"] = {"$gte": west, "$lte": east}
        wanted["located.latitude"] = {"$gte": south, "$lte": north}
    return wanted


class MongoProtections:
    """`Protections`: all hashes are held in memory and read again when the version moves.

    A registry has some thousands of entries; a check must cost nothing, since every request is
    checked.
    """

    def __init__(self, collection: Collection) -> None:
        self._collection = collection
        self._version = 0
        self._hashes: frozenset[str] = frozenset()

    @property
    def version(self) -> int:
        return self._version

    def matches(self, hashes: Iterable[str]) -> bool:
        return not self._hashes.isdisjoint(hashes)

    async def refresh(self) -> bool:
        """Read what changed; whether anything did."""
        head = await self._collection.find_one({"_id": "version"})
        version = head["version"] if head else 0
        if version == self._version:
            return False
        hashes: set[str] = set()
        async for entry in self._collection.find(
            {"withdrawn_at": None, "hashes.0": {"$exists": True}}
        ):
            hashes.update(entry["hashes"])
        self._hashes = frozenset(hashes)
        self._version = version
        return True

    async def add(self, protection: Protection) -> int:
        """Store an entry, or the same one again; the registry's new version."""
        document = protection.model_dump(mode="python")
        document["_id"] = document.pop("protection_id")
        await self._collection.replace_one({"_id": document["_id"]}, document, upsert=True)
        return await self._moved()

    async def withdraw(self, protection_id: str, at: datetime) -> bool:
        """End an entry, keep that it was there; whether there was one in force."""
        result = await self._collection.update_one(
            {"_id": protection_id, "withdrawn_at": None},
            {"$set": {"withdrawn_at": at, "hashes": []}},
        )
        if result.modified_count:
            await self._moved()
        return bool(result.modified_count)

    async def _moved(self) -> int:
        await self._collection.update_one({"_id": "version"}, {"$inc": {"version": 1}}, upsert=True)
        await self.refresh()
        return self._version
