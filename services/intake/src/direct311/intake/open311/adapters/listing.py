"""The public list in MongoDB, page by page, at a cost that does not grow with what is stored.

A listed request has the fields by which lists find it: `listed_at` and `listed_updated_at` (its
times), `open`, `kind` (type and state), and `area` (the square and week that it is in). One index
can fully answer a query with one equality of a scalar and one range of time. A page is read
backward in windows of time that widen until it is full. So at most a few hundred rows are sorted,
and no server needs an index in the list's order.
"""

import asyncio
import heapq
import math
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice

from direct311.intake.open311.domain import MOST_LEADS, RequestQuery
from direct311.intake.request import CLOSED, ServiceRequest
from direct311.runtime.clock import Clock
from direct311.runtime.storage.database import Collection, Document, Index

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_INSTANT = timedelta(milliseconds=1)
"""The precision with which the database stores times."""

_SECOND = timedelta(seconds=1)
SQUARE = 0.02
"""In degrees. The map of a district covers about ten squares, a city's about a hundred."""
MOST_SQUARES = 36
"""For this many squares or more, a list is read by time and filtered, because then most rows of a
window are on the map."""
WEEK = timedelta(days=7)

SHOWN = (
    "lifecycle", "version", "service_code", "received_at", "updated_at", "channel",
    "status", "text", "attributes", "media", "located", "place_checked", "protected", "listed",
    "department", "due_on", "duplicate_of", "notes", "delivery",
)  # fmt: skip
"""The fields that public views are made from. No sealed field, index value or outbox leaves the
database for them."""
PROJECTION: Document = dict.fromkeys(SHOWN, 1)

_LISTED: Document = {"listed_at": {"$gt": _EPOCH}}
INDEXES = (
    Index([("listed_at", 1)], name="listed_at", sparse=True),
    Index([("listed_updated_at", 1)], name="listed_updated_at", sparse=True),
    Index([("area", 1)], name="area", sparse=True),
    *(
        Index([(name, 1), ("listed_at", 1)], name=f"{name}_at", partialFilterExpression=_LISTED)
        for name in ("service_code", "open", "kind")
    ),
)


def listed_fields(request: ServiceRequest) -> Document:
    """The fields by which a listed request is found; empty for a request that is not listed."""
    if not request.listed or request.received_at is None:
        return {}
    is_open = request.status not in CLOSED
    found: Document = {
        "listed_at": request.received_at,
        "listed_updated_at": request.updated_at or request.received_at,
        "open": is_open,
        "kind": _kind(request.service_code, is_open=is_open),
    }
    at = request.located
    if at is not None and at.latitude is not None and at.longitude is not None:
        square = _square(at.longitude), _square(at.latitude)
        found["area"] = _area(square, _week(request.received_at))
    return found


@dataclass(frozen=True, slots=True)
class Plan:
    """How a list is read: rows of `leads` (conditions that exclude each other) whose `field` is in
    [low, high), and that match `rest`. `squares`: the leads are areas, week by week."""

    field: str
    low: datetime
    high: datetime
    leads: tuple[Document, ...]
    rest: Document
    squares: tuple[tuple[int, int], ...] = ()

    @property
    def shortest(self) -> timedelta:
        """The shortest window. Areas are read by the week, so a shorter one would not read fewer
        rows."""
        return WEEK if self.squares else _SHORTEST

    def stages(self, lead: Document, bottom: datetime, edge: datetime) -> list[Document]:
        """One index can fully answer the first stage (as in audit's questions)."""
        span: Document = {self.field: {"$gte": bottom, "$lt": edge}}
        rest = self.rest
        if self.squares:
            weeks = range(_week(bottom), _week(edge - _INSTANT) + 1)
            lead = {"area": {"$in": [_area(s, week) for week in weeks for s in self.squares]}}
            rest = {**span, **rest}
        else:
            lead = {**lead, **span}
        return [{"$match": lead}, *([{"$match": rest}] if rest else [])]


def plan(query: RequestQuery) -> Plan:
    """The way to a query's rows that touches the fewest other rows."""
    rest: Document = {}
    updated = {
        name: at
        for name, at in (("$gt", query.updated_after), ("$lt", query.updated_before))
        if at is not None
    }
    if updated:
        rest["listed_updated_at"] = updated
    if query.service_codes:
        rest["service_code"] = {"$in": list(query.service_codes)}
    is_open = query.statuses[0] not in CLOSED if query.statuses else None
    if is_open is not None:
        rest["open"] = is_open
    if query.bbox:
        west, south, east, north = query.bbox
        rest["located.longitude"] = {"$gte": west, "$lte": east}
        rest["located.latitude"] = {"$gte": south, "$lte": north}
    if query.start is None or query.end is None:
        return _by_update(query, rest)
    # Times are shown in whole seconds, so a time within the end's own second belongs to the list.
    low, high = query.start, query.end + (_INSTANT if query.end.microsecond else _SECOND)
    squares = _squares(query.bbox) if query.bbox else ()
    if squares:
        return Plan("listed_at", low, high, ({},), rest, squares)
    if len(query.service_codes) in range(1, MOST_LEADS):
        del rest["service_code"]
        return Plan("listed_at", low, high, _by_type(query.service_codes, rest), rest)
    if is_open is not None:
        return Plan("listed_at", low, high, ({"open": rest.pop("open")},), rest)
    return Plan("listed_at", low, high, ({},), rest)


def _by_type(codes: Sequence[str], rest: Document) -> tuple[Document, ...]:
    if "open" not in rest:
        return tuple({"service_code": code} for code in codes)
    is_open = rest.pop("open")
    return tuple({"kind": _kind(code, is_open=is_open)} for code in codes)


def _by_update(query: RequestQuery, rest: Document) -> Plan:
    """A list of what changed recently, whenever it was received, the last change first."""
    if query.updated_after is None or query.updated_before is None:
        raise ValueError("a list is bounded by the time of receipt or of change")
    del rest["listed_updated_at"]
    low = query.updated_after + _INSTANT
    return Plan("listed_updated_at", low, query.updated_before, ({},), rest)


@dataclass(slots=True)
class Walk:
    """What is known about a list: how many of its rows come before certain times, and how dense
    they are.

    `edges`: times, newest first, and the number of rows in [time, head). If rows later appear or
    disappear between them, the numbers are wrong by as many rows for as long as the walk is kept.
    """

    head: datetime
    made_at: datetime
    edges: list[tuple[datetime, int]] = field(default_factory=list)
    density: float = 0.0
    """Rows per second, in what was read last."""
    hints: Sequence[tuple[datetime, int]] = ()
    """The edges of the previous walk: good places for windows to end."""

    def nearest(self, skip: int, fresh: int) -> tuple[datetime, int] | None:
        """The last known edge with at most `skip` rows before it, and their number; `fresh`: rows
        that came after the walk's head."""
        place = bisect_right(self.edges, skip - fresh, key=lambda edge: edge[1])
        if not place:
            return None
        at, rows = self.edges[place - 1]
        return at, rows + fresh

    def end(self, rows: int, over: int) -> datetime | None:
        """An edge that has, or had in the previous walk, at least `rows` rows before it, and at
        most `over` more."""
        for edges in (self.edges, self.hints):
            place = bisect_left(edges, rows, key=lambda edge: edge[1])
            if place < len(edges) and edges[place][1] <= rows + over:
                return edges[place][0]
        return None

    def note(self, edge: datetime, rows: int) -> None:
        """Remember an edge, unless it contradicts the others: then it was counted before or after a
        change."""
        place = bisect_right(self.edges, rows, key=lambda known: known[1])
        if place and edge >= self.edges[place - 1][0]:
            return
        if place < len(self.edges) and edge <= self.edges[place][0]:
            return
        self.edges.insert(place, (edge, rows))


@dataclass(frozen=True, slots=True)
class Cut:
    """Rows of one window, and the rows just before and behind them if they are in the window."""

    before: Sequence[Document]
    rows: Sequence[Document]
    behind: Sequence[Document]

    def edges(self, field: str, skip: int) -> Iterator[tuple[datetime, int]]:
        """Times at which these rows begin and end, and the number of the window's rows before each
        time. An end is left out if the neighboring row has the same time."""
        if self.before and self.rows and self.before[0][field] > self.rows[0][field]:
            yield self.rows[0][field] + _INSTANT, skip
        if self.rows and self.behind and self.rows[-1][field] > self.behind[0][field]:
            yield self.rows[-1][field], skip + len(self.rows)


_NOTHING = Cut((), (), ())


@dataclass(frozen=True, slots=True)
class _Window:
    """Where a window ends; how many rows it has, if they were counted; and where it would end if it
    had too many."""

    bottom: datetime
    rows: int | None
    crowded: datetime | None


@dataclass(slots=True)
class _Place:
    """How far the reading of a page has come.

    `edge`: the list has been read down to this time, past `passed` rows, of which `fresh` are newer
    than the walk's head. `skip`: how many more rows come before the page; `left`: how many rows of
    the page are still missing. `noting`: whether the walk counts from where this reading began.
    `width`: of the last window; `crowded`: where a window would end that had too many rows.
    """

    edge: datetime
    passed: int
    skip: int
    left: int
    fresh: int
    noting: bool
    width: timedelta = timedelta(0)
    crowded: datetime | None = None
    found: list[Document] = field(default_factory=list)

    def pass_over(self, bottom: datetime, rows: int, found: Sequence[Document]) -> None:
        """Go on behind a window's rows, some of which belong to the page."""
        self.found += found
        self.left -= len(found)
        self.passed += rows
        self.skip = max(0, self.skip - rows)
        self.edge = bottom


class MongoListing:
    """Pages of public lists, newest first."""

    NEAR = 200
    """Up to this many rows before a page are read; if there are more, they are counted, window by
    window."""
    FAR = 2_500
    """About how many rows a window has that is only counted."""
    MOST_READ = 600
    """The most rows of a window that is read. A window with more is made shorter, whatever was
    expected: in a storm a minute may have thousands."""
    MOST_FILTERED = 10_000
    """The most rows of a window of which only the matching rows are read."""
    FIRST_WINDOW = timedelta(minutes=1)
    WIDENING = 4
    KEPT_FOR = timedelta(seconds=30)
    MOST_WALKS = 1_000
    LIVE = timedelta(minutes=1)
    """A list whose end is this close to now still gets new rows at its head."""

    def __init__(self, collection: Collection, clock: Clock) -> None:
        self._collection = collection
        self._clock = clock
        self._walks: OrderedDict[str, Walk] = OrderedDict()

    async def page(self, query: RequestQuery) -> Sequence[Document]:
        """The rows of one page; fewer, or none, past the end.

        A page's number is a position in a list that moves. A client that must get each row exactly
        once asks by windows of time.
        """
        way = plan(query)
        walk = self._walk(way)
        at = await self._start(query, way, walk)
        while at.left and at.edge > way.low:
            await self._advance(at, way, walk)
        return at.found

    async def _start(self, query: RequestQuery, way: Plan, walk: Walk) -> _Place:
        """The last known place before the page."""
        skip = (query.page - 1) * query.page_size
        at_head = walk.head == way.high
        fresh = await self._count(way, walk.head, way.high) if skip and not at_head else 0
        # The first page begins at the end of the query's time, so newer rows are not counted for
        # it.
        edge, passed = (walk.nearest(skip, fresh) if skip else None) or (way.high, 0)
        noting = at_head or skip > 0
        return _Place(edge, passed, skip - passed, query.page_size, fresh, noting)

    async def _advance(self, at: _Place, way: Plan, walk: Walk) -> None:
        """Go through one window: read the rows that belong to the page; far before the page, only
        count."""
        near = at.skip <= self.NEAR
        wanted = at.skip + at.left + at.left // 2 if near else min(self.FAR, at.skip // 2)
        bottom = self._bottom(at, way, walk, wanted, near=near)
        rows = None if near else await self._count(way, bottom, at.edge)
        cut = _NOTHING
        if rows is None or rows > at.skip:
            most = max(self.MOST_READ, 2 * wanted if near else at.skip)
            window = await self._window(way, bottom, at.edge, at.skip + at.left, most)
            if near or window.bottom != bottom:
                rows = window.rows
            bottom, at.crowded = window.bottom, window.crowded or at.crowded
            if rows is None or rows > at.skip:
                cut = await self._cut(way, bottom, at.edge, at.skip, at.left)
        if cut.rows:
            rows = at.skip + len(cut.rows)
        elif rows is None:
            rows = await self._count(way, bottom, at.edge) if at.skip else 0
        full = len(cut.rows) == at.left
        if at.noting:
            for known, before in cut.edges(way.field, at.skip):
                walk.note(known, at.passed + before - at.fresh)
            if not full:
                walk.note(bottom, at.passed + rows - at.fresh)
        last = cut.rows[-1][way.field] if full else bottom
        if rows:
            walk.density = rows / max(at.edge - last, _SHORTEST).total_seconds()
        else:
            walk.density /= self.WIDENING
        at.pass_over(bottom, rows, cut.rows)

    def _bottom(self, at: _Place, way: Plan, walk: Walk, wanted: int, *, near: bool) -> datetime:
        """Where the next window ends, as far as can be known before it is counted."""
        at.width = self._width(walk, wanted, at.width)
        # If the list was read here before, use a known edge, so that few rows more than the page
        # needs are read.
        known = walk.end(at.passed + at.skip + at.left - at.fresh, self.NEAR) if near else None
        if known is not None and way.low < known < at.edge:
            return known
        if at.crowded is not None and at.crowded < at.edge:
            at.width = min(at.width, (at.edge - at.crowded) / self.WIDENING)
        at.width = max(at.width, way.shortest)
        return at.edge - at.width if at.edge - way.low > at.width else way.low

    def _walk(self, way: Plan) -> Walk:
        """What is known about this list, perhaps nothing."""
        now = self._clock.now()
        end = "" if now - way.high < self.LIVE else way.high.isoformat()
        key = repr((way.field, end, way.leads, way.rest, way.squares))
        walk = self._walks.get(key)
        if walk is None or walk.head > way.high or now - walk.made_at > self.KEPT_FOR:
            density = walk.density if walk else 0.0
            hints = walk.edges or walk.hints if walk else ()
            walk = self._walks[key] = Walk(way.high, now, density=density, hints=hints)
        self._walks.move_to_end(key)
        while len(self._walks) > self.MOST_WALKS:
            self._walks.popitem(last=False)
        return walk

    def _width(self, walk: Walk, rows: int, before: timedelta) -> timedelta:
        """How long a window with this many rows is; longer after a window that had too few rows."""
        if not walk.density:
            return max(self.FIRST_WINDOW, before * self.WIDENING)
        seconds = min(rows / walk.density, 100 * 365 * 86_400.0)
        return max(timedelta(seconds=seconds), _SHORTEST)

    async def _window(
        self, way: Plan, bottom: datetime, edge: datetime, wanted: int, most: int
    ) -> _Window:
        """A window from about `bottom`: longer if it has fewer rows than wanted, shorter if it has
        more than `most`; only a window of the shortest length may have more.

        How dense rows are is known only where a list was read, and may differ a minute earlier. So
        each window is counted before it is read, which costs a twentieth as much.
        """
        if way.squares and edge - bottom <= way.shortest:
            return _Window(bottom, None, None)
        crowded: datetime | None = None
        while True:
            touched = await self._touched(way, bottom, edge)
            rows = None if way.rest or way.squares else touched
            if rows is None and most < touched <= self.MOST_FILTERED:
                rows = await self._count(way, bottom, edge)
            fits = touched <= most or (rows is not None and rows <= most)
            if fits or edge - bottom <= way.shortest:
                break
            crowded = bottom
            shorter = min(max(touched / most, self.WIDENING), self.WIDENING**3)
            bottom = edge - max((edge - bottom) / shorter, way.shortest)
        while crowded is None and rows is not None and rows < wanted and bottom > way.low:
            wider = max(way.low, edge - (edge - bottom) * self.WIDENING)
            touched = await self._touched(way, wider, edge)
            if touched > most:
                crowded = wider
            else:
                bottom, rows = wider, touched
        return _Window(bottom, rows, crowded)

    async def _touched(self, way: Plan, bottom: datetime, edge: datetime) -> int:
        """The number of rows that the index gives for a window, before they are filtered."""
        counts = (self._counted(way.stages(lead, bottom, edge)[:1]) for lead in way.leads)
        return sum(await asyncio.gather(*counts))

    async def _count(self, way: Plan, bottom: datetime, edge: datetime) -> int:
        """The number of rows in a window. Its halves are counted at the same time, because the
        first reader of a page far back waits for this."""
        middle = bottom + (edge - bottom) / 2
        halves = ((bottom, middle), (middle, edge))
        spans = halves if len(way.leads) == 1 and not way.squares else ((bottom, edge),)
        counts = (self._counted(way.stages(lead, *span)) for lead in way.leads for span in spans)
        return sum(await asyncio.gather(*counts))

    async def _counted(self, stages: Sequence[Document]) -> int:
        if len(stages) > 1:
            return sum(
                [each["n"] async for each in self._collection.aggregate([*stages, {"$count": "n"}])]
            )
        # One index can fully answer this; it is a third faster than `$count`.
        database, name = self._collection.database, self._collection.name
        found = await database.command("count", name, query=stages[0]["$match"])
        return int(found["n"])

    async def _cut(self, way: Plan, bottom: datetime, edge: datetime, skip: int, limit: int) -> Cut:
        """The window's rows from the one after `skip`, and their neighbors."""
        first = 1 if skip else 0
        found = await self._rows(way, bottom, edge, skip - first, first + limit + 1)
        return Cut(found[:first], found[first : first + limit], found[first + limit :])

    async def _rows(
        self, way: Plan, bottom: datetime, edge: datetime, skip: int, limit: int
    ) -> Sequence[Document]:
        """The window's rows from the one after `skip`, newest first."""
        alone = len(way.leads) == 1

        async def one(lead: Document) -> Sequence[Document]:
            stages = [
                *way.stages(lead, bottom, edge),
                {"$sort": {way.field: -1, "_id": -1}},
                *([{"$skip": skip}] if alone and skip else []),
                {"$limit": limit if alone else skip + limit},
                {"$project": {**PROJECTION, way.field: 1}},
            ]
            found: list[Document] = await self._collection.aggregate(stages).to_list(None)
            return found

        several = await asyncio.gather(*(one(lead) for lead in way.leads))
        if alone:
            return several[0]
        merged = heapq.merge(*several, key=lambda row: (row[way.field], row["_id"]), reverse=True)
        return list(islice(merged, skip, skip + limit))


_SHORTEST = timedelta(seconds=0.25)
"""The shortest window. After a burst, one second has hundreds of rows."""


def _square(degrees: float) -> int:
    return math.floor(degrees / SQUARE)


def _squares(bbox: tuple[float, float, float, float]) -> tuple[tuple[int, int], ...]:
    """The squares of a map; empty if there are too many."""
    west, south, east, north = (_square(degrees) for degrees in bbox)
    if (east - west + 1) * (north - south + 1) > MOST_SQUARES:
        return ()
    return tuple((x, y) for x in range(west, east + 1) for y in range(south, north + 1))


def _week(at: datetime) -> int:
    return (at - _EPOCH) // WEEK


def _area(square: tuple[int, int], week: int) -> str:
    return f"{square[0]}:{square[1]}:{week}"


def _kind(service_code: str, *, is_open: bool) -> str:
    return f"{service_code}:{'open' if is_open else 'closed'}"
