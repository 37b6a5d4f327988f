"""CloudEvents 1.0 over Kafka, binary mode: attributes in headers, the data as JSON in the body.

Source: CloudEvents 1.0.2 and its Kafka protocol binding, section 3.2.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any, Generic, TypeVar
from uuid import UUID

import uuid_utils
from pydantic import TypeAdapter, ValidationError

from direct311.schemas import events
from direct311.schemas.model import Model
from direct311.schemas.topics import BY_CE_TYPE, BY_MODEL, EventType

D = TypeVar("D", bound=Model, covariant=True)

_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_ATTRIBUTES = ("ce_id", "ce_type", "ce_source", "ce_subject", "ce_time", "ce_keyid")
LONGEST_ATTRIBUTE = 2_000
"""In characters. The longest one we write is a token's subject."""

SIGNATURE_CONTEXT = b"direct311-event-v1"


class DecodeError(Exception):
    """A message is not one of our events. Says which attribute or field is wrong, never its
    value. `field`: the name of that header or field."""

    def __init__(self, reason: str, field: str | None = None) -> None:
        super().__init__(reason)
        self.field = field


@dataclass(frozen=True, slots=True)
class Event(Generic[D]):
    """One event: CloudEvents attributes and typed data.

    `id`: UUID; `source`: `/direct311/<service>`; `subject`: record or case id, else the key;
    `time`: UTC.
    """

    id: str
    source: str
    subject: str
    time: datetime
    data: D
    traceparent: str | None = None
    keyid: str | None = None
    signature: bytes | None = field(default=None, repr=False)

    @property
    def kind(self) -> EventType:
        return BY_MODEL[type(self.data)]

    @property
    def name(self) -> str:
        return self.kind.name


@dataclass(frozen=True, slots=True)
class Encoded:
    """What is sent: topic, key, headers and body."""

    topic: str
    key: bytes
    headers: dict[str, str]
    body: bytes


def derived_id(cause: str, ce_type: str, index: int = 0) -> str:
    """The id of an event that another one caused. The same cause always gives the same id."""
    return str(uuid_utils.uuid5(uuid_utils.UUID(cause), f"{ce_type}:{index}"))


def isoformat(at: datetime) -> str:
    """RFC 3339 in UTC with milliseconds."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


LONGEST_LOGGED = 64_000
"""The most bytes an event may sign and still fit into the log. A leaf has at most 65,535
(c2sp.org/tlog-tiles)."""


def signed_bytes(headers: Mapping[str, str], body: bytes) -> bytes:
    """The bytes under an event's Ed25519 signature: context, five attributes and the body."""
    names = ("ce_id", "ce_type", "ce_source", "ce_subject", "ce_time")
    return b"\n".join((SIGNATURE_CONTEXT, *(headers[name].encode() for name in names), body))


@cache
def _adapter(model: type[Model]) -> TypeAdapter[Any]:
    return TypeAdapter(model)


def dump(data: Model) -> bytes:
    """The JSON body of an event."""
    return _adapter(type(data)).dump_json(data, exclude_none=True)


def encode(event: Event[Model], *, topic: str | None = None) -> Encoded:
    """The message of an event. `topic` is required if the event's own topic has a placeholder."""
    kind = event.kind
    chosen = topic or kind.topic
    if "{" in chosen:
        raise ValueError(f"{kind.name} needs a department's topic")
    headers = {
        "ce_specversion": "1.0",
        "ce_id": event.id,
        "ce_type": kind.ce_type,
        "ce_source": event.source,
        "ce_subject": event.subject,
        "ce_time": isoformat(event.time),
        "ce_dataschema": kind.dataschema,
        "content-type": "application/json",
    }
    if event.traceparent:
        headers["traceparent"] = event.traceparent
    return Encoded(chosen, event.subject.encode(), headers, dump(event.data))


def read_headers(pairs: Iterable[tuple[str, bytes]]) -> dict[str, str]:
    """Kafka's header list as text. The first of a repeated header counts; a header that is not
    UTF-8 is dropped."""
    headers: dict[str, str] = {}
    for name, value in pairs:
        try:
            headers.setdefault(name, (value or b"").decode())
        except UnicodeDecodeError:
            continue
    return headers


def decode(headers: Mapping[str, str], body: bytes) -> Event[Model]:
    """The event in a message.

    :raises DecodeError: names the attribute or the field's path, never its value.
    """
    if headers.get("ce_specversion") != "1.0":
        raise DecodeError("ce_specversion must be 1.0", "ce_specversion")
    missing = [n for n in ("ce_id", "ce_type", "ce_source", "ce_time") if not headers.get(n)]
    if missing:
        raise DecodeError(f"missing header {missing[0]}", missing[0])
    long = [name for name in _ATTRIBUTES if len(headers.get(name, "")) > LONGEST_ATTRIBUTE]
    if long:
        raise DecodeError("an attribute is too long", long[0])
    kind = BY_CE_TYPE.get(headers["ce_type"])
    if kind is None:
        raise DecodeError("ce_type is not an event of this system", "ce_type")
    try:
        event_id = str(UUID(headers["ce_id"]))
    except ValueError:
        raise DecodeError("ce_id must be a UUID", "ce_id") from None
    at = _instant(headers["ce_time"])
    try:
        data = _adapter(kind.model).validate_json(body)
    except ValidationError as error:
        where, what = _wrong(error)
        raise DecodeError(f"{kind.name}: {where}: {what}", where) from None
    name = "case_id" if isinstance(data, events.DisclosureEvent) else "record_id"
    about: str = getattr(data, name, None) or ""
    subject = headers.get("ce_subject") or about
    if about not in ("", subject):
        raise DecodeError(f"{kind.name}: ce_subject differs from {name}", "ce_subject")
    signature = headers.get("ce_signature")
    return Event(
        id=event_id,
        source=headers["ce_source"],
        subject=subject,
        time=at,
        data=data,
        traceparent=_traceparent(headers.get("traceparent")),
        keyid=headers.get("ce_keyid"),
        signature=_signature(signature) if signature else None,
    )


def _instant(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
        if at.tzinfo is None:
            raise DecodeError("ce_time must have a zone", "ce_time")
        return at.astimezone(UTC)
    except (ValueError, OverflowError):
        raise DecodeError("ce_time must be RFC 3339", "ce_time") from None


def _traceparent(text: str | None) -> str | None:
    # It is copied to everything the event leads to, so keep it only if it is valid (W3C Trace
    # Context, 3.2).
    return text if text is not None and _TRACEPARENT.fullmatch(text) else None


def _signature(text: str) -> bytes:
    try:
        value = bytes.fromhex(text)
    except ValueError:
        raise DecodeError("ce_signature must be hex", "ce_signature") from None
    if len(value) != 64:
        raise DecodeError("ce_signature must be 64 bytes", "ce_signature")
    return value


def _wrong(error: ValidationError) -> tuple[str, str]:
    """The first wrong field's path, and what is wrong with it."""
    found: Sequence[Mapping[str, Any]] = error.errors(
        include_input=False, include_context=False, include_url=False
    )
    first = found[0]
    # The location may include a mapping key that the sender chose, so name only fields.
    steps = [str(step) if step in _names() else "*" for step in first["loc"][:3]]
    return ".".join(steps) or "body", str(first["type"])


@cache
def _names() -> frozenset[str | int]:
    """The names of every field of every event."""
    models = [
        each for each in vars(events).values() if isinstance(each, type) and issubclass(each, Model)
    ]
    return frozenset(name for model in models for name in model.model_fields)
