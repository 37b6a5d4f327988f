"""A request as routing stores it: what is known about it, and which department has the job."""

from collections.abc import Callable
from typing import Literal

from direct311.runtime.messaging.state import RecordState
from direct311.schemas import Instant, Model, OnDate, replaced
from direct311.schemas import events as ev


class Asked(Model):
    """What intake last said about the request."""

    version: int
    service_code: str
    received_at: Instant
    place: ev.Place
    place_version: int = 1
    place_checked: bool = False
    protected: bool = False
    text: str = ""
    attributes: tuple[ev.AttributeValue, ...] = ()
    emergency_assistance: bool = False
    remarks: tuple[ev.Remark, ...] = ()


Why = Literal["wrong_department", "referred"]
"""Why a department hands a job over."""


class NotReadyError(Exception):
    """A job cannot change its department now, because its place is being checked."""


class Work(Model):
    """What the department that has the job last said about it. `at`: when it happened."""

    step: str
    at: Instant
    work_reference: str | None = None
    assigned_to: str | None = None
    scheduled_for: Instant | None = None
    scheduled_until: Instant | None = None
    waiting_for: str | None = None
    duplicate_of: str | None = None

    def following(self, before: "Work") -> "Work":
        """A copy with what was said before and still counts. Nobody is waited for any more, unless
        this step says so or is only a note."""
        return replaced(
            self,
            work_reference=self.work_reference or before.work_reference,
            assigned_to=self.assigned_to or before.assigned_to,
            scheduled_for=self.scheduled_for or before.scheduled_for,
            scheduled_until=self.scheduled_until if self.scheduled_for else before.scheduled_until,
            waiting_for=before.waiting_for if self.step == "note" else self.waiting_for,
        )


class Delivery(Model):
    """One department's possession of the job: when it was sent, acknowledged by the department's
    first accepted update, and refused as the wrong department's. `ended`: the department no longer
    has it."""

    department: str
    sent_at: Instant
    acknowledged_at: Instant | None = None
    refused_at: Instant | None = None
    ended: bool = False

    def over(self) -> "Delivery":
        """A copy that has ended."""
        return replaced(self, ended=True)

    def acknowledged(self, at: Instant) -> "Delivery":
        """A copy that the department has acknowledged, by now or before."""
        return replaced(self, acknowledged_at=self.acknowledged_at or at)

    def refused(self, at: Instant) -> "Delivery":
        """A copy that the department has refused."""
        return replaced(self, refused_at=at)


class Answer(Model):
    """What a department was answered to its update `key`: the accepted step with the status after
    it, or why it was refused."""

    key: str
    step: str
    status: ev.RequestStatus | None = None
    code: str = ""
    reason: str = ""
    field: str | None = None
    allowed: tuple[str, ...] = ()


class HandedOver(Model):
    """A department handed the job to this one. The rules decide again once the request's type or
    place is another."""

    department: str
    service_code: str
    place_version: int


MOST_DELIVERIES = 20
"""How many of a job's deliveries are kept."""


class Job(RecordState):
    """The join of request, location and media, and the resulting decision.

    `routed` is the last published revision, without its version; `status` is the status of the
    work; `said` is the size of the accepted updates, in bytes. For a protected request, `located`
    has only what the rules need. `deliveries`: which departments had it, oldest first; a job from
    before has none. `answers`: what was answered to the last updates of version 2.
    """

    asked: Asked | None = None
    located: ev.LocationResolved | None = None
    media: tuple[ev.MediaItem, ...] = ()
    status: ev.RequestStatus = "received"
    department: str | None = None
    due_on: OnDate | None = None
    revision: int = 0
    routed: ev.RequestRouted | None = None
    overdue_noticed: bool = False
    handled_updates: tuple[str, ...] = ()
    said: int = 0
    work: Work | None = None
    deliveries: tuple[Delivery, ...] = ()
    answers: tuple[Answer, ...] = ()
    handed: HandedOver | None = None

    def asked_for(self, asked: Asked, status: ev.RequestStatus) -> "Job":
        """A copy with what intake says now, and the resulting status of the work."""
        return replaced(self, asked=asked, status=status)

    def found_at(self, located: ev.LocationResolved) -> "Job":
        """A copy with its location."""
        return replaced(self, located=located)

    def illustrated(self, media: tuple[ev.MediaItem, ...]) -> "Job":
        """A copy with its files."""
        return replaced(self, media=media)

    def assigned(self, routed: ev.RequestRouted) -> "Job":
        """A copy assigned to a department by this announcement. A job that is new, or
        comes back after a recall, or moves begins from the start: what the department before said
        of it is not for this one. A moved job may become late again."""
        first = self.department is None
        moved = not first and self.department != routed.department
        return replaced(
            self,
            status="routed" if first or moved else self.status,
            department=routed.department,
            due_on=routed.due_on,
            revision=routed.revision,
            routed=routed,
            overdue_noticed=self.overdue_noticed and not moved,
            work=None if first or moved else self.work,
            deliveries=self._sent(routed) if first or moved else self.deliveries,
        )

    def _sent(self, routed: ev.RequestRouted) -> tuple[Delivery, ...]:
        before = [each.over() for each in self.known_deliveries]
        sent = Delivery(department=routed.department, sent_at=routed.routed_at)
        return (*before, sent)[-MOST_DELIVERIES:]

    @property
    def known_deliveries(self) -> tuple[Delivery, ...]:
        """Its deliveries. Of a job from before, the one to the department that has it, which
        acknowledged it if it worked."""
        if self.deliveries or self.routed is None or self.department is None:
            return self.deliveries
        sent_at = self.routed.routed_at
        found = Delivery(department=self.department, sent_at=sent_at)
        return (found if self.status == "routed" else found.acknowledged(sent_at),)

    def handed_over(self, department: str) -> "Job":
        """A copy that stays with the department to which another one handed it."""
        if self.asked is None:
            return self
        handed = HandedOver(
            department=department,
            service_code=self.asked.service_code,
            place_version=self.asked.place_version,
        )
        return replaced(self, handed=handed)

    def stays_with(self, department: str) -> bool:
        """Whether a department handed it to this one, and it is about the same as then."""
        handed, asked = self.handed, self.asked
        return (
            handed is not None
            and asked is not None
            and (handed.department, handed.service_code, handed.place_version)
            == (department, asked.service_code, asked.place_version)
        )

    def recalled(self) -> "Job":
        """A copy that no longer belongs to any department. The next one may become late again, and
        does not read what the one before said of its work."""
        return replaced(
            self,
            department=None,
            due_on=None,
            routed=None,
            work=None,
            overdue_noticed=False,
            deliveries=tuple(each.over() for each in self.known_deliveries),
        )

    def answered(self, handled: tuple[str, ...]) -> "Job":
        """A copy with a department's update among those handled, whatever its outcome."""
        return replaced(self, handled_updates=handled)

    def told(self, answer: Answer, most: int) -> "Job":
        """A copy that knows what it answered to an update, for the last `most` updates."""
        return replaced(self, answers=(*self.answers, answer)[-most:])

    def worked(self, status: ev.RequestStatus, weight: int, work: Work, at: Instant) -> "Job":
        """A copy in the status after a department's update of this size, in bytes, which came
        `at`."""
        return replaced(
            self,
            status=status,
            said=self.said + weight,
            work=work.following(self.work) if self.work else work,
            deliveries=self._with_last(lambda each: each.acknowledged(at)),
        )

    def refused_by_department(self, at: Instant) -> "Job":
        """A copy whose department says that it is not responsible."""
        return replaced(self, deliveries=self._with_last(lambda each: each.refused(at)))

    def _with_last(self, change: Callable[[Delivery], Delivery]) -> tuple[Delivery, ...]:
        known = self.known_deliveries
        return (*known[:-1], change(known[-1])) if known else ()

    def noticed_overdue(self) -> "Job":
        """A copy announced as late."""
        return replaced(self, overdue_noticed=True)


def known(job: Job) -> Job:
    """What may be stored about a job: for a protected place only its areas, which the rules use,
    and which its department gets if the protection ends (section 119.071(4)(d), F.S.)."""
    if job.asked is None or not job.asked.protected or job.located is None:
        return job
    return job.found_at(_for_the_rules(job.located))


def _for_the_rules(located: ev.LocationResolved) -> ev.LocationResolved:
    return ev.LocationResolved(
        record_id=located.record_id,
        version=located.version,
        place_version=located.place_version,
        outcome=located.outcome,
        municipality=located.municipality,
        unincorporated=located.unincorporated,
        commission_district=located.commission_district,
        layers=located.layers,
        boundary_sets=located.boundary_sets,
        resolved_at=located.resolved_at,
    )
