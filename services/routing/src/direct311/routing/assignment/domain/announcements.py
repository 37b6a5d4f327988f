"""When a job can be decided, and the event that gives it to a department."""

from direct311.routing.assignment.domain.rules import Decision, Facts
from direct311.routing.job import Asked, Job
from direct311.schemas import Instant
from direct311.schemas import events as ev


def is_ready(job: Job) -> bool:
    """Whether everything that a decision needs is known: the request, its checked place, its
    location."""
    return (
        job.asked is not None
        and job.asked.place_checked
        and job.located is not None
        and job.located.place_version == job.asked.place_version
        and job.status not in ("identity_required", "withdrawn")
    )


def facts(asked: Asked, located: ev.LocationResolved) -> Facts:
    """The facts that the rules use."""
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
    """The event that gives `decision.department` the job. It leaves out a protected place."""
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
