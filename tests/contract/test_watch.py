"""What audit's watch remembers, in memory and in the database."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from direct311.audit.monitoring.adapters.mongo_watch import MongoNumbers, MongoWatch
from direct311.audit.monitoring.domain.fetches import Fetch
from direct311.audit.monitoring.domain.numbers import Gap, Numbered
from direct311.audit.monitoring.ports import Numbers, Watch
from direct311.runtime.storage.database import Database
from tests.support.runtime import NOW, database_of_its_own
from tests.unit.audit.fakes import InMemoryNumbers, InMemoryWatch

pytestmark = [pytest.mark.wire, pytest.mark.anyio]

SECOND = timedelta(seconds=1)


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def database(request: pytest.FixtureRequest) -> AsyncIterator[Database]:
    async with database_of_its_own(request.getfixturevalue("servers")) as database:
        yield database


@pytest.fixture(params=["memory", "database"])
async def place(request: pytest.FixtureRequest) -> AsyncIterator[Database | None]:
    """Where it is remembered; `None`: in memory."""
    if request.param == "memory":
        yield None
        return
    async with database_of_its_own(request.getfixturevalue("servers")) as database:
        yield database


@pytest.fixture
async def watch(place: Database | None) -> Watch:
    if place is None:
        return InMemoryWatch()
    found = MongoWatch(place)
    await found.prepare()
    return found


@pytest.fixture
async def numbers(place: Database | None) -> Numbers:
    if place is None:
        return InMemoryNumbers()
    found = MongoNumbers(place)
    await found.prepare()
    return found


def fetch(event: str, record: str = "r", service: str = "intake", seconds: int = 0) -> Fetch:
    at = NOW + seconds * SECOND
    return Fetch(service=service, record_id=record, event_id=event, at=at)


async def test_fetches_are_told_apart_by_service_event_and_record(watch: Watch) -> None:
    fetches = [fetch("a"), fetch("a", "s"), fetch("a", service="media"), fetch("b")]
    await watch.keep(fetches)
    await watch.keep([fetch("a", seconds=5), fetch("c")])
    kept = await watch.kept("", 10)
    assert sorted(kept, key=str) == sorted([*fetches, fetch("c")], key=str)
    await watch.drop(["a", "c"])
    assert await watch.kept("", 10) == [fetch("b")]
    await watch.drop([])


async def test_all_are_met_page_by_page_also_while_some_go(watch: Watch) -> None:
    await watch.keep([fetch(f"event-{n}") for n in range(50)])
    met: list[Fetch] = []
    after = ""
    while page := await watch.kept(after, 7):
        met += page
        after = page[-1].key
        await watch.drop([page[0].event_id])
    assert sorted(each.event_id for each in met) == sorted(f"event-{n}" for n in range(50))
    assert len(await watch.kept("", 100)) == 50 - 8


async def test_those_that_are_late_are_counted_all_and_listed_oldest_first(watch: Watch) -> None:
    await watch.keep([fetch(f"event-{n}", seconds=-n) for n in range(20)])
    await watch.keep([fetch("other", service="media", seconds=-3), fetch("new", seconds=1)])
    assert await watch.late(NOW) == {"intake": 19, "media": 1}
    listed = await watch.overdue(NOW, 3)
    assert [each.event_id for each in listed] == ["event-19", "event-18", "event-17"]
    assert await watch.late(NOW - 60 * SECOND) == {}


async def test_what_was_kept_by_its_event_alone_stays_kept(database: Database) -> None:
    old = fetch("a").model_dump(exclude={"event_id"})
    await database["fetches"].insert_one({"_id": "a", **old})
    watch = MongoWatch(database)
    for _ in range(2):
        await watch.prepare()
    await watch.keep([fetch("a"), fetch("a", "s")])
    assert sorted(each.record_id for each in await watch.kept("", 10)) == ["r", "s"]


async def test_numbers_come_back_as_they_were(numbers: Numbers) -> None:
    gaps = (Gap(range(2, 3), NOW), Gap(range(5, 2**63 - 1), NOW + SECOND))
    one = Numbered("intake/1", 2**63 - 1, 7, gaps, (range(3, 5),), 4)
    two = Numbered("intake/2", 9, 8)
    await numbers.save([one, two])
    assert await numbers.of(["intake/1", "intake/2", "intake/3"]) == {
        "intake/1": one,
        "intake/2": two,
    }
    assert await numbers.with_gaps() == [one]
    await numbers.save([Numbered("intake/1", 2**63 - 1, 9)])
    assert await numbers.with_gaps() == []
    await numbers.save([])
