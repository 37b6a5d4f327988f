"""A request as routing keeps it: what is known of it, and whose job it is."""

from direct311.routing.domain.rules import Decision, Facts
from direct311.runtime.messaging.state import RecordState
from direct311.schemas import Instant, Model, OnDate
from direct311.schemas import events as ev

HANDLED_UPDATES = 200
"""How many of a department's updates a job remembers, to know a repeated one."""

MOST_SAID = 2_000_000
"""How much the updates of one job may weigh in all, in bytes: everybody who follows the request
keeps its whole history in one document, and such a one has 16 MB at most."""

UPDATE_WEIGHS = 500
"""What an update adds to a document beside its note, in bytes."""


def update_key(department: str, update_id: str) -> str:
    """What an update is remembered by: ids are made up by departments, each for itself."""
    return f"{department}-{update_id}"


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


class Refusal(RecordState):
    """An update that no job could take, by its key; kept so that its answer is published exactly
    once."""


def is_ready(job: Job) -> bool:
    """All is known that a decision needs: the request, its checked place, its location."""
    return (
        job.asked is not None
        and job.asked.place_checked
        and job.located is not None
        and job.located.place_version == job.asked.place_version
        and job.status not in ("identity_required", "withdrawn")
    )


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


def facts(asked: Asked, located: ev.LocationResolved) -> Facts:
    """What the rules are asked with."""
    return Facts(
        service_code=asked.service_code,
        received_at=asked.received_at,
        outcome=located.outcome,
        municipality=located.municipality,
        unincorporated=located.unincorporated,
        layers=located.layers,
    )


def announcement(
    job: Job, asked: Asked, located: ev.LocationResolved, decision: Decision, at: Instant
) -> ev.RequestRouted:
    """The event that gives `decision.department` the job. A protected place stays out of it."""
    return ev.RequestRouted(
        record_id=job.record_id,
        version=job.version + 1,
        request_version=asked.version,
        department=decision.department,
        revision=job.revision + 1,
        service_code=asked.service_code,
        place=asked.place,
        commission_district=None if asked.protected else located.commission_district,
        text=asked.text,
        attributes=asked.attributes,
        media=() if asked.protected else job.media,
        received_at=asked.received_at,
        routed_at=at,
        due_on=decision.due_on,
        rule_id=decision.rule_id,
        rules_version=decision.rules_version,
        reason=decision.reason,
        protected=asked.protected,
        emergency_assistance=asked.emergency_assistance,
        remarks=asked.remarks,
    )


def decided(routed: ev.RequestRouted) -> Decision:
    """The decision that was announced."""
    return Decision.model_validate(routed.model_dump(include=set(Decision.model_fields)))


_OF_ONE_REVISION = {"version", "request_version", "revision", "routed_at"}


def says_the_same(one: ev.RequestRouted, other: ev.RequestRouted) -> bool:
    """Whether a department would learn nothing new from the second."""
    return one.model_dump(exclude=_OF_ONE_REVISION) == other.model_dump(exclude=_OF_ONE_REVISION)


def weight(update: ev.DepartmentUpdate) -> int:
    """What an update adds to the history of its request, in bytes."""
    return UPDATE_WEIGHS + len(update.note.encode())


def has_room(job: Job, update: ev.DepartmentUpdate) -> bool:
    """Whether a job's history takes one more update. One without a note may come when notes may
    not any more, so that the work can always be ended."""
    most = MOST_SAID if update.note else 2 * MOST_SAID
    return job.said + weight(update) <= most
