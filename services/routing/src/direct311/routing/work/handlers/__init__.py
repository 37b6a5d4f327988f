"""A department's update, accepted or refused."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from direct311.redaction import redact_reference
from direct311.routing.job import Job
from direct311.routing.states import Move, States, allowed
from direct311.routing.work.domain import (
    HANDLED_UPDATES,
    NoteRefusedError,
    OriginalNote,
    Refusal,
    has_room,
    update_key,
    weight,
)
from direct311.routing.work.ports import Redactor, WorkNotes
from direct311.runtime.clock import Clock
from direct311.runtime.messaging.records import Handler, on
from direct311.runtime.messaging.state import Change, Outgoing
from direct311.runtime.text import cleaned
from direct311.schemas import Event, replies_topic
from direct311.schemas import events as ev
from direct311.schemas.model import Model

CLOCKS_APART = timedelta(hours=1)
"""How far a department's clock may be ahead. A time within this counts as now."""
LONGEST_BEFORE = timedelta(days=366)
"""How long before a report arrived its work may have been done."""


class Answers:
    """Handlers of what the departments say about their jobs."""

    def __init__(self, states: States, redact: Redactor, notes: WorkNotes, clock: Clock) -> None:
        self._states = states
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
        refusal = self._refusal(job, update)
        if refusal is not None:
            return Change(after, (refused(update, event.id, *refusal),))
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
            work_reference=_number(update.work_reference),
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
        return Change(
            after.worked(update.status, weight(update)),
            (Outgoing(accepted, topic=replies_topic(update.department)), Outgoing(work)),
        )

    def _refusal(self, job: Job, update: ev.DepartmentUpdate) -> tuple[str, str] | None:
        if job.department is None:
            return "not_assigned", "No department has this request at present."
        if job.department != update.department:
            return "wrong_department", "Another department has this request."
        now = self._clock.now()
        received = job.asked.received_at if job.asked else now
        if not received - LONGEST_BEFORE <= update.occurred_at <= now + CLOCKS_APART:
            return (
                "malformed",
                f"occurred_at must lie at most {LONGEST_BEFORE.days} days before the request came "
                "and not in the future.",
            )
        if update.duplicate_of is not None and not _may_repeat(job, update.duplicate_of):
            return "malformed", "duplicate_of must be the id of another request."
        move = Move(current=job.status, proposed=update.status, actor="department")
        if not allowed(move, self._states):
            may = ", ".join(self._states.next(job.status, "department")) or "nothing"
            return "transition", f"From {job.status} a department may go to: {may}."
        if not has_room(job, update):
            return "malformed", "The request has all the notes that it takes: send it without one."
        return None


def _may_repeat(job: Job, record_id: str) -> bool:
    """Whether a job can be a duplicate of this id: it has our format, and is not the job's own."""
    try:
        return str(UUID(record_id)) == record_id != job.record_id
    except ValueError:
        return False


def _number(work_reference: str | None) -> str | None:
    """A department's work number, as others may see it."""
    return redact_reference(cleaned(work_reference or ""), of_people=True).text or None


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
