"""Of a job that is late everybody is told, while there is a job."""

from datetime import timedelta

import pytest

from direct311.routing.assignment.adapters import load_rules
from direct311.routing.deadlines.handlers import overdue
from direct311.routing.job import Job
from tests.support.runtime import NOW, SetClock

pytestmark = pytest.mark.anyio


async def test_a_job_that_is_being_destroyed_is_not_overdue() -> None:
    states, clock = load_rules().states, SetClock()
    job = Job(
        record_id="a",
        version=1,
        status="routed",
        department="parks",
        due_on=NOW.date() - timedelta(days=1),
    )
    assert await overdue(job, NOW.date(), states, clock) is not None
    gone = job.model_copy(update={"lifecycle": "destroying"})
    assert await overdue(gone, NOW.date(), states, clock) is None
