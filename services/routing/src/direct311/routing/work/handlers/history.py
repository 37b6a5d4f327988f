"""A job's history as a disclosure case may read it, by a grant that is checked at each call."""

from direct311.routing.job import Job
from direct311.routing.work.ports import Jobs
from direct311.runtime.access.disclosures import Disclosures, under_case
from direct311.runtime.access.ledger import Access
from direct311.runtime.access.rules import Caller, RecordFacts
from direct311.runtime.errors import RefusedError
from direct311.runtime.vault.vault import Door
from direct311.schemas import Instant, Model, OnDate
from direct311.schemas import events as ev

FIELDS = ("job_history",)


class JobHistory(Model):
    """Who had the job, by which rule, and until when. It has no place, no text and no file: their
    owners open those. `revision` counts the announcements to departments. `updates`: how many
    updates of departments were handled, of the last 200."""

    record_id: str
    status: ev.RequestStatus
    received_at: Instant | None
    department: str | None
    revision: int
    routed_at: Instant | None
    rule_id: str | None
    rules_version: str | None
    due_on: OnDate | None
    was_overdue: bool
    updates: int


class JobHistories:
    """Opens the history of a job for a disclosure case."""

    def __init__(self, jobs: Jobs, disclosures: Disclosures, door: Door) -> None:
        self._jobs = jobs
        self._disclosures = disclosures
        self._door = door

    async def read(
        self, caller: Caller, record_id: str, purpose: ev.DisclosureKind, case_id: str
    ) -> JobHistory:
        """:raises RefusedError: no grant of the case allows it, or there is no such job."""
        access = Access(
            caller,
            action="view",
            purpose=purpose,
            operation="POST /v1/jobs/{record_id}/history",
            fields=FIELDS,
            record_ids=(record_id,),
            reference=case_id,
        )
        facts = await self._disclosures.facts_for(access, RecordFacts(record_id))
        await self._door.authorise(under_case(access, facts), facts)
        found = await self._jobs.get(record_id)
        if found is None:
            raise RefusedError("not_found", "There is no such job.")
        return _history(found)


def _history(job: Job) -> JobHistory:
    routed = job.routed
    return JobHistory(
        record_id=job.record_id,
        status=job.status,
        received_at=job.asked.received_at if job.asked else None,
        department=job.department,
        revision=job.revision,
        routed_at=routed.routed_at if routed else None,
        rule_id=routed.rule_id if routed else None,
        rules_version=routed.rules_version if routed else None,
        due_on=job.due_on,
        was_overdue=job.overdue_noticed,
        updates=len(job.handled_updates),
    )
