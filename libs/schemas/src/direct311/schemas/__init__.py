"""Direct311's events and topics: everything a department needs in order to subscribe."""

from direct311.schemas import events
from direct311.schemas.belonging import misplaced
from direct311.schemas.codec import (
    DecodeError,
    Encoded,
    Event,
    decode,
    derived_id,
    encode,
    isoformat,
    read_headers,
    signed_bytes,
)
from direct311.schemas.model import Instant, Model, OnDate, RecordId, nothing, replaced
from direct311.schemas.topics import (
    ALL,
    BY_NAME,
    EventType,
    dead_letter_topic,
    replies_topic,
    routed_topic,
    updates_topic,
)

__all__ = [
    "ALL",
    "BY_NAME",
    "DecodeError",
    "Encoded",
    "Event",
    "EventType",
    "Instant",
    "Model",
    "OnDate",
    "RecordId",
    "dead_letter_topic",
    "decode",
    "derived_id",
    "encode",
    "events",
    "isoformat",
    "misplaced",
    "nothing",
    "read_headers",
    "replaced",
    "replies_topic",
    "routed_topic",
    "signed_bytes",
    "updates_topic",
]
