"""A request as routing keeps it: what is known of it, and whose job it is."""

from direct311.runtime.messaging.state import RecordState
from direct311.schemas import Instant, Model, OnDate, replaced
from direct311.schemas import events as ev


class Asked(Model):
    """What intake said last of the request."""

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


class Job(RecordState):
    """The join of request, location and media, and the decision that came of it.

    `routed` is the last revision as it was published, without its version; `status` is where the
    work stands; `said` is what the updates that were taken weigh, in bytes. Of a protected request
    `located` has what the rules ask alone.
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

    def asked_for(self, asked: Asked, status: ev.RequestStatus) -> "Job":
        """With what intake says now, and where the work stands after it."""
        return replaced(self, asked=asked, status=status)

    def found_at(self, located: ev.LocationResolved) -> "Job":
        """With where it lies."""
        return replaced(self, located=located)

    def illustrated(self, media: tuple[ev.MediaItem, ...]) -> "Job":
        """With the files that there are of it."""
        return replaced(self, media=media)

    def assigned(self, routed: ev.RequestRouted) -> "Job":
        """The department's, by this announcement. One that did not have it before begins; what it
        moved from may be late again."""
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
        )

    def recalled(self) -> "Job":
        """No department's any more."""
        return replaced(self, department=None, due_on=None, routed=None)

    def answered(self, handled: tuple[str, ...]) -> "Job":
        """With a department's update among those that were handled, whatever came of it."""
        return replaced(self, handled_updates=handled)

    def worked(self, status: ev.RequestStatus, weight: int) -> "Job":
        """Where a department's update has brought it, which weighs so much, in bytes."""
        return replaced(self, status=status, said=self.said + weight)

    def noticed_overdue(self) -> "Job":
        """Known to everybody as late."""
        return replaced(self, overdue_noticed=True)


def known(job: Job) -> Job:
    """What may be kept of a job: of a protected place no more than its areas, as the rules are
    asked with, and as its department gets them should the protection end (section 119.071(4)(d),
    F.S.)."""
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
