"""An access event as its producer signed it.

The signature (Ed25519) covers `Event.signed_bytes`: a context line, five CloudEvents attributes and
the JSON body, byte for byte. Every event in the audit log is signed. A key is valid for one service
and a stated time.
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from direct311.verifier.note import decode_base64, encode_base64

CONTEXT = "direct311-event-v1"
DELIVERY_LIMIT = timedelta(days=14)
"""The broker keeps an event no longer than this, so no event can be logged later."""

CLOCK_TOLERANCE = timedelta(minutes=5)
"""How far the producers' clocks and the log's clock may differ."""

SOLE_PRODUCERS = {
    "disposition.certified": "retention",
    "act.recorded": "retention",
    "disclosure.recorded": "retention",
    "disclosure.approved": "retention",
    "disclosure.revoked": "retention",
    "disclosure.released": "retention",
}
"""Events that only one service may sign. Any service may sign the others, about itself."""

SERVICES = ("intake", "media", "geo", "routing", "retention", "audit")
SEALING = ("intake", "media", "retention", "audit")
"""Services that hold sealed fields, and so may report that one was opened."""
BY_GRANT = ("routing",)
"""Services that seal nothing, and open what they hold only by the grant of a disclosure case."""
DISCLOSING = ("public_records", "law_enforcement")
"""The purposes of a disclosure case."""

HELD_BY = {
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
"""Which service holds each sealed field; intake holds all others."""

DONE_BY = {
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
"""Which service does what; any service may report a refusal."""

_TYPE = re.compile(r"gov\.miamidade\.direct311\.([a-z.]+)\.v[0-9]+")


class EventError(ValueError):
    """An event is malformed, or differs from what a service signed."""


class MalformedEventError(EventError):
    """An attribute or the body does not have the form of an event."""


class EventSignatureError(EventError):
    """The signature does not verify under the key that the event names."""


class EventKeyError(EventError):
    """The key is unknown, or was not valid at the time."""


class ProducerError(EventError):
    """The key's owner may not say this: it is another service's event, a type the owner may not
    sign, or about something that another service does or holds."""


class ClockError(EventError):
    """The event's time and the time when it was logged cannot both be right."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event. `time` is RFC 3339 exactly as the producer wrote it; `body` is JSON in UTF-8.

    `keyid` names the key that made `signature` (64 bytes).
    """

    id: str
    type: str
    source: str
    subject: str
    time: str
    body: bytes
    keyid: str
    signature: bytes

    def __post_init__(self) -> None:
        # An attribute with a newline could pass for two attributes under the same signature.
        if any("\n" in text for text in (*self.attributes.values(), self.keyid)):
            raise MalformedEventError("an attribute contains a newline")
        if len(self.signature) != 64:
            raise MalformedEventError("a signature has 64 bytes")

    @property
    def attributes(self) -> dict[str, str]:
        return {
            "id": self.id,
            "type": self.type,
            "source": self.source,
            "subject": self.subject,
            "time": self.time,
        }

    @property
    def signed_bytes(self) -> bytes:
        """What the producer signed."""
        head = "\n".join((CONTEXT, *self.attributes.values(), ""))
        return head.encode() + self.body

    @property
    def shown(self) -> dict[str, Any]:
        """The event for a reader, with its body decoded. Raises `MalformedEventError` for a bad
        body."""
        return {
            **self.attributes,
            "keyid": self.keyid,
            "signature": self.signature.hex(),
            "body": decode_json(self.body),
        }

    @property
    def occurred_at(self) -> datetime:
        """`time` as an instant. Raises `MalformedEventError`."""
        return parse_instant(self.time)


def decode_json(data: bytes | str) -> Any:
    """Decode unambiguous JSON: no member appears twice, and no number is NaN. Raises
    `MalformedEventError`."""
    try:
        return json.loads(data, object_pairs_hook=_members, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise MalformedEventError("not unambiguous JSON") from error


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise MalformedEventError("a member appears twice")
    return members


def _refuse_constant(_: str) -> None:
    raise MalformedEventError("a number is not finite")


def parse_instant(text: str) -> datetime:
    """Read RFC 3339. Raises `MalformedEventError`, also if the zone is missing."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise MalformedEventError("not a time") from error
    if at.tzinfo is None:
        raise MalformedEventError("the time has no zone")
    return at


@dataclass(frozen=True, slots=True)
class EventKey:
    """The public key (32 bytes) of a key with which one service signed from `not_before` to
    `not_after`."""

    keyid: str
    service: str
    public: bytes
    not_before: datetime
    not_after: datetime

    def as_json(self) -> dict[str, str]:
        return {
            "keyid": self.keyid,
            "service": self.service,
            "public": encode_base64(self.public),
            "not_before": self.not_before.isoformat(),
            "not_after": self.not_after.isoformat(),
        }


def parse_event_keys(document: Any) -> tuple[EventKey, ...]:
    """Read `{"keys": [{keyid, service, public, not_before, not_after}]}`, already decoded.

    Raises `MalformedEventError`.
    """
    try:
        keys = tuple(
            EventKey(
                keyid=str(key["keyid"]),
                service=str(key["service"]),
                public=decode_base64(key["public"], 32),
                not_before=parse_instant(key["not_before"]),
                not_after=parse_instant(key["not_after"]),
            )
            for key in document["keys"]
        )
    except (KeyError, TypeError, ValueError) as error:
        raise MalformedEventError("the list of event keys is malformed") from error
    if len({key.keyid for key in keys}) != len(keys):
        raise MalformedEventError("the list of event keys names a key twice")
    return keys


def verify_event(event: Event, logged_at: datetime, keys: Iterable[EventKey]) -> EventKey:
    """Check that a service said this, with a key that was valid, before it was logged.

    Raises the `EventError` that applies.
    """
    key = next((key for key in keys if key.keyid == event.keyid), None)
    if key is None:
        raise EventKeyError("the event names an unknown key")
    try:
        Ed25519PublicKey.from_public_bytes(key.public).verify(event.signature, event.signed_bytes)
    except (InvalidSignature, ValueError) as error:
        raise EventSignatureError(
            f"the signature does not verify under the key {key.keyid}"
        ) from error
    if event.source != f"/direct311/{key.service}":
        raise ProducerError(
            f"signed with a key of {key.service}, but it names another service as its source"
        )
    match = _TYPE.fullmatch(event.type)
    if match is None:
        raise ProducerError("its type is not one of this system's")
    if SOLE_PRODUCERS.get(match[1], key.service) != key.service:
        raise ProducerError(f"{key.service} may not sign events of the type {match[1]}")
    if why := next(_overreach(key.service, match[1], decode_json(event.body)), None):
        raise ProducerError(f"signed with a key of {key.service}, but {why}")
    occurred_at = event.occurred_at
    if occurred_at > logged_at + CLOCK_TOLERANCE:
        raise ClockError("it is dated after the time at which it was logged")
    if not key.not_before <= occurred_at <= key.not_after:
        raise EventKeyError(f"the key {key.keyid} was not valid at the time of the event")
    # A stolen, expired key could sign with an older date, but not get logged in time.
    if logged_at > key.not_after + DELIVERY_LIMIT:
        raise EventKeyError(f"the event was logged too long after the key {key.keyid} had expired")
    return key


def _overreach(service: str, kind: str, body: Any) -> Iterator[str]:
    """What a body says that this service may not say: each service speaks only for itself."""
    if kind == "record.destroyed" and _in(body, "holder") != service:
        yield "another service is named as the holder of what was destroyed"
    if kind == "act.recorded":
        if _in(body, "why", "purpose") != "retention":
            yield "it gives an act about records another purpose"
        if _in(body, "agent", "authentication") == "none" or _in(body, "agent", "break_glass"):
            yield "it reports an act of nobody with a name, or by breaking the glass"
    if kind != "pii.accessed":
        return
    fields, action = _several(_in(body, "what", "fields")), _in(body, "action")
    if _in(body, "where", "service") != service or _names_another(service, body):
        yield "another service is named as the place of the access"
    if not str(_in(body, "time", "producer")).startswith(f"{service}/"):
        yield "its number is another service's"
    if any(HELD_BY.get(str(field), "intake") != service for field in fields):
        yield "another service holds the fields"
    by_grant = _is_by_grant(service, body)
    done = _in(body, "outcome") != "denied"
    if done and service not in DONE_BY.get(str(action), ()) and not by_grant:
        yield "it reports an action of another service"
    if action == "void" and not _is_void(service, body):
        yield "it voids a number and says more than that"
    if service not in SEALING:
        named = any(_in(body, *path) for path in _OF_RECORDS) or _in(body, "recipient")
        if named and not by_grant:
            yield "it seals nothing, but names records or fields"
        if action == "policy_change" and _in(body, "agent", "authentication") != "service":
            yield "a person is named for a rule set that came into force"


_OF_RECORDS = (
    ("what", "fields"),
    ("what", "record_ids"),
    ("what", "query_fields"),
    ("retention", "related_record"),
    ("retention", "exempt_until"),
)


def _is_by_grant(service: str, body: Any) -> bool:
    """Whether a service that seals nothing tells of a record because a disclosure case asks for
    it. An event for many refusals names their records, and no purpose."""
    if service not in BY_GRANT or _in(body, "what", "query_fields") or _in(body, "recipient"):
        return False
    purpose = _in(body, "why", "purpose")
    if purpose is None:
        told = _in(body, "what", "fields") or _in(body, "retention", "exempt_until")
        return _in(body, "outcome") == "denied" and not told
    return _in(body, "action") == "view" and purpose in DISCLOSING


def _names_another(service: str, body: Any) -> bool:
    named = str(_in(body, "where", "instance")).partition("-")[0]
    return named in SERVICES and named != service


def _is_void(service: str, body: Any) -> bool:
    who = (_in(body, "agent", "id"), _in(body, "agent", "authentication"))
    return (
        _in(body, "outcome") == "error"
        and who == (f"svc:{service}", "service")
        and _in(body, "agent", "roles") == ["service"]
        and not any(_in(body, "agent", name) for name in ("department", "on_behalf_of", "session"))
        and not any(_in(body, *path) for path in _OF_RECORDS[:4])
        and _in(body, "why", "purpose") is None
    )


def _in(body: Any, *path: str) -> Any:
    """A member of a member; `None` if there is none."""
    for name in path:
        body = body.get(name) if isinstance(body, dict) else None
    return body


def _several(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
