"""From the broker into the log, or into the inbox: durable, and in the order of arrival.

The process that holds the sequencer's lease appends at once what it receives. Any other process,
and one that cannot append now, stores it in the inbox, from which the sequencer takes it.

A good signature says who said something, not that it can be true. Entries stay in the log forever,
and verifiers, observers and auditors read them. So events that the offline verifier would not
accept, impossible times and absurd numbers are refused here, before they become entries.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import datetime, timedelta

from direct311.audit.entry import Facts
from direct311.audit.log.domain import CLOCK_TOLERANCE, DELIVERY_LIMIT, MOST_COUNTED, facts_of
from direct311.audit.log.handlers.bodies import BoundsError, check_body
from direct311.audit.log.ports.inbox import Inbox, InboxBatch, QueuedEvent
from direct311.runtime.clock import Clock, Ids
from direct311.runtime.messaging.broker import Received
from direct311.runtime.pacing import paced
from direct311.schemas import Event
from direct311.schemas.claims import overreach
from direct311.schemas.codec import LONGEST_LOGGED
from direct311.schemas.model import Model
from direct311.verifier import event as signed
from direct311.verifier.event import ClockError, EventError

INBOX_BATCH_BYTES = 4_000_000
MOST_INBOX_BATCHES = 16
"""More than this wait in the broker, which is made for it, and not in the inbox, which is
repeatedly read from its beginning."""


ON_ITS_WAY = timedelta(hours=1)
"""How long an event may wait here before it is logged, and still count as signed in time by a key
that has expired since."""


class TooLongError(Exception):
    """The event does not fit into a leaf."""


class ImpostorError(Exception):
    """The event says what the service that signed it may not say."""


AtOnce = Callable[[InboxBatch], Awaitable[bool]]
"""Appends a batch to the log now; returns whether it is in the log. If not, nobody knows."""


async def never(_: InboxBatch) -> bool:
    """Leaves appending to others."""
    return False


class Receiving:
    """Accepts signed events. Their signatures have been checked; the log keeps what was signed."""

    def __init__(
        self,
        inbox: Inbox,
        clock: Clock,
        ids: Ids,
        at_once: AtOnce = never,
        stored: Callable[[], None] = lambda: None,
    ) -> None:
        """`stored` is called when something was put into the inbox."""
        self._inbox = inbox
        self._at_once = at_once
        self._stored = stored
        self._clock = clock
        self._ids = ids

    async def take(self, batch: Sequence[Received]) -> Sequence[tuple[Event[Model], Exception]]:
        """Make a batch durable in the log or in the inbox; returns the events that can never be
        logged, with the reasons."""
        refused: list[tuple[Event[Model], Exception]] = []
        taken: list[tuple[Received, QueuedEvent]] = []
        now = self._clock.now()
        async for received in paced(batch):
            try:
                taken.append((received, queued_event_of(received, now)))
            except (EventError, TooLongError, ImpostorError, BoundsError) as error:
                refused.append((received.event, error))
        at = self._clock.now()
        batches = [
            InboxBatch(self._ids.new(), at, tuple(each for _, each in part), _offsets(part))
            for part in _parts(taken)
        ]
        while batches and await self._at_once(batches[0]):
            del batches[0]
        if batches:
            # Another process may empty it.
            while await self._inbox.length() >= MOST_INBOX_BATCHES:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
            await self._inbox.put(batches)
            self._stored()
        return refused


def queued_event_of(received: Received, now: datetime) -> QueuedEvent:
    """The event in the form in which it can be logged now.

    :raises EventError: the verifier would not accept it or nobody could show it: an attribute with
    a newline, an ambiguous body (`MalformedEventError`), a time in the future or longer ago than
    the broker remembers (`ClockError`). :raises TooLongError: over the limit.
    :raises ImpostorError: it says more than its signing service may.
    :raises BoundsError: a number is beyond what any service counts.
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
    if len(event.signed_bytes) > LONGEST_LOGGED:
        raise TooLongError
    facts = facts_of(received.event)
    if overreach(facts.service, received.event.data) is not None:
        raise ImpostorError
    check_body(event.body)
    _check_counts(facts)
    _check_time(event.occurred_at, now, DELIVERY_LIMIT - ON_ITS_WAY)
    _check_time(facts.occurred_at, now, DELIVERY_LIMIT)
    return QueuedEvent(event, facts)


def _check_counts(facts: Facts) -> None:
    if facts.count > MOST_COUNTED or (facts.result_count or 0) < 0:
        raise BoundsError


def _check_time(at: datetime, now: datetime, ago: timedelta) -> None:
    if at > now + CLOCK_TOLERANCE:
        raise ClockError("it is dated after the time at which it was logged")
    if at < now - ago:
        raise ClockError("it is dated longer ago than the broker remembers")


def _parts(
    taken: Sequence[tuple[Received, QueuedEvent]],
) -> Iterator[Sequence[tuple[Received, QueuedEvent]]]:
    """Splits events into inbox batches well below the largest document that the database accepts
    (16 MiB)."""
    part: list[tuple[Received, QueuedEvent]] = []
    size = 0
    for item in taken:
        length = len(item[0].body)
        if part and size + length > INBOX_BATCH_BYTES:
            yield part
            part, size = [], 0
        part.append(item)
        size += length
    if part:
        yield part


def _offsets(part: Sequence[tuple[Received, QueuedEvent]]) -> dict[str, int]:
    offsets: dict[str, int] = {}
    for received, _ in part:
        name = f"{received.topic}:{received.partition}"
        offsets[name] = max(received.offset, offsets.get(name, -1))
    return offsets
