"""The staff's lists in MongoDB: by index and in windows of time, at a cost that does not grow with
what is stored (decisions 40 and 124)."""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from direct311.intake.request import UNINCORPORATED, ServiceRequest
from direct311.intake.work.domain.listing import (
    AFTER_ALL_IDS,
    INSTANT,
    STATUSES,
    Position,
    WorkQuery,
)
from direct311.intake.work.ports import Page
from direct311.runtime.clock import Clock
from direct311.runtime.parameters import FIRST
from direct311.runtime.storage.database import Document, Index, MongoRecords

_NEVER_NEEDED = ("sealed", "indexes", "outbox", "uploads", "images")
"""Fields that no answer needs. What is sealed does not leave the database for a list."""

MOST_TYPE_LEADS = 4
"""The most types that are each looked up by themselves."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How a list is read: rows of `leads` (conditions that exclude each other, and that an index
    with the time of reception answers) that match `rest`."""

    leads: tuple[Document, ...]
    rest: Document


def plan(query: WorkQuery, today: date) -> Plan:
    """The way to a query's rows that touches the fewest other rows."""
    rest = _rest(query, today)
    statuses = tuple(dict.fromkeys(query.statuses))
    if "emergency" in query.flags:
        return Plan(({"emergency_assistance": True},), rest | _one_of("status", statuses))
    if query.department is not None:
        leads = tuple({"department": query.department, "status": each} for each in statuses)
        return Plan(leads, rest | _one_of("service_code", query.types))
    if 0 < len(query.types) <= MOST_TYPE_LEADS:
        by_type = tuple({"service_code": each} for each in dict.fromkeys(query.types))
        return Plan(by_type, rest | _one_of("status", statuses))
    rest |= _one_of("service_code", query.types)
    if len(statuses) == len(STATUSES):
        return Plan(({},), rest)
    return Plan(tuple({"status": each} for each in statuses), rest)


def _rest(query: WorkQuery, today: date) -> Document:
    rest: Document = {"lifecycle": "active"}
    if query.department is not None:
        rest["department"] = query.department
    if query.place is not None:
        rest["place_checked"] = True
        rest["located.outcome"] = "resolved"
        rest["located.municipality"] = query.place if query.place != UNINCORPORATED else None
    if "marked" in query.flags:
        rest["marked_at"] = {"$gt": _EPOCH}
    if "protected" in query.flags:
        rest["protected"] = True
    if "unplaced" in query.flags:
        rest["place_checked"] = True
        rest["located.outcome"] = {"$in": ["unresolved", "outside"]}
    if "overdue" in query.flags:
        rest["due_on"] = {"$lt": today, "$gt": date(1900, 1, 1)}
    return rest


def _one_of(field: str, values: Sequence[str]) -> Document:
    if not values or (field == "status" and len(values) == len(STATUSES)):
        return {}
    return {field: {"$in": list(values)}}


class MongoWorkList:
    """`WorkList` over the collection of requests.

    A page is read in windows of time, which widen until the page is full. Nothing is counted: how
    long a window must be is remembered from the previous page of the same list.
    """

    INDEXES = (
        Index([("department", 1), ("status", 1), ("received_at", 1)], name="work_department"),
        Index([("status", 1), ("received_at", 1)], name="work_status"),
        Index([("service_code", 1), ("received_at", 1)], name="work_type"),
        Index(
            [("emergency_assistance", 1), ("received_at", 1)],
            name="work_emergency",
            partialFilterExpression={"emergency_assistance": True},
        ),
    )
    SHORTEST = timedelta(seconds=1)
    FIRST_WINDOW = timedelta(hours=1)
    LONGEST = timedelta(days=400)
    WIDENING = 6
    MOST_WINDOWS = 16
    """The most windows of a page. They go back six years even if the first has a second."""
    EARLIEST_KEPT_FOR = timedelta(hours=1)
    """Requests are stored when they are received, so the earliest one only gets later."""
    MOST_REMEMBERED = 1_000

    def __init__(self, records: MongoRecords[ServiceRequest], clock: Clock) -> None:
        self._records = records
        self._clock = clock
        self._widths: OrderedDict[str, timedelta] = OrderedDict()
        self._earliest: tuple[datetime, datetime] | None = None
        """The first day with a request, and when that was looked up."""

    async def page(self, query: WorkQuery, today: date) -> Page:
        way = plan(query, today)
        low, high, after = query.received_from, query.received_before, query.after
        low = max(low, await self._first_day())
        newest = query.sort == "newest"
        if after is not None:
            # Rows of the position's own time may belong to the page.
            if newest:
                high = min(high, after.at + INSTANT)
            else:
                low = max(low, after.at)
        high = min(high, self._clock.now() + _AHEAD)
        found: list[ServiceRequest] = []
        key = repr((way, newest))
        width = self._widths.get(key, self.FIRST_WINDOW)
        for _ in range(self.MOST_WINDOWS):
            if low >= high:
                break
            if newest:
                start, end = max(low, high - width) if high - low > width else low, high
                high = start
            else:
                start, end = low, min(high, low + width) if high - low > width else high
                low = end
            found += await self._rows(way, query, start, end, query.limit + 1 - len(found))
            if len(found) > query.limit:
                self._remember(key, found)
                last = found[query.limit - 1]
                rows = found[: query.limit]
                return Page(rows, Position(_received(last), last.record_id))
            width = min(width * self.WIDENING, self.LONGEST)
        self._remember(key, found)
        if low >= high:
            return Page(found, None)
        between = Position(high, "") if newest else Position(low - INSTANT, AFTER_ALL_IDS)
        return Page(found, between)

    async def _first_day(self) -> datetime:
        """When the day began on which the earliest request was received, found by bisection: the
        local database uses no index for order."""
        now = self._clock.now()
        if self._earliest is not None and now - self._earliest[1] < self.EARLIEST_KEPT_FOR:
            return self._earliest[0]
        low, high = 0, (now + _AHEAD - FIRST).days + 1
        while low < high:
            middle = (low + high) // 2
            before = {"$gte": FIRST, "$lt": FIRST + timedelta(days=middle + 1)}
            if await self._records.collection.find_one({"received_at": before}, {"_id": 1}):
                high = middle
            else:
                low = middle + 1
        self._earliest = FIRST + timedelta(days=low), now
        return self._earliest[0]

    def _remember(self, key: str, found: Sequence[ServiceRequest]) -> None:
        """Begin the next page of this list with a window of about twice these rows' time."""
        if len(found) < 2:
            self._widths.pop(key, None)
            return
        span = abs(_received(found[0]) - _received(found[-1])) * 2
        self._widths[key] = min(max(span, self.SHORTEST), self.LONGEST)
        self._widths.move_to_end(key)
        while len(self._widths) > self.MOST_REMEMBERED:
            self._widths.popitem(last=False)

    async def _rows(
        self, way: Plan, query: WorkQuery, start: datetime, end: datetime, limit: int
    ) -> Sequence[ServiceRequest]:
        newest = query.sort == "newest"
        order = -1 if newest else 1
        rest = dict(way.rest)
        if query.after is not None:
            than = "$lt" if newest else "$gt"
            at = query.after.at
            rest["$or"] = [
                {"received_at": {than: at}},
                {"received_at": at, "_id": {than: query.after.record_id}},
            ]

        async def one(lead: Document) -> list[Document]:
            stages: list[Document] = [
                {"$match": {**lead, "received_at": {"$gte": start, "$lt": end}}},
                {"$match": rest},
                {"$sort": {"received_at": order, "_id": order}},
                {"$limit": limit},
                {"$project": dict.fromkeys(_NEVER_NEEDED, 0)},
            ]
            rows: list[Document] = await self._records.collection.aggregate(stages).to_list(None)
            return rows

        several = await asyncio.gather(*(one(lead) for lead in way.leads))
        merged = sorted(
            (row for rows in several for row in rows),
            key=lambda row: (row["received_at"], row["_id"]),
            reverse=newest,
        )
        return [self._records.stored(row).state for row in merged[:limit]]


def _received(request: ServiceRequest) -> datetime:
    if request.received_at is None:
        raise ValueError("a request in a list was received")
    return request.received_at


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_AHEAD = timedelta(hours=1)
"""How far another machine's clock may be ahead."""
