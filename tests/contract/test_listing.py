"""The public list: whatever is asked, its pages are the rows that fit, newest first, each once."""

import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest

from deploy.local.stack import Stack
from direct311.intake.open311.adapters.listing import MongoListing, listed_fields
from direct311.intake.open311.adapters.requests import MongoPublicRequests
from direct311.intake.open311.domain import RequestQuery
from direct311.intake.request import CLOSED, Located, ServiceRequest
from direct311.runtime.messaging.records import Write
from direct311.runtime.storage.database import Collection, MongoRecords
from direct311.schemas import events as ev
from tests.support.runtime import NOW, SetClock, database_of_its_own

pytestmark = [pytest.mark.wire, pytest.mark.anyio]

DAYS = timedelta(days=120)
TYPES = ("ONE", "TWO", "THREE", "SELDOM")
STATUSES: tuple[ev.RequestStatus, ...] = ("received", "routed", "fixed", "closed")


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


def requests(number: int) -> list[ServiceRequest]:
    chances = random.Random(number)
    made: list[ServiceRequest] = []
    for each in range(number):
        at = NOW - DAYS * chances.random()
        if each % 10 == 0 and made:
            at = moment(made[-1])  # Two at the same moment are told apart by their ids.
        made.append(
            ServiceRequest(
                record_id=f"r-{each:05}",
                version=1,
                service_code=chances.choices(TYPES, (50, 30, 20, 1))[0],
                received_at=at,
                updated_at=at + (NOW - at) * chances.random(),
                status=chances.choice(STATUSES),
                located=Located(
                    outcome="resolved",
                    latitude=25.5 + chances.random() / 4,
                    longitude=-80.5 + chances.random() / 4,
                ),
                place_checked=True,
                listed=each % 7 != 0,
            )
        )
    return made


def moment(request: ServiceRequest) -> datetime:
    assert request.received_at is not None
    return request.received_at


def expected(stored: Sequence[ServiceRequest], query: RequestQuery) -> list[str]:
    """What the list must hold, found the simple way."""

    def fits(each: ServiceRequest) -> bool:
        place = each.located
        assert place is not None
        assert place.latitude is not None
        assert place.longitude is not None
        assert each.updated_at is not None
        west, south, east, north = query.bbox or (-180, -90, 180, 90)
        return (
            each.listed
            and (query.start is None or query.start <= moment(each))
            and (query.end is None or moment(each) <= query.end)
            and (not query.service_codes or each.service_code in query.service_codes)
            and (not query.statuses or each.status in query.statuses)
            and (query.updated_after is None or each.updated_at > query.updated_after)
            and (query.updated_before is None or each.updated_at < query.updated_before)
            and west <= place.longitude <= east
            and south <= place.latitude <= north
        )

    by = _newest if query.start else _last_changed
    found = sorted((each for each in stored if fits(each)), key=by, reverse=True)
    return [each.record_id for each in found]


def _newest(request: ServiceRequest) -> tuple[datetime, str]:
    return moment(request), request.record_id


def _last_changed(request: ServiceRequest) -> tuple[datetime, str]:
    assert request.updated_at is not None
    return request.updated_at, request.record_id


@dataclass
class Listed:
    stored: list[ServiceRequest]
    records: MongoRecords[ServiceRequest]
    listing: MongoListing
    clock: SetClock

    async def add(self, *more: ServiceRequest) -> None:
        self.stored += more
        await self.records.commit([Write(0, each, (), NOW) for each in more])

    async def page(self, query: RequestQuery) -> list[str]:
        return [row["_id"] for row in await self.listing.page(query)]


@pytest.fixture(scope="module")
async def listed(servers: Stack) -> AsyncIterator[Listed]:
    async with database_of_its_own(servers) as database:
        clock = SetClock(NOW)
        records = MongoRecords(database["requests"], ServiceRequest, listed_fields)
        await records.prepare(MongoPublicRequests(records, clock).INDEXES)
        found = Listed([], records, small(records.collection, clock), clock)
        await found.add(*requests(900))
        yield found


def small(collection: Collection, clock: SetClock) -> MongoListing:
    """With windows so small that a page needs many."""
    listing = MongoListing(collection, clock)
    listing.NEAR, listing.FAR = 5, 20
    return listing


WINDOW: dict[str, Any] = {"start": NOW - timedelta(days=90), "end": NOW}
OPEN: tuple[ev.RequestStatus, ...] = ("received", "routed")
QUERIES = {
    "all": RequestQuery(**WINDOW),
    "open": RequestQuery(**WINDOW, statuses=OPEN),
    "closed": RequestQuery(**WINDOW, statuses=tuple(sorted(CLOSED))),
    "one type": RequestQuery(**WINDOW, service_codes=("TWO",)),
    "a rare type": RequestQuery(**WINDOW, service_codes=("SELDOM",)),
    "types": RequestQuery(**WINDOW, service_codes=("TWO", "SELDOM", "NONE"), statuses=OPEN),
    "many types": RequestQuery(
        **WINDOW, service_codes=("TWO", "ONE", *(f"T-{n}" for n in range(50)))
    ),
    "a month": RequestQuery(start=NOW - timedelta(days=70), end=NOW - timedelta(days=40)),
    "a small map": RequestQuery(**WINDOW, bbox=(-80.45, 25.55, -80.40, 25.62)),
    "a large map": RequestQuery(**WINDOW, bbox=(-80.45, 25.55, -80.30, 25.73), statuses=OPEN),
    "no map": RequestQuery(**WINDOW, bbox=(-80.45, 25.55, -80.45, 25.55)),
    "updated": RequestQuery(**WINDOW, updated_after=NOW - timedelta(days=5)),
    "updated between": RequestQuery(
        **WINDOW,
        service_codes=("ONE",),
        updated_after=NOW - timedelta(days=30),
        updated_before=NOW - timedelta(days=2),
    ),
    "changed lately, of any age": RequestQuery(
        start=None,
        end=None,
        updated_after=NOW - timedelta(days=4),
        updated_before=NOW - timedelta(hours=1),
    ),
    "changed lately, on a small map": RequestQuery(
        start=None,
        end=None,
        updated_after=NOW - timedelta(days=90),
        updated_before=NOW,
        bbox=(-80.45, 25.55, -80.40, 25.62),
        service_codes=("TWO",),
        statuses=OPEN,
    ),
}


def paged(query: RequestQuery, page: int, size: int) -> RequestQuery:
    return RequestQuery(
        **{**{name: getattr(query, name) for name in query.__slots__}, "page": page}
        | {"page_size": size}
    )


@pytest.mark.parametrize("size", [7, 100])
@pytest.mark.parametrize("name", QUERIES)
async def test_the_pages_are_the_rows_that_fit_newest_first(
    listed: Listed, name: str, size: int
) -> None:
    query = QUERIES[name]
    rows: list[str] = []
    for page in range(1, 1000):
        found = await listed.page(paged(query, page, size))
        rows += found
        if len(found) < size:
            break
    assert rows == expected(listed.stored, query)


async def test_a_page_deep_down_is_the_same_whichever_was_read_before(listed: Listed) -> None:
    query = QUERIES["all"]
    wanted = expected(listed.stored, query)
    fresh = small(listed.records.collection, listed.clock)
    for page in (40, 3, 41, 90, 39, 1, 40):
        found = [row["_id"] for row in await fresh.page(paged(query, page, 7))]
        assert found == wanted[(page - 1) * 7 : page * 7]


async def test_what_reads_as_the_ends_own_second_belongs_to_the_list(listed: Listed) -> None:
    """Clients send back times that they were shown, in whole seconds."""
    end = NOW - timedelta(days=200)
    (one,) = requests(1)
    last = one.model_copy(
        update={
            "record_id": "last",
            "received_at": end + timedelta(milliseconds=900),
            "listed": True,
        }
    )
    await listed.add(last)
    start = end - timedelta(days=1)
    assert await listed.page(RequestQuery(start=start, end=end)) == ["last"]
    exactly = end + timedelta(milliseconds=1)
    assert await listed.page(RequestQuery(start=start, end=exactly)) == []


async def test_past_the_end_a_page_is_empty(listed: Listed) -> None:
    assert await listed.page(paged(QUERIES["all"], 5_000, 100)) == []


async def test_what_comes_in_meanwhile_moves_the_pages_and_loses_no_row(listed: Listed) -> None:
    before = await listed.page(paged(QUERIES["all"], 20, 7))
    later = NOW + timedelta(seconds=20)
    newer = [
        each.model_copy(update={"record_id": f"new-{n}", "received_at": later, "listed": True})
        for n, each in enumerate(requests(3))
    ]
    await listed.add(*newer)
    listed.clock.at = later
    query = RequestQuery(start=NOW - timedelta(days=90), end=later)
    wanted = expected(listed.stored, query)
    after = await listed.page(paged(query, 20, 7))
    assert after == wanted[19 * 7 : 20 * 7]
    assert after[3:] == before[:4]
    assert await listed.page(paged(query, 1, 7)) == wanted[:7]


class Watched:
    """The collection, and what was read from it: the first stage of each read."""

    def __init__(self, collection: Collection) -> None:
        self.collection = collection
        self.reads: list[dict[str, Any]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.collection, name)

    def aggregate(self, stages: Sequence[Any]) -> Any:
        if any("$sort" in stage for stage in stages):
            self.reads.append(stages[0]["$match"])
        return self.collection.aggregate(stages)


async def test_a_list_reads_few_rows_of_many(listed: Listed) -> None:
    """What is sorted grows with the page, not with what is stored."""
    watched: Any = Watched(listed.records.collection)
    listing = MongoListing(watched, listed.clock)
    query = paged(QUERIES["all"], 1, 10)
    await listing.page(query)
    first = len(watched.reads)
    await listing.page(query)
    assert len(watched.reads) - first == 1, "its density is known by now"
    assert first <= 6


@pytest.mark.parametrize("page", [1, 20])
async def test_after_a_storm_no_window_with_all_its_rows_is_read(
    listed: Listed, page: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MongoListing, "MOST_READ", 60)
    monkeypatch.setattr(MongoListing, "NEAR", 15)
    code = f"STORM-{page}"
    began = listed.clock.at - timedelta(minutes=20)
    await listed.add(
        *(
            each.model_copy(
                update={
                    "record_id": f"{code}-{n:04}",
                    "received_at": began + timedelta(milliseconds=7 * n),
                    "service_code": code,
                    "listed": True,
                }
            )
            for n, each in enumerate(requests(1000))
        )
    )
    watched: Any = Watched(listed.records.collection)
    listing = MongoListing(watched, listed.clock)
    query = RequestQuery(
        start=began - DAYS / 2,
        end=listed.clock.at,
        service_codes=(code,),
        page=page,
        page_size=10,
    )
    found = [row["_id"] for row in await listing.page(query)]
    assert found == expected(listed.stored, query)[(page - 1) * 10 : page * 10]
    assert watched.reads
    for read in watched.reads:
        assert await listed.records.collection.count_documents(read) <= 60


@pytest.mark.parametrize("age", [timedelta(0), timedelta(days=2)])
async def test_what_comes_to_a_list_that_had_nothing_new_is_on_its_first_page_at_once(
    listed: Listed, age: timedelta
) -> None:
    code = f"NEW-{age.days}"
    (one,) = requests(1)
    old = {"service_code": code, "listed": True}
    if age:
        at = listed.clock.at - age
        await listed.add(
            one.model_copy(update={**old, "record_id": f"old-{code}", "received_at": at})
        )
    start = listed.clock.at - timedelta(days=90)
    before = await listed.page(
        RequestQuery(start=start, end=listed.clock.at, service_codes=(code,))
    )
    assert len(before) == (1 if age else 0)
    listed.clock.at += timedelta(seconds=5)
    at = listed.clock.at - timedelta(seconds=1)
    await listed.add(one.model_copy(update={**old, "record_id": f"new-{code}", "received_at": at}))
    query = RequestQuery(start=start, end=listed.clock.at, service_codes=(code,))
    assert await listed.page(query) == [f"new-{code}", *before]
