"""Which jobs are late, in the database."""

from collections.abc import AsyncIterator
from datetime import date, datetime, timedelta

import pytest

from deploy.local.stack import Stack
from direct311.routing.deadlines.adapters import MongoLateJobs, watched
from direct311.routing.job import Delivery, Job
from direct311.routing.work.adapters.mongo import MongoJobs, waiting
from direct311.runtime.messaging.records import Write
from direct311.runtime.storage.database import MongoRecords
from direct311.schemas.events import RequestStatus
from tests.support.runtime import NOW, database_of_its_own

pytestmark = [pytest.mark.wire, pytest.mark.anyio]

TODAY = NOW.date()
YESTERDAY = TODAY - timedelta(days=1)


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def records(servers: Stack) -> AsyncIterator[MongoRecords[Job]]:
    async with database_of_its_own(servers) as database:
        records = MongoRecords(database["jobs"], Job, watched)
        await records.prepare((*MongoJobs.INDEXES, *MongoLateJobs.INDEXES))
        yield records


def job(
    record_id: str,
    due_on: date | None = YESTERDAY,
    status: RequestStatus = "routed",
    *,
    noticed: bool = False,
) -> Job:
    return Job(
        record_id=record_id,
        version=1,
        status=status,
        department="parks",
        due_on=due_on,
        overdue_noticed=noticed,
    )


async def test_open_jobs_whose_day_has_passed_are_late_until_that_was_told(
    records: MongoRecords[Job],
) -> None:
    jobs = [
        job("late"),
        job("long", TODAY - timedelta(days=400), "in_progress"),
        job("today", TODAY),
        job("without", None),
        job("closed", status="closed"),
        job("told", noticed=True),
        job("going").model_copy(update={"lifecycle": "destroying", "order_id": "o"}),
        job("recalled").model_copy(update={"department": None}),
    ]
    await records.commit([Write(0, each, (), NOW) for each in jobs])
    found = MongoLateJobs(records)
    assert sorted(await found.late(TODAY, 10)) == ["late", "long"]
    assert len(await found.late(TODAY, 1)) == 1
    assert sorted(await found.late(TODAY + timedelta(days=1), 10)) == ["late", "long", "today"]
    told = jobs[0].model_copy(update={"overdue_noticed": True, "version": 2})
    await records.commit([Write(1, told, (), NOW)])
    assert await found.late(TODAY, 10) == ["long"]
    kept = await MongoJobs(records).get("long")
    assert kept == jobs[1]


async def test_jobs_that_no_department_has_acknowledged_are_counted(servers: Stack) -> None:
    async with database_of_its_own(servers) as database:
        records = MongoRecords(database["jobs"], Job, waiting)
        await records.prepare(MongoJobs.INDEXES)

        def sent(record_id: str, at: datetime, *, known: bool = False) -> Job:
            delivery = Delivery(
                department="parks", sent_at=at, acknowledged_at=NOW if known else None
            )
            return job(record_id).model_copy(update={"deliveries": (delivery,)})

        long_ago = NOW - timedelta(days=2)
        jobs = [
            sent("new", NOW),
            sent("old", long_ago),
            sent("older", long_ago),
            sent("known", long_ago, known=True),
            job("from before"),
        ]
        await records.commit([Write(0, each, (), NOW) for each in jobs])
        found = await MongoJobs(records).unacknowledged(NOW - timedelta(days=1))
        assert found == {("parks", False): 1, ("parks", True): 2}
