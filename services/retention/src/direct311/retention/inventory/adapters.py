"""The inventory in MongoDB."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import date
from typing import Any, Final, Literal

from direct311.retention.holds.domain import Hold, plain_name
from direct311.retention.holds.ports import Known
from direct311.retention.inventory.ports import Position
from direct311.retention.record import InventoryRecord, Stage
from direct311.runtime.storage.database import (
    Document,
    Index,
    MongoRecords,
)

_OPEN: Final[tuple[Stage, ...]] = ("active", "eligible", "in_review")
_ORDERED: Final[tuple[Stage, ...]] = ("ordered", "destroyed", "certified")
_EARLIEST: Final = date(1970, 1, 1)


class MongoInventory:
    """Implements `Inventory` over the collection of the runtime's records."""

    INDEXES = (
        Index([("stage", 1), ("eligible_on", 1), ("_id", 1)], name="queue"),
        Index([("order_id", 1), ("stage", 1)], name="order", sparse=True),
        Index([("holds", 1)], name="holds"),
        Index([("service_code", 1), ("received_at", 1)], name="type", sparse=True),
        Index([("municipality", 1)], name="municipality", sparse=True),
        Index([("department", 1)], name="department", sparse=True),
        Index([("received_at", 1)], name="received", sparse=True),
        Index([("schedule_version", 1)], name="schedule", sparse=True),
        Index([("behind", 1)], name="behind", partialFilterExpression={"behind": True}),
    )

    def __init__(self, records: MongoRecords[InventoryRecord]) -> None:
        self._records = records
        self._collection = records.collection

    async def get(self, record_id: str) -> InventoryRecord | None:
        found = (await self._records.load([record_id])).get(record_id)
        return found.state if found else None

    async def due(self, as_of: date, limit: int) -> Sequence[str]:
        return await self._ids(
            {"stage": "active", "eligible_on": {"$lte": as_of.isoformat()}}, limit
        )

    async def page(
        self,
        stage: Literal["active", "eligible"],
        as_of: date,
        after: Position | None,
        limit: int,
        *,
        clear: bool = False,
    ) -> Sequence[InventoryRecord]:
        query: Document = {"stage": stage}
        if clear:
            query["holds"] = []
        begin = after[0] if after else await self._earliest(query, as_of)
        found: list[InventoryRecord] = []
        # Ranges of days that get wider, so that no page has to sort more than it must.
        first, days, end = begin.toordinal(), 1, as_of.toordinal()
        while first <= end and len(found) < limit:
            last = min(first + days - 1, end)
            query["eligible_on"] = {"$gte": _iso(first), "$lte": _iso(last)}
            if after and first == begin.toordinal():
                query["_id"] = {"$gt": after[1]}
            else:
                query.pop("_id", None)
            cursor = self._collection.find(query).sort([("eligible_on", 1), ("_id", 1)])
            found += [state async for state in self._states(cursor.limit(limit - len(found)))]
            first, days = last + 1, days * 2
        return found

    async def _earliest(self, query: Document, as_of: date) -> date:
        """The first day on which there is one, found by bisection; the day after if there is
        none."""
        low, high = _EARLIEST.toordinal(), as_of.toordinal()
        while low < high:
            middle = (low + high) // 2
            days = {"$gte": _iso(low), "$lte": _iso(middle)}
            if await self._collection.find_one({**query, "eligible_on": days}, {"_id": 1}):
                high = middle
            else:
                low = middle + 1
        return date.fromordinal(low)

    async def matching(self, hold: Hold, limit: int) -> Sequence[str]:
        not_evaluated = {"stage": {"$in": _OPEN}, "fence": {"$lt": hold.fence}}
        return await self._ids(not_evaluated | _under(hold), limit)

    async def too_late(self, hold: Hold, limit: int) -> Sequence[str]:
        return await self._ids({"stage": {"$in": _ORDERED}} | _under(hold), limit)

    async def holding(self, hold_id: str, limit: int) -> Sequence[str]:
        return await self._ids({"holds": hold_id, "stage": {"$in": _OPEN}}, limit)

    async def held(self, hold_ids: Sequence[str]) -> Mapping[str, int]:
        ids = {"holds": {"$in": list(hold_ids)}}
        groups = self._collection.aggregate(
            [
                {"$match": {**ids, "stage": {"$in": _OPEN}}},
                {"$unwind": "$holds"},
                {"$match": ids},
                {"$group": {"_id": "$holds", "n": {"$sum": 1}}},
            ]
        )
        return {group["_id"]: group["n"] async for group in groups}

    async def values(self, field: Known) -> Sequence[str]:
        # The bound lets a sparse index answer.
        found: list[str] = await self._collection.distinct(field, {field: {"$gt": ""}})
        return found

    async def behind(self, limit: int) -> Sequence[str]:
        return await self._ids({"behind": True}, limit)

    async def outdated(self, schedule_version: str, limit: int) -> Sequence[str]:
        found: list[str] = []
        for comparison in ("$lt", "$gt"):
            query = {
                "schedule_version": {comparison: schedule_version},
                "stage": {"$in": _OPEN},
            }
            found += await self._ids(query, limit)
        return found[:limit]

    async def of_order(self, order_id: str) -> Sequence[InventoryRecord]:
        query = {"order_id": order_id, "stage": {"$in": _ORDERED}}
        return [state async for state in self._states(self._collection.find(query))]

    async def waiting(self, order_id: str, *, for_audit: bool) -> bool:
        query: Document = {"order_id": order_id, "stage": "ordered"}
        if for_audit:
            query |= {"stage": "certified", "receipts.holder": {"$ne": "audit"}}
        return bool(await self._ids(query, 1))

    async def count(self) -> Mapping[Stage, int]:
        groups = self._collection.aggregate(
            [
                {"$match": {"case_file": {"$ne": True}}},
                {"$group": {"_id": "$stage", "n": {"$sum": 1}}},
            ]
        )
        return {group["_id"]: group["n"] async for group in groups}

    async def _ids(self, query: Document, limit: int) -> list[str]:
        cursor = self._collection.find(query, {"_id": 1}).limit(limit)
        return [document["_id"] async for document in cursor]

    async def _states(self, cursor: Any) -> AsyncIterator[InventoryRecord]:
        async for document in cursor:
            yield self._records.stored(document).state


def _iso(day: int) -> str:
    return date.fromordinal(day).isoformat()


def _under(hold: Hold) -> Document:
    """The hold's own `matches` as a query."""
    ways: list[Document] = []
    if hold.record_ids:
        ways.append({"_id": {"$in": list(hold.record_ids)}})
    if hold.query is not None:
        asked = hold.query
        fits: Document = {}
        if asked.service_codes:
            fits["service_code"] = {"$in": list(asked.service_codes)}
        if asked.municipality is not None:
            fits["municipality"] = {"$regex": name_pattern(asked.municipality), "$options": "i"}
        if asked.department is not None:
            fits["department"] = asked.department
        received = {"$gte": asked.since, "$lt": asked.until}
        if bounds := {name: at for name, at in received.items() if at is not None}:
            fits["received_at"] = bounds
        ways.append(fits)
    return ways[0] if len(ways) == 1 else {"$or": ways}


def name_pattern(municipality: str) -> str:
    """A pattern for all names that `plain_name` treats as the same, ignoring case."""
    words = r"[^a-z]+".join(plain_name(municipality).split())
    return rf"^[^a-z]*(?:(?:city|town|village)[^a-z]+of[^a-z]+)*{words}[^a-z]*$"
