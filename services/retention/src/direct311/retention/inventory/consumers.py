"""The events about a record."""

from collections.abc import Callable, Sequence

from direct311.runtime.messaging.broker import Process, Received
from direct311.schemas import Event
from direct311.schemas import events as ev
from direct311.schemas.model import Model

TOPICS = (
    "request.created",
    "request.updated",
    "location.resolved",
    "media.stored",
    "media.rejected",
    "request.routed",
    "request.recalled",
    "work.updated",
    "record.destroyed",
)
Failures = Sequence[tuple[Event[Model], Exception]]


def inventorying(apply: Process, answered: Callable[[], None]) -> Process:
    """Applies events to the inventory, and reports when holders have answered."""

    async def process(batch: Sequence[Received]) -> Failures:
        failed = await apply(batch)
        if any(isinstance(item.event.data, ev.RecordDestroyed) for item in batch):
            answered()
        return failed

    return process
