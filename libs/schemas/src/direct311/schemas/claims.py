"""What a service may say in an event that it signs.

A signature shows who said something, not that it is true. A compromised service could claim that a
person opened data the service never held, or that another service did so. So each service speaks
only for itself: about its own processes, the data it holds, and the actions it can take. Readers
reject an event that claims more, and the audit log does not accept it.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import get_args

from direct311.schemas import events as ev
from direct311.schemas.model import Model

SERVICES = ("intake", "media", "geo", "routing", "retention", "audit")

SEALING: tuple[str, ...] = ("intake", "media", "retention", "audit")
"""The services that seal data. Add a new one here, and its fields below."""

BY_GRANT: tuple[str, ...] = ("routing",)
"""The services that seal nothing, and open what they hold only by the grant of a disclosure
case."""

HELD_BY: Mapping[str, str] = MappingProxyType(
    {
        "media_original": "media",
        "job_history": "routing",
        "case_request": "retention",
        "case_contact": "retention",
        "case_letter": "retention",
        "case_instrument": "retention",
        "case_statement": "retention",
        "case_message": "retention",
        "case_scope": "retention",
        "case_package": "retention",
        "exemption_log": "retention",
        "audit_entry": "audit",
        "exempt_entry": "audit",
    }
)
"""Which service holds each sealed field. Intake holds what a resident says, under any field
name."""

DONE_BY: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "sign_in": SERVICES,
        "void": SERVICES,
        "policy_change": SERVICES,
        "view": SEALING,
        "destroy": SEALING,
        "key_use": SEALING,
        "search": ("intake", "audit"),
        "list": ("intake", "audit"),
        "disclose": ("intake", "media", "retention", "audit"),
        "redact": ("intake", "media", "audit"),
        "seal": ("intake", "media", "retention"),
        "correct": ("intake",),
        "log_read": ("audit",),
        "export": ("retention", "audit"),
        "print": ("audit",),
        "hold": ("audit",),
    }
)
"""Which service does what. Any service may report a refusal, because nothing was opened."""


def holder_of(field: str) -> str:
    """The service that holds a sealed field."""
    return HELD_BY.get(field, "intake")


def overreach(service: str, data: Model) -> str | None:
    """How an event that `service` signed claims more than it may; `None` if it does not. The reason
    repeats nothing from the event.
    """
    if isinstance(data, ev.PiiAccessed):
        return next(_of_an_access(service, data), None)
    if isinstance(data, ev.RecordDestroyed) and data.holder != service:
        return "another service holds what it says was destroyed"
    if isinstance(data, ev.DispositionCertified) and service != "retention":
        return "retention alone certifies"
    if isinstance(data, ev.ActRecorded):
        return next(_of_an_act(service, data), None)
    if isinstance(data, ev.DisclosureEvent) and service != "retention":
        return "only retention discloses"
    return None


def _of_an_access(service: str, data: ev.PiiAccessed) -> Iterator[str]:
    what, where = data.what, data.where
    if where.service != service or where.instance.partition("-")[0] in {*SERVICES} - {service}:
        yield "another service is named as its place"
    if not data.time.producer.startswith(f"{service}/"):
        yield "its number is another service's"
    if any(holder_of(field) != service for field in what.fields):
        yield "another service holds these fields"
    by_grant = _is_by_grant(service, data)
    if data.outcome != "denied" and service not in DONE_BY.get(data.action, ()) and not by_grant:
        yield "another service does this"
    if data.action == "void" and not _is_empty(service, data):
        yield "a number is filled by its own service, and tells nothing"
    if service not in SEALING:
        named = what.fields or what.record_ids or what.query_fields or data.recipient
        if (named or data.retention.related_record or data.retention.exempt_until) and not by_grant:
            yield "a service that seals nothing tells of no record and no field"
        if data.action == "policy_change" and data.agent.authentication != "service":
            yield "what is in force is said by no person"


def _is_by_grant(service: str, data: ev.PiiAccessed) -> bool:
    """Whether a service that seals nothing tells of a record because a disclosure case asks for
    it. An event for many refusals names their records, and no purpose."""
    if service not in BY_GRANT or data.what.query_fields or data.recipient:
        return False
    if data.why.purpose is None:
        told = data.what.fields or data.retention.exempt_until
        return data.outcome == "denied" and not told
    return data.action == "view" and data.why.purpose in get_args(ev.DisclosureKind)


def _of_an_act(service: str, data: ev.ActRecorded) -> Iterator[str]:
    if service != "retention":
        yield "only retention decides about records"
    if data.why.purpose != "retention":
        yield "an act about records serves no other purpose"
    if data.agent.authentication == "none" or data.agent.break_glass:
        yield "nobody decides about records without a name, or by breaking the glass"


def _is_empty(service: str, data: ev.PiiAccessed) -> bool:
    what, agent = data.what, data.agent
    return (
        data.outcome == "error"
        and (agent.id, agent.authentication) == (f"svc:{service}", "service")
        and agent.roles == ("service",)
        and not (agent.department or agent.on_behalf_of or agent.session)
        and not (what.fields or what.record_ids or what.query_fields)
        and data.why.purpose is None
        and data.retention.related_record is None
    )
