"""A department's update of version 1, accepted or refused."""

from collections.abc import Mapping
from typing import Any

from direct311.redaction import redact_reference
from direct311.routing.job import Job, Work
from direct311.routing.states import Move, States, allowed
from direct311.routing.work.domain import (
    HANDLED_UPDATES,
    NO_ROOM,
    NOT_ANOTHER,
    NoteRefusedError,
    OriginalNote,
    Refusal,
    Refused,
    assignment_problem,
    can_be_another,
    has_room,
    time_problem,
    update_key,
    weight,
)
from direct311.routing.work.ports import JobOf, Redactor, WorkNotes
from direct311.runtime.clock import Clock
from direct311.runtime.messaging.records import Handler, on
from direct311.runtime.messaging.state import Change, Outgoing
from direct311.runtime.text import cleaned
from direct311.schemas import Event, replies_topic
from direct311.schemas import events as ev
from direct311.schemas.model import Model


class Answers:
    """Handlers of what the departments say about their jobs."""

    def __init__(
        self, states: States, redact: Redactor, notes: WorkNotes, job_of: JobOf, clock: Clock
    ) -> None:
        self._states = states
        self._job_of = job_of
        self._redact = redact
        self._notes = notes
        self._clock = clock

    def handlers(self) -> Mapping[type[Model], Handler[Any]]:
        return dict((on(ev.DepartmentUpdate, self.answered),))

    async def answered(self, job: Job, event: Event[ev.DepartmentUpdate]) -> Change[Job] | None:
        """Accept a department's update, or refuse it and say why.

        Only the redacted note goes on from here. Before that, the original is sealed at intake; if
        this is interrupted afterwards, the repeat seals nothing twice.

        :raises TransientError: the note cannot be sealed now.
        """
        update = event.data
        key = update_key(update.department, event.id)
        # Also by only the id, as jobs remembered updates before.
        if key in job.handled_updates or event.id in job.handled_updates:
            return None
        handled = (*job.handled_updates, key)[-HANDLED_UPDATES:]
        after = job.answered(handled)
        refusal = await self._refusal(job, update)
        if refusal is not None:
            return Change(after, (refused(update, event.id, refusal.code, refusal.reason),))
        now = self._clock.now()
        accepted = ev.UpdateAccepted(
            record_id=job.record_id,
            version=job.version + 1,
            update_id=event.id,
            department=update.department,
            status=update.status,
        )
        work = ev.WorkUpdated(
            record_id=job.record_id,
            version=job.version + 1,
            update_id=event.id,
            department=update.department,
            status=update.status,
            note=self._redact(cleaned(update.note, lines=True)),
            work_reference=work_number(update.work_reference),
            duplicate_of=update.duplicate_of,
            occurred_at=min(update.occurred_at, now),
            accepted_at=now,
        )
        if update.note:
            original = OriginalNote(job.record_id, update.department, event.id, update.note)
            try:
                await self._notes.seal(original)
            except NoteRefusedError as error:
                return Change(after, (refused(update, event.id, error.code, error.reason),))
        said = Work(
            step=update.status,
            at=work.occurred_at,
            work_reference=work.work_reference,
            duplicate_of=work.duplicate_of,
        )
        return Change(
            after.worked(update.status, weight(update), said, now),
            (Outgoing(accepted, topic=replies_topic(update.department)), Outgoing(work)),
        )

    async def _refusal(self, job: Job, update: ev.DepartmentUpdate) -> Refused | None:
        found = assignment_problem(job, update) or time_problem(job, update, self._clock.now())
        if found is not None:
            return found
        repeated = update.duplicate_of
        if repeated is not None and not await is_another(job, repeated, self._job_of):
            return NOT_ANOTHER
        move = Move(current=job.status, proposed=update.status, actor="department")
        if not allowed(move, self._states):
            may = ", ".join(self._states.next(job.status, "department")) or "nothing"
            return Refused("transition", f"From {job.status} a department may go to: {may}.")
        return None if has_room(job, update) else NO_ROOM


async def is_another(job: Job, record_id: str, job_of: JobOf) -> bool:
    """Whether a job can be a duplicate of this one: routing knows it, it is another one, and it is
    not itself a duplicate of the job."""
    if not can_be_another(job, record_id):
        return False
    other = await job_of(record_id)
    return other is not None and (other.work is None or other.work.duplicate_of != job.record_id)


def work_number(text: str | None) -> str | None:
    """A department's work number or crew, as others may see it."""
    return redact_reference(cleaned(text or ""), of_people=True).text or None


async def refuse_unknown(
    refusal: Refusal, event: Event[ev.DepartmentUpdate]
) -> Change[Refusal] | None:
    """The answer to an update for a request that routing does not know; once per update."""
    if refusal.version:
        return None
    reply = refused(event.data, event.id, "unknown_record", "There is no such request here.")
    return Change(refusal, (reply,))


def refused(update: ev.DepartmentUpdate, update_id: str, code: Any, reason: str) -> Outgoing:
    """The reply that an update was refused."""
    reply = ev.UpdateRefused(
        record_id=update.record_id,
        update_id=update_id,
        department=update.department,
        code=code,
        reason=reason,
    )
    return Outgoing(reply, topic=replies_topic(update.department))
