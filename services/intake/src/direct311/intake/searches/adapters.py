"""Requests in MongoDB, found by what is public of them."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from direct311.intake.request import UNINCORPORATED
from direct311.intake.searches.domain import Narrowing
from direct311.runtime.storage.database import Collection, Document, Index

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_AT_ONCE = 1_000
"""How many ids are in one query."""


class MongoCandidates:
    """`Candidates` over the collection of requests."""

    INDEXES = (Index([("received_at", 1)], name="received_at", sparse=True),)

    def __init__(self, collection: Collection) -> None:
        self._collection = collection

    async def found(self, narrowing: Narrowing, limit: int) -> Sequence[str]:
        cursor = self._collection.find(_matching(narrowing), {"_id": 1})
        ordered = cursor.sort([("received_at", 1), ("_id", 1)]).limit(limit)
        return [document["_id"] async for document in ordered]

    async def among(self, record_ids: Sequence[str], narrowing: Narrowing) -> Sequence[str]:
        matching: set[str] = set()
        for start in range(0, len(record_ids), _AT_ONCE):
            some = list(record_ids[start : start + _AT_ONCE])
            wanted = {"_id": {"$in": some}, **_matching(narrowing)}
            matching |= {each["_id"] async for each in self._collection.find(wanted, {"_id": 1})}
        return [each for each in record_ids if each in matching]

    async def without_point(
        self, narrowing: Narrowing, limit: int, record_ids: Sequence[str] | None = None
    ) -> int:
        if narrowing.box is None:
            return 0
        wanted = _apart_from_the_box(narrowing)
        wanted["$or"] = [{"protected": True}, {"located.latitude": None}]
        if record_ids is not None:
            wanted["_id"] = {"$in": list(record_ids)}
        return await self._collection.count_documents(wanted, limit=limit)

    async def sealed(
        self, record_ids: Sequence[str], fields: Sequence[str]
    ) -> Mapping[str, Mapping[str, bytes]]:
        wanted = {"_id": {"$in": list(record_ids)}, "lifecycle": "active"}
        projection = {f"sealed.{field}": 1 for field in fields}
        return {
            document["_id"]: document["sealed"]
            async for document in self._collection.find(wanted, projection)
            if document.get("sealed")
        }


def _matching(narrowing: Narrowing) -> Document:
    """A protected request's point is not public, so no box finds it."""
    wanted = _apart_from_the_box(narrowing)
    if narrowing.box is not None:
        west, south, east, north = narrowing.box
        wanted["protected"] = {"$ne": True}
        wanted["located.longitude"] = {"$gte": west, "$lte": east}
        wanted["located.latitude"] = {"$gte": south, "$lte": north}
    return wanted


def _apart_from_the_box(narrowing: Narrowing) -> Document:
    # Bounded by the index's own key, so that the database reads in the order of the index.
    received: Document = {"$gte": narrowing.received_from or _EPOCH}
    if narrowing.received_before is not None:
        received["$lt"] = narrowing.received_before
    wanted: Document = {"received_at": received, "lifecycle": "active"}
    if narrowing.municipality is not None:
        wanted["place_checked"] = True
        wanted["located.outcome"] = "resolved"
        named = narrowing.municipality != UNINCORPORATED
        wanted["located.municipality"] = narrowing.municipality if named else None
    if narrowing.types:
        wanted["service_code"] = {"$in": list(narrowing.types)}
    if narrowing.departments:
        wanted["department"] = {"$in": list(narrowing.departments)}
    return wanted
