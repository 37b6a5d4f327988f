"""Join what is known about a request, decide which department gets it, and announce that."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from direct311.routing.assignment.domain.announcements import (
    announcement,
    decided,
    facts,
    is_ready,
    says_the_same,
)
from direct311.routing.assignment.domain.rules import Decision, Rulebook, decide
from direct311.routing.job import Asked, Job, NotReadyError, Why, known
from direct311.routing.states import Move, States, allowed
from direct311.runtime.clock import Clock
from direct311.runtime.messaging.records import Handler, on
from direct311.runtime.messaging.state import Change, Outgoing
from direct311.runtime.text import on_the_web
from direct311.schemas import Event, routed_topic
from direct311.schemas import events as ev
from direct311.schemas.model import Model

_WHY: Mapping[Why, str] = MappingProxyType(
    {
        "wrong_department": "The department before said that it is not responsible.",
        "referred": "The department before referred it.",
    }
)


class Routing:
    """Handlers of the events about a request."""

    def __init__(self, rulebook: Rulebook, states: States, clock: Clock) -> None:
        self._rulebook = rulebook
        self._states = states
        self._clock = clock

    def handlers(self) -> Mapping[type[Model], Handler[Any]]:
        return dict(
            (
                on(ev.RequestCreated, self.created),
                on(ev.RequestUpdated, self.updated),
                on(ev.LocationResolved, self.located),
                on(ev.MediaStored, self.media),
            )
        )

    async def created(self, job: Job, event: Event[ev.RequestCreated]) -> Change[Job] | None:
        created = event.data
        if job.asked is not None and job.asked.version >= created.version:
            return Change(job)
        asked = Asked.model_validate(created.model_dump(include=set(Asked.model_fields)))
        return self._routed(job.asked_for(asked, created.status))

    async def updated(self, job: Job, event: Event[ev.RequestUpdated]) -> Change[Job] | None:
        updated = event.data
        asked = Asked.model_validate(updated.model_dump(include=set(Asked.model_fields)))
        after = known(job.asked_for(asked, self._status(job, updated)))
        if updated.status == "withdrawn":
            return self._recalled(after, "withdrawn by the reporter")
        if updated.status == "identity_required":
            return self._recalled(after, "held for the reporter's name and address")
        if not updated.place_checked and not self._states.state(after.status).final:
            # A finished job stays where it was finished.
            return self._recalled(after, "its place was corrected")
        return self._routed(after)

    def _status(self, job: Job, updated: ev.RequestUpdated) -> ev.RequestStatus:
        # Routing decides the work's status, but not whether the work may or must start.
        if updated.status in ("identity_required", "withdrawn"):
            return updated.status
        return "received" if job.status == "identity_required" else job.status

    async def located(self, job: Job, event: Event[ev.LocationResolved]) -> Change[Job] | None:
        return self._routed(known(job.found_at(event.data)))

    async def media(self, job: Job, event: Event[ev.MediaStored]) -> Change[Job] | None:
        """The files that the department gets. :raises ForeignLinkError: one is not on the web."""
        on_the_web(item.url for item in event.data.media)
        return self._routed(job.illustrated(event.data.media))

    def _routed(self, job: Job) -> Change[Job]:
        """The job with a department, if enough is known and a department learns something new."""
        if not is_ready(job) or job.asked is None or job.located is None:
            return Change(job)
        decision = self._standing(job, decide(facts(job.asked, job.located), self._rulebook))
        routed = announcement(job, job.asked, job.located, decision, self._clock.now())
        if job.routed is not None and says_the_same(job.routed, routed):
            return Change(job)
        events: list[Outgoing] = []
        if job.department is not None and job.department != decision.department:
            events += _recall(job, "another department has the job", self._clock)
        events += (Outgoing(routed), Outgoing(routed, topic=routed_topic(routed.department)))
        return Change(job.assigned(routed), tuple(events))

    def handed_over(self, job: Job, department: str, why: Why) -> Change[Job]:
        """The job with another department, because the one that has it says so.

        :raises NotReadyError: its place is being checked.
        """
        last = job.routed
        if not is_ready(job) or job.asked is None or job.located is None or last is None:
            raise NotReadyError
        decision = decided(last).handed_to(department, why, _WHY[why])
        routed = announcement(job, job.asked, job.located, decision, self._clock.now())
        events = (
            *_recall(job, "another department has the job", self._clock),
            Outgoing(routed),
            Outgoing(routed, topic=routed_topic(department)),
        )
        return Change(job.assigned(routed).handed_over(department), events)

    def _standing(self, job: Job, found: Decision) -> Decision:
        """What the rules find, or the last decision if a department handed the job over, or if it
        is closed or may not move.

        Rules change, and so do the facts about a request; finished work stays where it was.
        """
        last = job.routed
        if last is None:
            return found
        if job.stays_with(last.department):
            return decided(last)
        closed = self._states.state(job.status).final
        move = Move(current=job.status, proposed="routed", actor="routing")
        if closed or (found.department != last.department and not allowed(move, self._states)):
            return decided(last)
        return found

    def _recalled(self, job: Job, reason: str) -> Change[Job]:
        if job.department is None:
            return Change(job)
        events = _recall(job, reason, self._clock)
        return Change(job.recalled(), tuple(events))


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
