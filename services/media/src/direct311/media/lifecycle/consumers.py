"""Which events decide what happens to a record's files."""

from direct311.media.lifecycle.handlers import follow_recalled, follow_routed, note_expired
from direct311.media.record import RecordMedia
from direct311.runtime.messaging.records import Handler, hold_handlers, on
from direct311.schemas import events as ev
from direct311.schemas.model import Model

TOPICS = ("request.routed", "request.recalled", "record.expired", "disposition")


def handlers() -> dict[type[Model], Handler[RecordMedia]]:
    """Whose job it is, that a record is eligible, holds and orders."""
    return hold_handlers() | dict(
        (
            on(ev.RequestRouted, follow_routed),
            on(ev.RequestRecalled, follow_recalled),
            on(ev.RecordExpired, note_expired),
        )
    )
