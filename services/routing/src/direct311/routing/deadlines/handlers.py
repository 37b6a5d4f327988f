"""Announce jobs whose due date has passed."""

from datetime import date
from typing import Final
from zoneinfo import ZoneInfo

from direct311.routing.deadlines.ports import LateJobs
from direct311.routing.job import Job
from direct311.routing.states import States
from direct311.runtime.clock import Clock
from direct311.runtime.messaging.records import EventProcessor
from direct311.runtime.messaging.state import Change, Outgoing
from direct311.schemas import derived_id, routed_topic
from direct311.schemas import events as ev

_DUE_NAMESPACE: Final = "5d9d6f0e-3f63-5a0a-9d0e-1f9d3f3f7a10"
_AT_A_TIME: Final = 200


class Deadlines:
    """Finds the jobs that are late today, by the county's calendar."""

    def __init__(
        self, jobs: LateJobs, processor: EventProcessor[Job], states: States, clock: Clock
    ) -> None:
        self._jobs = jobs
        self._processor = processor
        self._states = states
        self._clock = clock

    async def step(self) -> None:
        """Announce all late jobs not announced yet, once per job."""
        today = self._clock.now().astimezone(ZoneInfo("America/New_York")).date()

        async def decide(job: Job) -> Change[Job] | None:
            return await overdue(job, today, self._states, self._clock)

        while late := await self._jobs.late(today, _AT_A_TIME):
            for record_id in late:
                cause = derived_id(_DUE_NAMESPACE, f"{record_id}:{today}")
                await self._processor.change(record_id, cause, decide)


async def overdue(job: Job, today: date, states: States, clock: Clock) -> Change[Job] | None:
    """Announce once that the due date has passed."""
    due = job.due_on
    if job.lifecycle != "active":
        return None
    if job.department is None or due is None or due >= today or job.overdue_noticed:
        return None
    if states.state(job.status).final:
        return None
    overdue = ev.RequestOverdue(
        record_id=job.record_id,
        version=job.version + 1,
        department=job.department,
        due_on=due,
        noticed_at=clock.now(),
    )
    return Change(
        job.noticed_overdue(),
        (Outgoing(overdue), Outgoing(overdue, topic=routed_topic(job.department))),
    )
