"""A request as routing keeps it: what is known of it, and whose job it is."""

from direct311.runtime.messaging.state import RecordState
from direct311.schemas import Instant, Model, OnDate
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


def known(job: Job) -> Job:
    """What may be kept of a job: of a protected place no more than its areas, as the rules are
    asked with, and as its department gets them should the protection end (section 119.071(4)(d),
    F.S.)."""
    if job.asked is None or not job.asked.protected or job.located is None:
        return job
    return job.model_copy(update={"located": _for_the_rules(job.located)})


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
