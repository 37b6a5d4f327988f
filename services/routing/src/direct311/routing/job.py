"""A request as routing stores it: what is known about it, and which department has the job."""

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


class Job(RecordState):
    """The join of request, location and media, and the resulting decision.

    `routed` is the last published revision, without its version; `status` is the status of the
    work; `said` is the size of the accepted updates, in bytes. For a protected request, `located`
    has only what the rules need.
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
        """A copy with what intake says now, and the resulting status of the work."""
        return replaced(self, asked=asked, status=status)

    def found_at(self, located: ev.LocationResolved) -> "Job":
        """A copy with its location."""
        return replaced(self, located=located)

    def illustrated(self, media: tuple[ev.MediaItem, ...]) -> "Job":
        """A copy with its files."""
        return replaced(self, media=media)

    def assigned(self, routed: ev.RequestRouted) -> "Job":
        """A copy assigned to a department by this announcement. A new department begins from the
        start, and the job may become late again."""
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
        """A copy that no longer belongs to any department. The next one may become late again."""
        return replaced(self, department=None, due_on=None, routed=None, overdue_noticed=False)

    def answered(self, handled: tuple[str, ...]) -> "Job":
        """A copy with a department's update among those handled, whatever its outcome."""
        return replaced(self, handled_updates=handled)

    def worked(self, status: ev.RequestStatus, weight: int) -> "Job":
        """A copy in the status after a department's update of this size, in bytes."""
        return replaced(self, status=status, said=self.said + weight)

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
