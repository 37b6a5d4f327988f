"""Which events audit accepts, and what happens to them."""

from collections.abc import Sequence
from typing import Protocol

from direct311.audit.log.handlers.receive import Receiving
from direct311.runtime.messaging.broker import Process, Received
from direct311.schemas import ALL, Event
from direct311.schemas.model import Model
from direct311.schemas.secrecy import NoticeError

LOGGED = frozenset(kind.name for kind in ALL if kind.signed)
TOPICS = (
    "pii.accessed",
    "act.recorded",
    "record.destroyed",
    "disposition.certified",
    "disclosure",
    "disposition",
)


class Certificates(Protocol):
    """What waits for certificates of disposition."""

    async def note(self, event: Event[Model]) -> None: ...


class Secrecy(Protocol):
    """What withholds the entries of exempt cases."""

    async def take(self, event: Event[Model]) -> None: ...


class Records(Protocol):
    """The records that holds are about."""

    async def apply(self, batch: Sequence[Event[Model]]) -> list[tuple[Event[Model], Exception]]:
        """Handle every event once; returns the events that failed for good."""
        ...


def consuming(
    receiving: Receiving,
    disposition: Certificates,
    secrecy: Secrecy,
    processor: Records,
) -> Process:
    """Makes signed events durable, and puts holds on the records that they are about."""

    async def process(batch: Sequence[Received]) -> Sequence[tuple[Event[Model], Exception]]:
        logged = [each for each in batch if each.event.name in LOGGED]
        others = [each.event for each in batch if each.event.name not in LOGGED]
        failed = [*await receiving.take(logged), *await processor.apply(others)]
        refused = {id(event) for event, _ in failed}
        for each in logged:
            # An event with no place in the log changes nothing here either.
            if id(each.event) not in refused:
                await disposition.note(each.event)
                try:
                    await secrecy.take(each.event)
                except NoticeError as error:
                    # That it was said is in the log; it has no effect.
                    failed.append((each.event, error))
        return failed

    return process
