"""What a service may say in an event that it signs.

A signature shows who said something, not that it is so. A service that was taken over could say
that a person opened what it never held, or that another service did. So each speaks for itself
alone: of its own processes, of what it holds itself, and of what it can do at all. Nobody takes
what goes further, and it has no place in the audit log.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from direct311.schemas import events as ev
from direct311.schemas.model import Model

SERVICES = ("intake", "media", "geo", "routing", "retention", "audit")

SEALING: tuple[str, ...] = ("intake", "media", "audit")
"""Those that seal. Another one is added here, and its fields below."""

HELD_BY: Mapping[str, str] = MappingProxyType(
    {"media_original": "media", "audit_entry": "audit", "exempt_entry": "audit"}
)
"""Who holds a sealed field. What a resident says, under whatever name, is with intake."""

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
        "disclose": ("intake", "audit"),
        "redact": ("intake", "audit"),
        "seal": ("intake", "media"),
        "correct": ("intake",),
        "log_read": ("audit",),
        "export": ("audit",),
        "print": ("audit",),
        "hold": ("audit",),
    }
)
"""Who does what. That it was refused can be said by all: nothing was opened."""


def holder_of(field: str) -> str:
    """The service that holds a sealed field."""
    return HELD_BY.get(field, "intake")


def overreach(service: str, data: Model) -> str | None:
    """How an event that `service` signed says more than it may; `None` where it does not.

    In words that repeat nothing of the event.
    """
    if isinstance(data, ev.PiiAccessed):
        return next(_of_an_access(service, data), None)
    if isinstance(data, ev.RecordDestroyed) and data.holder != service:
        return "another service holds what it says was destroyed"
    if isinstance(data, ev.DispositionCertified) and service != "retention":
        return "retention alone certifies"
    return None


def _of_an_access(service: str, data: ev.PiiAccessed) -> Iterator[str]:
    what, where = data.what, data.where
    if where.service != service or where.instance.partition("-")[0] in {*SERVICES} - {service}:
        yield "another service is named as its place"
    if not data.time.producer.startswith(f"{service}/"):
        yield "its number is another service's"
    if any(holder_of(field) != service for field in what.fields):
        yield "another service holds these fields"
    if data.outcome != "denied" and service not in DONE_BY.get(data.action, ()):
        yield "another service does this"
    if data.action == "void" and not _is_empty(service, data):
        yield "a number is filled by its own service, and tells nothing"
    if service not in SEALING:
        if what.fields or what.record_ids or what.query_fields or data.recipient:
            yield "a service that seals nothing tells of no record and no field"
        if data.retention.related_record or data.retention.exempt_until:
            yield "a service that seals nothing tells of no record and no field"
        if data.action == "policy_change" and data.agent.authentication != "service":
            yield "what is in force is said by no person"


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
