"""The queue of each department, over HTTP."""

from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from direct311.routing.api import CallerOf
from direct311.routing.job import Job, Work
from direct311.routing.work.domain import DeliveryState, delivery_state
from direct311.routing.work.handlers.history import JobHistories, JobHistory
from direct311.routing.work.ports import Jobs
from direct311.runtime.access.roles import DEPARTMENT_SYSTEM, ROLES
from direct311.runtime.access.rules import Caller, works_for
from direct311.runtime.clock import Clock
from direct311.runtime.errors import RefusedError
from direct311.runtime.http.api import PROBLEMS, require
from direct311.schemas import Instant, Model, OnDate, RecordId
from direct311.schemas import events as ev

STAFF = ROLES.jobs
"""Who may see any department's job. A department and its inspectors see only their own."""
COUNTERS = ROLES.job_counts


class DeliveryView(Model):
    """One department's possession of a job."""

    department: str
    state: DeliveryState
    sent_at: Instant
    acknowledged_at: Instant | None
    refused_at: Instant | None


class JobView(Model):
    """A job as its department sees it. `work`: what the department last said about it.
    `deliveries`: the departments that had it, oldest first."""

    record_id: str
    status: ev.RequestStatus
    department: str | None
    due_on: OnDate | None
    revision: int
    routed: ev.RequestRouted | None
    work: Work | None = None
    deliveries: tuple[DeliveryView, ...] = ()


class QueueView(Model):
    """One page; `next` is the `after` of the following page."""

    jobs: tuple[JobView, ...]
    next: str | None


class CountsView(Model):
    """Jobs by status; `total` is their sum."""

    total: int
    counts: dict[str, int]


class HistoryQuestion(Model, extra="forbid"):
    """`purpose`: the kind of the case's grant. `reference`: the case."""

    purpose: ev.DisclosureKind
    reference: RecordId


def router(
    jobs: Jobs,
    histories: JobHistories,
    caller_of: CallerOf,
    systems: CallerOf,
    clock: Clock,
    acknowledge_within: timedelta,
) -> APIRouter:
    """The queue of a department, one job, and its history for a disclosure case. A department's
    system may ask for the queue and for a job."""

    def view(job: Job) -> JobView:
        return _view(job, clock.now(), acknowledge_within)

    api = APIRouter(prefix="/v1", responses=PROBLEMS)
    who, or_system = Depends(caller_of), Depends(systems)

    @api.get("/jobs")
    async def queue(
        caller: Annotated[Caller, or_system],
        department: Annotated[str, Query(pattern=r"^[a-z][a-z0-9_]{1,40}$")],
        status: Annotated[list[ev.RequestStatus] | None, Query()] = None,
        after: Annotated[RecordId | None, Query()] = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
    ) -> QueueView:
        """A department's queue, oldest first; by default only open jobs."""
        _may_see(caller, department)
        chosen = status or ["routed", "in_progress", "on_hold", "referred"]
        found = await jobs.queue(department, chosen, after, limit)
        return QueueView(
            jobs=tuple(view(job) for job in found),
            next=found[-1].record_id if len(found) == limit else None,
        )

    @api.get("/jobs/{record_id}")
    async def job(caller: Annotated[Caller, or_system], record_id: str) -> JobView:
        """One job."""
        found = await jobs.get(record_id)
        # Check this before saying that there is none: not everybody may learn which ids are
        # requests.
        _may_see(caller, found.department if found else None)
        if found is None:
            raise RefusedError("not_found", "There is no such job.")
        return view(found)

    @api.post("/jobs/{record_id}/history")
    async def history(
        caller: Annotated[Caller, who], record_id: RecordId, question: HistoryQuestion
    ) -> JobHistory:
        """A job's history, by a grant of a disclosure case that names the record and the caller,
        and has the field `job_history`."""
        return await histories.read(caller, record_id, question.purpose, question.reference)

    return api


def counts_router(jobs: Jobs, caller_of: CallerOf) -> APIRouter:
    """Counts of the work."""
    api = APIRouter(prefix="/v1", responses=PROBLEMS)
    who = Depends(caller_of)

    @api.get("/counts")
    async def counts(caller: Annotated[Caller, who]) -> CountsView:
        """How many jobs have which status."""
        require(caller, *COUNTERS)
        found = await jobs.count()
        return CountsView(total=sum(found.values()), counts=found)

    return api


def _may_see(caller: Caller, department: str | None) -> None:
    own_system = DEPARTMENT_SYSTEM in caller.roles and caller.department == department
    if not own_system and not works_for(caller, department):
        require(caller, *STAFF)


def _view(job: Job, now: datetime, within: timedelta) -> JobView:
    deliveries = [
        {**each.model_dump(), "state": delivery_state(each, now, within)}
        for each in job.known_deliveries
    ]
    shown = job.model_dump(include=set(JobView.model_fields) - {"deliveries"})
    return JobView.model_validate({**shown, "deliveries": deliveries})
