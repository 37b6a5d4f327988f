"""A step that a department reports (`department.update`, version 2), accepted or refused."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from direct311.routing.job import Answer, Job, NotReadyError, Why, Work
from direct311.routing.states import States
from direct311.routing.steps import Step, Steps
from direct311.routing.work.domain import (
    ANSWERS_KEPT,
    CLOCKS_APART,
    HANDLED_UPDATES,
    LONGEST_AHEAD,
    NO_ROOM,
    NOT_ANOTHER,
    NoteRefusedError,
    OriginalNote,
    Refusal,
    Refused,
    assignment_problem,
    has_room,
    time_problem,
    update_key,
    weight,
)
from direct311.routing.work.handlers import is_another, work_number
from direct311.routing.work.ports import HandOver, JobOf, Redactor, WorkNotes
from direct311.runtime.clock import Clock
from direct311.runtime.messaging.records import Handler, on
from direct311.runtime.messaging.state import Change, Outgoing
from direct311.runtime.text import cleaned
from direct311.schemas import Event, replies_topic
from direct311.schemas import events as ev
from direct311.schemas.model import Model

UNKNOWN = Refused("unknown_record", "There is no such request here.", "record_id")
BEING_CHECKED = Refused(
    "held", "The place of the request is being checked: send this later, with a new id."
)


class Reported:
    """Handlers of the steps that departments report, however they arrive."""

    def __init__(
        self,
        steps: Steps,
        states: States,
        departments: Collection[str],
        redact: Redactor,
        notes: WorkNotes,
        job_of: JobOf,
        hand_over: HandOver,
        clock: Clock,
    ) -> None:
        self._steps = steps
        self._states = states
        self._departments = departments
        self._redact = redact
        self._notes = notes
        self._job_of = job_of
        self._hand_over = hand_over
        self._clock = clock

    def handlers(self) -> Mapping[type[Model], Handler[Any]]:
        return dict((on(ev.DepartmentUpdateV2, self.reported),))

    async def reported(self, job: Job, event: Event[ev.DepartmentUpdateV2]) -> Change[Job] | None:
        """Accept a step, or refuse it and say why.

        Only the redacted public note goes on from here; an internal one goes nowhere. Before that,
        the original is sealed at intake; if this is interrupted afterwards, the repeat seals
        nothing twice.

        :raises TransientError: the note cannot be sealed now.
        """
        update = event.data
        key = update_key(update.department, event.id)
        if key in job.handled_updates:
            return None
        handled = job.answered((*job.handled_updates, key)[-HANDLED_UPDATES:])
        step = self._steps.step(update.step)
        refusal = await self._refusal(job, step, update)
        if refusal is None:
            try:
                change = self._done(handled, step, update, event.id)
                await self._seal(job, update, event.id)
                return change
            except NotReadyError:
                refusal = BEING_CHECKED
            except NoteRefusedError as error:
                refusal = Refused(error.code, error.reason, "note")
        answer = Answer(
            key=key,
            step=update.step,
            code=refusal.code,
            reason=refusal.reason,
            field=refusal.field,
            allowed=refusal.allowed,
        )
        return Change(
            handled.told(answer, ANSWERS_KEPT), (refused_step(update, event.id, refusal),)
        )

    async def _seal(self, job: Job, update: ev.DepartmentUpdateV2, update_id: str) -> None:
        if update.note:
            original = OriginalNote(job.record_id, update.department, update_id, update.note)
            await self._notes.seal(original)

    def _done(
        self, job: Job, step: Step, update: ev.DepartmentUpdateV2, update_id: str
    ) -> Change[Job]:
        """The job after an accepted step, and what is said about it."""
        now = self._clock.now()
        status = step.after(job.status, update.outcome) or job.status
        public = update.note_for == "public"
        work = ev.WorkUpdatedV2(
            record_id=job.record_id,
            version=job.version + 1,
            update_id=update_id,
            department=update.department,
            step=update.step,
            status=status,
            note=self._redact(cleaned(update.note, lines=True)) if public else "",
            note_for=update.note_for,
            work_reference=work_number(update.work_reference),
            assigned_to=work_number(update.assigned_to),
            scheduled_for=update.scheduled_for,
            scheduled_until=update.scheduled_until,
            waiting_for=update.waiting_for,
            referred_to=update.referred_to,
            duplicate_of=update.duplicate_of,
            occurred_at=min(update.occurred_at, now),
            accepted_at=now,
        )
        said = Work(at=work.occurred_at, **work.model_dump(include=set(Work.model_fields) - {"at"}))
        accepted = ev.UpdateAcceptedV2(
            record_id=job.record_id,
            version=job.version + 1,
            update_id=update_id,
            department=update.department,
            step=update.step,
            status=status,
        )
        answer = Answer(
            key=update_key(update.department, update_id), step=update.step, status=status
        )
        after = job.worked(status, weight(update), said, now).told(answer, ANSWERS_KEPT)
        events = (Outgoing(accepted, topic=replies_topic(update.department)), Outgoing(work))
        if step.moves is None:
            return Change(after, events)
        moved = self._moved(after, step, update, now)
        return Change(moved.state, (*events, *moved.events))

    def _moved(
        self, job: Job, step: Step, update: ev.DepartmentUpdateV2, now: datetime
    ) -> Change[Job]:
        why: Why = "wrong_department" if step.moves == "triage" else "referred"
        if why == "wrong_department":
            job = job.refused_by_department(now)
        return self._hand_over(job, update.referred_to or self._steps.triage, why)

    async def _refusal(self, job: Job, step: Step, update: ev.DepartmentUpdateV2) -> Refused | None:
        now = self._clock.now()
        return (
            assignment_problem(job, update)
            or time_problem(job, update, now)
            or self._forbidden(job, step, update)
            or _form_problem(step, update)
            or _schedule_problem(update, now)
            or self._referral_problem(update)
            or await self._duplicate_problem(job, update)
            or (None if has_room(job, update) else NO_ROOM)
        )

    def _forbidden(self, job: Job, step: Step, update: ev.DepartmentUpdateV2) -> Refused | None:
        possible = [
            each
            for each in self._steps.possible(job.status, self._states)
            if each != "wrong_department" or update.department != self._steps.triage
        ]
        end = step.after(job.status, update.outcome)
        if step.step in possible and (end is None or step.permits(job.status, end, self._states)):
            return None
        may = ", ".join(possible) or "nothing"
        if step.step in possible:
            return Refused(
                "transition",
                f"From {job.status} the work cannot have this outcome.",
                "outcome",
                tuple(possible),
            )
        reason = f"From {job.status} a department may report: {may}."
        return Refused("transition", reason, "step", tuple(possible))

    def _referral_problem(self, update: ev.DepartmentUpdateV2) -> Refused | None:
        to = update.referred_to
        if to is None:
            return None
        if to not in self._departments:
            return Refused("malformed", "referred_to is not a department here.", "referred_to")
        if to == update.department:
            return Refused("malformed", "referred_to must be another department.", "referred_to")
        return None

    async def _duplicate_problem(self, job: Job, update: ev.DepartmentUpdateV2) -> Refused | None:
        repeated = update.duplicate_of
        if (update.outcome == "duplicate") != (repeated is not None):
            return Refused(
                "malformed",
                "The outcome duplicate needs duplicate_of, and no other outcome has it.",
                "duplicate_of",
            )
        if repeated is not None and not await is_another(job, repeated, self._job_of):
            return NOT_ANOTHER
        return None


def _form_problem(step: Step, update: ev.DepartmentUpdateV2) -> Refused | None:
    """A field that the step needs and does not have, or that would have no effect."""
    if missing := step.missing(update):
        return Refused("malformed", f"The step {step.step} needs {missing}.", missing)
    if idle := step.idle(update):
        return Refused("malformed", f"The step {step.step} does not have {idle}.", idle)
    if update.note_for == "internal" and not update.note:
        return Refused("malformed", "An internal note needs a note.", "note_for")
    return None


def _schedule_problem(update: ev.DepartmentUpdateV2, now: datetime) -> Refused | None:
    start, end = update.scheduled_for, update.scheduled_until
    if start is None:
        return None
    if not update.occurred_at - CLOCKS_APART <= start <= now + LONGEST_AHEAD:
        return Refused(
            "malformed",
            f"scheduled_for must lie after occurred_at and within {LONGEST_AHEAD.days} days.",
            "scheduled_for",
        )
    if end is not None and not start <= end <= now + LONGEST_AHEAD:
        return Refused(
            "malformed",
            f"scheduled_until must lie after scheduled_for and within {LONGEST_AHEAD.days} days.",
            "scheduled_until",
        )
    return None


async def refuse_unknown_step(
    refusal: Refusal, event: Event[ev.DepartmentUpdateV2]
) -> Change[Refusal] | None:
    """The answer to a step of a request that routing does not know; once per update."""
    if refusal.version:
        return None
    return Change(refusal, (refused_step(event.data, event.id, UNKNOWN),))


def refused_step(update: ev.DepartmentUpdateV2, update_id: str, why: Refused) -> Outgoing:
    """The reply that a step was refused."""
    reply = ev.UpdateRefusedV2(
        record_id=update.record_id,
        update_id=update_id,
        department=update.department,
        code=why.code,
        reason=why.reason,
        field=why.field,
        allowed=why.allowed,
    )
    return Outgoing(reply, topic=replies_topic(update.department))
