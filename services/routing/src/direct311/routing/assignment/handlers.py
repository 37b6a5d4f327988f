"""Routing's use cases: join, decide, announce, and take the departments' answers."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from direct311.routing.assignment.domain.announcements import (
    announcement,
    decided,
    facts,
    is_ready,
    says_the_same,
)
from direct311.routing.assignment.domain.rules import Decision, Rulebook, decide
from direct311.routing.job import Asked, Job, known
from direct311.routing.states import Move, States, allowed
from direct311.routing.work.domain import HANDLED_UPDATES, has_room, update_key, weight
from direct311.routing.work.handlers import (
    CLOCKS_APART,
    LONGEST_BEFORE,
    _may_repeat,
    _number,
    refused,
)
from direct311.routing.work.ports import Redactor
from direct311.runtime.clock import Clock
from direct311.runtime.messaging.records import Handler, on
from direct311.runtime.messaging.state import Change, Outgoing
from direct311.runtime.text import cleaned, on_the_web
from direct311.schemas import Event, replies_topic, routed_topic
from direct311.schemas import events as ev
from direct311.schemas.model import Model


class Routing:
    """Handlers of the events about a request."""

    def __init__(self, rulebook: Rulebook, states: States, redact: Redactor, clock: Clock) -> None:
        self._rulebook = rulebook
        self._states = states
        self._redact = redact
        self._clock = clock

    def handlers(self) -> Mapping[type[Model], Handler[Any]]:
        return dict(
            (
                on(ev.RequestCreated, self.created),
                on(ev.RequestUpdated, self.updated),
                on(ev.LocationResolved, self.located),
                on(ev.MediaStored, self.media),
                on(ev.DepartmentUpdate, self.answered),
            )
        )

    async def created(self, job: Job, event: Event[ev.RequestCreated]) -> Change[Job] | None:
        created = event.data
        if job.asked is not None and job.asked.version >= created.version:
            return Change(job)
        asked = Asked.model_validate(created.model_dump(include=set(Asked.model_fields)))
        return self._routed(job.model_copy(update={"asked": asked, "status": created.status}))

    async def updated(self, job: Job, event: Event[ev.RequestUpdated]) -> Change[Job] | None:
        updated = event.data
        asked = Asked.model_validate(updated.model_dump(include=set(Asked.model_fields)))
        after = known(job.model_copy(update={"asked": asked, "status": self._status(job, updated)}))
        if updated.status == "withdrawn":
            return self._recalled(after, "withdrawn by the reporter")
        return self._routed(after)

    def _status(self, job: Job, updated: ev.RequestUpdated) -> ev.RequestStatus:
        # Where the work stands is for routing to say; that it may not start, or need not, is not.
        if updated.status in ("identity_required", "withdrawn"):
            return updated.status
        return "received" if job.status == "identity_required" else job.status

    async def located(self, job: Job, event: Event[ev.LocationResolved]) -> Change[Job] | None:
        return self._routed(known(job.model_copy(update={"located": event.data})))

    async def media(self, job: Job, event: Event[ev.MediaStored]) -> Change[Job] | None:
        """The files that the department gets. :raises ForeignLinkError: one is not on the web."""
        on_the_web(item.url for item in event.data.media)
        return self._routed(job.model_copy(update={"media": event.data.media}))

    def _routed(self, job: Job) -> Change[Job]:
        """The job with a department, where enough is known and a department learns something."""
        if not is_ready(job) or job.asked is None or job.located is None:
            return Change(job)
        decision = self._standing(job, decide(facts(job.asked, job.located), self._rulebook))
        routed = announcement(job, job.asked, job.located, decision, self._clock.now())
        if job.routed is not None and says_the_same(job.routed, routed):
            return Change(job)
        events: list[Outgoing] = []
        moved = job.department is not None and job.department != decision.department
        if moved:
            events += _recall(job, "another department has the job", self._clock)
        events += (Outgoing(routed), Outgoing(routed, topic=routed_topic(routed.department)))
        first = job.department is None or moved
        return Change(
            job.model_copy(
                update={
                    "status": "routed" if first else job.status,
                    "department": decision.department,
                    "due_on": decision.due_on,
                    "revision": routed.revision,
                    "routed": routed,
                    "overdue_noticed": job.overdue_noticed and not moved,
                }
            ),
            tuple(events),
        )

    def _standing(self, job: Job, found: Decision) -> Decision:
        """What the rules found, or what they last did where the job is closed or may not move.

        Rules change, and so does what is known of a request; work that is done stays where it was.
        """
        last = job.routed
        if last is None:
            return found
        closed = self._states.state(job.status).final
        move = Move(current=job.status, proposed="routed", actor="routing")
        if closed or (found.department != last.department and not allowed(move, self._states)):
            return decided(last)
        return found

    def _recalled(self, job: Job, reason: str) -> Change[Job]:
        if job.department is None:
            return Change(job)
        events = _recall(job, reason, self._clock)
        update = {"department": None, "due_on": None, "routed": None}
        return Change(job.model_copy(update=update), tuple(events))

    async def answered(self, job: Job, event: Event[ev.DepartmentUpdate]) -> Change[Job] | None:
        """Take a department's update, or refuse it and say why."""
        update = event.data
        key = update_key(update.department, event.id)
        # By the id alone too, as jobs remembered before.
        if key in job.handled_updates or event.id in job.handled_updates:
            return None
        handled = (*job.handled_updates, key)[-HANDLED_UPDATES:]
        after = job.model_copy(update={"handled_updates": handled})
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
        return Change(
            after.model_copy(update={"status": update.status, "said": job.said + weight(update)}),
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

    async def overdue(self, job: Job, today: date) -> Change[Job] | None:
        """Tell everybody that the due date has passed, once."""
        due = job.due_on
        if job.lifecycle != "active":
            return None
        if job.department is None or due is None or due >= today or job.overdue_noticed:
            return None
        if self._states.state(job.status).final:
            return None
        overdue = ev.RequestOverdue(
            record_id=job.record_id,
            version=job.version + 1,
            department=job.department,
            due_on=due,
            noticed_at=self._clock.now(),
        )
        return Change(
            job.model_copy(update={"overdue_noticed": True}),
            (Outgoing(overdue), Outgoing(overdue, topic=routed_topic(job.department))),
        )


def _recall(job: Job, reason: str, clock: Clock) -> list[Outgoing]:
    if job.department is None:
        return []
    recalled = ev.RequestRecalled(
        record_id=job.record_id,
        version=job.version + 1,
        department=job.department,
        reason=reason,
        recalled_at=clock.now(),
    )
    return [Outgoing(recalled), Outgoing(recalled, topic=routed_topic(job.department))]
