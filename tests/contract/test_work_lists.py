"""The staff's lists: whatever is asked, the pages are the rows that fit, in order, each once."""

import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from deploy.local.stack import Stack
from direct311.intake.county import day_of
from direct311.intake.request import UNINCORPORATED, Located, ServiceRequest
from direct311.intake.searches.adapters import MongoCandidates
from direct311.intake.work.adapters import MongoWorkList
from direct311.intake.work.domain.listing import STATUSES, WorkQuery
from direct311.intake.work.ports import WorkList
from direct311.runtime.messaging.records import Records, Write
from direct311.runtime.storage.database import MongoRecords
from tests.support.intake_stores import InMemoryWorkList
from tests.support.memory import InMemoryRecords
from tests.support.runtime import NOW, SetClock, database_of_its_own

pytestmark = pytest.mark.anyio

HOUR = timedelta(hours=1)
TODAY = day_of(NOW)


@dataclass(frozen=True)
class Stores:
    records: Records[ServiceRequest]
    listed: WorkList

    async def store(self, *states: ServiceRequest) -> None:
        assert not await self.records.commit([Write(0, each, (), NOW) for each in states])

    async def ids(self, **asked: Any) -> list[str]:
        """All pages of a list."""
        query = WorkQuery(**asked)
        found: list[str] = []
        for _ in range(200):
            page = await self.listed.page(query, TODAY)
            assert len(page.rows) <= query.limit
            found += [each.record_id for each in page.rows]
            if page.end is None:
                return found
            query = replace(query, after=page.end)
        raise AssertionError("the list has no end")


@pytest.fixture(params=["memory", pytest.param("database", marks=pytest.mark.wire)])
async def stores(request: pytest.FixtureRequest) -> AsyncIterator[Stores]:
    if request.param == "memory":
        kept: InMemoryRecords[ServiceRequest] = InMemoryRecords()
        yield Stores(kept, InMemoryWorkList(kept))
        return
    servers: Stack = request.getfixturevalue("servers")
    async with database_of_its_own(servers) as database:
        records = MongoRecords(database["requests"], ServiceRequest)
        await records.prepare((*MongoCandidates.INDEXES, *MongoWorkList.INDEXES))
        yield Stores(records, MongoWorkList(records, SetClock()))


def request(record_id: str, **fields: Any) -> ServiceRequest:
    given = {"received_at": NOW - HOUR, "service_code": "TREE", "status": "routed", **fields}
    return ServiceRequest(record_id=record_id, version=1, **given)


def place(municipality: str | None, outcome: str = "resolved") -> dict[str, object]:
    located = Located.model_validate({"outcome": outcome, "municipality": municipality})
    return {"located": located, "place_checked": True}


async def test_each_filter_narrows_the_list(stores: Stores) -> None:
    await stores.store(
        request("r-1", department="parks", **place("Hialeah")),
        request("r-2", service_code="DOG", department="parks", **place(None), protected=True),
        request("r-3", service_code="DOG", status="fixed", department="parks"),
        request("r-4", status="in_progress", emergency_assistance=True, department="triage_311"),
        request("r-5", marked_at=NOW, due_on=TODAY - timedelta(days=1)),
        request("r-6", **place(None, "outside"), due_on=TODAY),
        request("r-7", received_at=NOW - 3 * HOUR),
        request("r-8", lifecycle="destroying"),
    )
    newest = ["r-6", "r-5", "r-4", "r-2", "r-1", "r-7"]
    assert await stores.ids() == newest
    assert await stores.ids(statuses=STATUSES) == ["r-6", "r-5", "r-4", "r-3", "r-2", "r-1", "r-7"]
    assert await stores.ids(statuses=("fixed", "in_progress")) == ["r-4", "r-3"]
    assert await stores.ids(types=("DOG",)) == ["r-2"]
    assert await stores.ids(types=("DOG", "TREE"), limit=2) == newest
    assert await stores.ids(types=(*tuple("ABCDE"), "DOG")) == ["r-2"]
    assert await stores.ids(department="parks") == ["r-2", "r-1"]
    assert await stores.ids(department="parks", types=("TREE",)) == ["r-1"]
    assert await stores.ids(department="parks", statuses=("fixed",)) == ["r-3"]
    assert await stores.ids(department="parks", statuses=()) == []
    assert await stores.ids(place="Hialeah") == ["r-1"]
    assert await stores.ids(place=UNINCORPORATED) == ["r-2"]
    assert await stores.ids(flags=frozenset({"emergency"})) == ["r-4"]
    assert await stores.ids(flags=frozenset({"emergency"}), department="parks") == []
    assert await stores.ids(flags=frozenset({"marked"})) == ["r-5"]
    assert await stores.ids(flags=frozenset({"overdue"})) == ["r-5"]
    assert await stores.ids(flags=frozenset({"unplaced"})) == ["r-6"]
    assert await stores.ids(flags=frozenset({"protected"})) == ["r-2"]
    assert await stores.ids(received_before=NOW - 2 * HOUR) == ["r-7"]
    assert await stores.ids(received_from=NOW - 2 * HOUR) == newest[:-1]
    assert await stores.ids(sort="oldest", limit=1) == newest[::-1]


async def test_pages_have_each_row_once_however_far_apart_the_rows_are(stores: Stores) -> None:
    chances = random.Random(311)
    # Two hundred in a minute, some at the same moment, and a few over years.
    times = [NOW - timedelta(milliseconds=chances.randrange(60_000)) for _ in range(200)]
    times += [NOW - timedelta(days=chances.randrange(3_000)) for _ in range(20)]
    times += times[:30]
    states = [
        request(f"r-{number:03}", received_at=at, status=chances.choice(STATUSES))
        for number, at in enumerate(times)
    ]
    await stores.store(*states)
    ordered = sorted(states, key=lambda each: (times[int(each.record_id[2:])], each.record_id))
    for statuses in (STATUSES, ("routed", "fixed", "withdrawn")):
        wanted = [each.record_id for each in ordered if each.status in statuses]
        for limit in (7, 100):
            found = await stores.ids(statuses=statuses, limit=limit)
            assert found == wanted[::-1]
            assert await stores.ids(statuses=statuses, limit=limit, sort="oldest") == wanted
