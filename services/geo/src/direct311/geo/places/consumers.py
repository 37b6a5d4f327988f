"""Which events the service consumes."""

from direct311.geo.places.domain import LocatedRequest
from direct311.geo.places.handlers.requests import LocateRequest, expired
from direct311.runtime.messaging.records import Handler, hold_handlers, on
from direct311.schemas import events as ev
from direct311.schemas.model import Model

TOPICS = ("request.created", "request.updated", "record.expired", "disposition")


def handlers(locate: LocateRequest) -> dict[type[Model], Handler[LocatedRequest]]:
    """Every event that changes a record here."""
    return hold_handlers() | dict(
        (
            on(ev.RequestCreated, locate.created),
            on(ev.RequestUpdated, locate.updated),
            on(ev.RecordExpired, expired),
        )
    )
