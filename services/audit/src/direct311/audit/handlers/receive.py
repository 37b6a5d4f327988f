"""From the broker into the inbox: durable, in the order of arrival, and ready for the log."""

import asyncio
from collections.abc import Iterator, Sequence

from direct311.audit.domain import facts_of
from direct311.audit.ports import Arrival, Inbox, Parcel
from direct311.runtime.broker import Received
from direct311.runtime.clock import Clock, Ids
from direct311.schemas import Event
from direct311.schemas.claims import overreach
from direct311.schemas.model import Model
from direct311.verifier import event as signed
from direct311.verifier.event import EventError

LONGEST_EVENT = 64_000
"""Bytes under the signature. A leaf has at most 65,535 (c2sp.org/tlog-tiles)."""

PARCEL_BYTES = 4_000_000
MOST_PARCELS = 16
"""More than these wait in the broker, which is made for it, and not in the inbox, which is read
from its beginning again and again."""


class TooLongError(Exception):
    """The event does not fit into a leaf."""


class ImpostorError(Exception):
    """The event says what the service that signed it may not say."""


class Receiving:
    """Takes signed events in. Their signatures were checked; the log keeps what was signed."""

    def __init__(self, inbox: Inbox, clock: Clock, ids: Ids) -> None:
        self._inbox = inbox
        self._clock = clock
        self._ids = ids

    async def take(self, batch: Sequence[Received]) -> Sequence[tuple[Event[Model], Exception]]:
        """Store a batch; those that can never be logged, with the reason."""
        refused: list[tuple[Event[Model], Exception]] = []
        taken: list[tuple[Received, Arrival]] = []
        for received in batch:
            try:
                taken.append((received, arrival_of(received)))
            except (EventError, TooLongError, ImpostorError) as error:
                refused.append((received.event, error))
        if taken:
            # Another process may be the one that empties it.
            while await self._inbox.length() >= MOST_PARCELS:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
            at = self._clock.now()
            await self._inbox.put(
                [
                    Parcel(self._ids.new(), at, tuple(each for _, each in part), _offsets(part))
                    for part in _parts(taken)
                ]
            )
        return refused


def arrival_of(received: Received) -> Arrival:
    """:raises EventError: an attribute with a newline. :raises TooLongError: over the limit.
    :raises ImpostorError: it says more than the service that signed it may.
    """
    headers = received.headers
    event = signed.Event(
        id=headers["ce_id"],
        type=headers["ce_type"],
        source=headers["ce_source"],
        subject=headers["ce_subject"],
        time=headers["ce_time"],
        body=received.body,
        keyid=headers["ce_keyid"],
        signature=bytes.fromhex(headers["ce_signature"]),
    )
    if len(event.signed_bytes) > LONGEST_EVENT:
        raise TooLongError
    facts = facts_of(received.event)
    if overreach(facts.service, received.event.data) is not None:
        raise ImpostorError
    return Arrival(event, facts)


def _parts(
    taken: Sequence[tuple[Received, Arrival]],
) -> Iterator[Sequence[tuple[Received, Arrival]]]:
    """Parcels well below the largest document that the database takes (16 MiB)."""
    part: list[tuple[Received, Arrival]] = []
    size = 0
    for item in taken:
        length = len(item[0].body)
        if part and size + length > PARCEL_BYTES:
            yield part
            part, size = [], 0
        part.append(item)
        size += length
    yield part


def _offsets(part: Sequence[tuple[Received, Arrival]]) -> dict[str, int]:
    offsets: dict[str, int] = {}
    for received, _ in part:
        name = f"{received.topic}:{received.partition}"
        offsets[name] = max(received.offset, offsets.get(name, -1))
    return offsets
