"""The list of updates: what was written in a window, whenever the request came, each once."""

import random
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest

from deploy.local.stack import Stack
from direct311.intake.open311.adapters.updates import MongoUpdates, noted_fields
from direct311.intake.request import Note, ServiceRequest
from direct311.runtime.messaging.records import Write
from direct311.runtime.storage.database import MongoRecords
from tests.support.runtime import NOW, database_of_its_own

pytestmark = [pytest.mark.wire, pytest.mark.anyio]


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


def requests() -> list[ServiceRequest]:
    chances = random.Random(7)

    def notes(number: int) -> tuple[Note, ...]:
        times = sorted(
            NOW - timedelta(milliseconds=chances.randrange(60 * 86_400_000))
            for _ in range(chances.randrange(5))
        )
        return tuple(
            Note(at=at, kind="notice", update_id=f"u-{number}-{place}")
            for place, at in enumerate(times)
        )

    return [
        ServiceRequest(
            record_id=f"r-{number}",
            version=1,
            service_code="ONE",
            received_at=NOW - timedelta(days=100),
            listed=number % 5 != 0,
            notes=notes(number),
        )
        for number in range(400)
    ]


STORED = requests()


def expected(since: datetime, until: datetime) -> list[str]:
    found = sorted(
        (note.at, note.update_id)
        for request in STORED
        if request.listed
        for note in request.notes
        if since <= note.at < until
    )
    return [update_id for _, update_id in found]


@pytest.fixture(scope="module")
async def updates(servers: Stack) -> AsyncIterator[MongoUpdates]:
    async with database_of_its_own(servers) as database:
        records = MongoRecords(database["requests"], ServiceRequest, noted_fields)
        await records.prepare(MongoUpdates.INDEXES)
        await records.commit([Write(0, each, (), NOW) for each in STORED])
        yield MongoUpdates(records.collection)


@pytest.mark.parametrize(
    ("since", "until"),
    [
        (timedelta(days=61), timedelta(0)),
        (timedelta(days=40, minutes=17), timedelta(days=39, minutes=3)),
        (timedelta(hours=2), timedelta(0)),
        (timedelta(days=3, seconds=1), timedelta(days=3)),
        (timedelta(days=200), timedelta(days=100)),
        (timedelta(0), timedelta(0)),
    ],
)
async def test_a_window_holds_what_was_written_in_it_oldest_first(
    updates: MongoUpdates, since: timedelta, until: timedelta
) -> None:
    window = NOW - since, NOW - until
    found = await updates.written(*window, 10_000)
    assert [each.update_id for each in found] == expected(*window)


async def test_who_goes_on_after_the_last_one_gets_each_once(updates: MongoUpdates) -> None:
    start, until = NOW - timedelta(days=61), NOW
    rows: list[str] = []
    since = start
    for _ in range(1000):
        found = await updates.written(since, until, 50)
        rows += [each.update_id for each in found]
        if len(found) < 50:
            break
        since = found[-1].note.at.replace(microsecond=0) + timedelta(seconds=1)
    assert rows == expected(start, until)
    assert len(rows) > 200
