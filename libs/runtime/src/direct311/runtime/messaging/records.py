"""One document per record: its state, the events it has handled, and the events to publish.

All three change in one atomic write, guarded by the version that was read. This is all it takes to
lose nothing and do everything once: a crash before the write leaves nothing, a crash after it
leaves the events in the document's outbox, and a redelivered event is one the document has already
seen.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Generic, Protocol, TypeVar, cast

from direct311.runtime.clock import Clock
from direct311.runtime.errors import TransientError
from direct311.runtime.messaging.signing import Signer
from direct311.runtime.messaging.state import Change, Outgoing, RecordState, advanced, takes
from direct311.runtime.pacing import paced
from direct311.runtime.persons import same_person
from direct311.schemas import Encoded, Event, derived_id, encode
from direct311.schemas import events as ev
from direct311.schemas.model import Model
from direct311.schemas.topics import BY_MODEL

S = TypeVar("S", bound=RecordState)
D = TypeVar("D", bound=Model)

Handler = Callable[[S, Event[Model]], Awaitable[Change[S] | None]]
"""A use case: the record's state and an event in, a change out, or `None` for no change."""


def on(
    model: type[D], handler: Callable[[S, Event[D]], Awaitable[Change[S] | None]]
) -> tuple[type[Model], Handler[S]]:
    """A handler and the data type it handles, as an item for a mapping of handlers."""
    return model, cast("Handler[S]", handler)


@dataclass(frozen=True, slots=True)
class Entry:
    """An outbox entry: a message as it will be sent."""

    id: str
    message: Encoded


@dataclass(frozen=True, slots=True)
class Stored(Generic[S]):
    """A state as it was read, with the outbox entries not yet known to be published."""

    state: S
    outbox: tuple[Entry, ...] = ()


@dataclass(frozen=True, slots=True)
class Write(Generic[S]):
    """Replace the document that has version `expected` (0: there is none) by `state`.

    `outbox` is the whole outbox after the write; `in_hand` means that this process publishes it.
    `relay_after` is when the holder of the relay's lease may take it.
    """

    expected: int
    state: S
    outbox: tuple[Entry, ...]
    relay_after: datetime


class Records(Protocol[S]):
    """A service's documents, one per record."""

    async def load(self, record_ids: Sequence[str]) -> Mapping[str, Stored[S]]:
        """The documents that exist for these ids, including tombstones."""
        ...

    async def commit(self, writes: Sequence[Write[S]]) -> set[str]:
        """Write all that still have their expected version; returns the ids of the others."""
        ...


class Outbox(Protocol):
    """What the relay needs of the documents."""

    async def mark_dispatched(self, published: Mapping[str, Sequence[str]]) -> None:
        """Take these published entries (record id → entry ids) out of their outboxes."""
        ...

    async def release(self, record_ids: Sequence[str], now: datetime) -> None:
        """Let the holder of the relay's lease take the outboxes of these at once."""
        ...

    async def take_over(self, writer: str, now: datetime) -> int:
        """Let the holder of the relay's lease take at once what this writer was going to publish;
        returns how many outboxes."""
        ...

    async def due(
        self, now: datetime, limit: int, passed: int = 0
    ) -> Mapping[str, Sequence[Entry]]:
        """Outboxes whose `relay_after` has passed, each in order; without the first `passed`."""
        ...

    async def oldest(self) -> datetime | None:
        """The `relay_after` of the longest waiting outbox, for health and metrics."""
        ...


class Relaying(Protocol):
    """The relay, as a writer sees it."""

    def owned(self, entry_ids: Sequence[str]) -> bool:
        """True if this process has published these or is about to, in order."""
        ...

    def published(self, entry_id: str) -> bool: ...

    def offer(self, record_id: str, entries: Sequence[Entry]) -> None:
        """Publish these soon."""
        ...

    def leave(self, record_id: str) -> None:
        """Leave this outbox to the holder of the lease, soon."""
        ...

    def settled(self, record_id: str, entry_ids: Sequence[str]) -> None:
        """A write has dropped these published entries from the outbox."""
        ...


class Emitter:
    """Turns a handler's events into messages: ids, attributes, signature."""

    def __init__(self, service: str, clock: Clock, signer: Signer) -> None:
        self.source = f"/direct311/{service}"
        self._clock = clock
        self._signer = signer

    def entries(
        self, cause: str, record_id: str, events: Sequence[Outgoing], traceparent: str | None
    ) -> tuple[Entry, ...]:
        """The outbox entries of the events that `cause` (an event id) led to."""
        found = []
        for index, outgoing in enumerate(events):
            kind = BY_MODEL[type(outgoing.data)]
            # The topic is part of the cause, because a department's copy is a separate event.
            name = f"{kind.ce_type}@{outgoing.topic}" if outgoing.topic else kind.ce_type
            event: Event[Model] = Event(
                id=derived_id(cause, name, index),
                source=self.source,
                subject=outgoing.subject or str(getattr(outgoing.data, "record_id", record_id)),
                time=self._clock.now(),
                data=outgoing.data,
                traceparent=traceparent,
            )
            message = encode(event, topic=outgoing.topic)
            found.append(Entry(event.id, self._signer.sign(message) if kind.signed else message))
        return tuple(found)


# An in-process relay has this long to publish and mark before the holder of the lease takes over an
# outbox, whether the process is alive or not. The holder takes the outboxes of a dead process at
# once.
IN_HAND_GRACE = timedelta(seconds=90)


def is_transient(error: BaseException) -> bool:
    """Whether the same step may work later, judging by standard-library errors."""
    return isinstance(error, (TransientError, OSError, TimeoutError))


class EventProcessor(Generic[S]):
    """Applies batches of events to records: the heart of every consumer."""

    def __init__(
        self,
        records: Records[S],
        initial: Callable[[str], S],
        handlers: Mapping[type[Model], Handler[S]],
        emitter: Emitter,
        relay: Relaying,
        clock: Clock,
        transient: Callable[[BaseException], bool] = is_transient,
    ) -> None:
        self._records = records
        self._initial = initial
        self._handlers = dict(handlers)
        self._emitter = emitter
        self._relay = relay
        self._clock = clock
        self._transient = transient

    async def apply(self, batch: Sequence[Event[Model]]) -> list[tuple[Event[Model], Exception]]:
        """Handle every event once, in order for each record; returns the events that failed for
        good.

        :raises TransientError: or a database error; the whole batch may be applied again.
        """
        failed: list[tuple[Event[Model], Exception]] = []
        remaining: dict[str, list[Event[Model]]] = {}
        for event in batch:
            remaining.setdefault(event.subject, []).append(event)
        for _ in range(20):
            stored = await self._records.load(list(remaining))
            writes: list[Write[S]] = []
            added: dict[str, tuple[Entry, ...]] = {}
            async for record_id, lane in paced(remaining.items()):
                before = stored.get(record_id) or Stored(self._initial(record_id))
                processed = await self._process(before, lane, failed)
                if processed is not None:
                    write, entries = processed
                    writes.append(write)
                    added[record_id] = entries
            conflicts = await self._records.commit(writes) if writes else set()
            for write in writes:
                if write.state.record_id not in conflicts:
                    self._committed(stored, write, added)
            if not conflicts:
                return failed
            gone = {id(event) for event, _ in failed}
            remaining = {
                record_id: [event for event in lane if id(event) not in gone]
                for record_id, lane in remaining.items()
                if record_id in conflicts
            }
        raise TransientError("a record kept changing under the write")

    def _committed(
        self,
        stored: Mapping[str, Stored[S]],
        write: Write[S],
        added: Mapping[str, tuple[Entry, ...]],
    ) -> None:
        """Tell the relay what a write added, if the relay may publish it, and what the write
        dropped."""
        record_id = write.state.record_id
        new = {entry.id for entry in added[record_id]}
        kept = {entry.id for entry in write.outbox} - new
        before = stored.get(record_id)
        dropped = [e.id for e in before.outbox if e.id not in kept] if before else []
        if dropped:
            self._relay.settled(record_id, dropped)
        if new and self._relay.owned(list(kept)):
            self._relay.offer(record_id, added[record_id])
        elif new and write.relay_after > self._clock.now():
            # The broker refused entries that were waiting when the write was made.
            self._relay.leave(record_id)

    async def _process(
        self,
        before: Stored[S],
        lane: Sequence[Event[Model]],
        failed: list[tuple[Event[Model], Exception]],
    ) -> tuple[Write[S], tuple[Entry, ...]] | None:
        state = before.state
        added: list[Entry] = []
        for event in lane:
            if not takes(state, event):
                continue
            handler = self._handlers.get(type(event.data))
            if handler is None:
                continue
            try:
                change = await handler(state, event)
            except Exception as error:
                if self._transient(error):
                    raise
                failed.append((event, error))
                continue
            if change is None:
                continue
            added += self._emitter.entries(
                event.id, state.record_id, change.events, event.traceparent
            )
            state = advanced(state, change.state, event)
        if state is before.state:
            return None
        return self.write(before, state, tuple(added)), tuple(added)

    def write(self, before: Stored[S], state: S, added: tuple[Entry, ...]) -> Write[S]:
        """The write that changes `before` to `state` and adds these entries to its outbox."""
        waiting = tuple(e for e in before.outbox if not self._relay.published(e.id))
        in_hand = self._relay.owned([entry.id for entry in waiting])
        now = self._clock.now()
        return Write(
            before.state.version,
            state,
            waiting + added,
            now + IN_HAND_GRACE if in_hand else now,
        )

    async def read(self, record_id: str) -> S:
        """The current state, or the initial one."""
        stored = await self._records.load([record_id])
        found = stored.get(record_id)
        return found.state if found else self._initial(record_id)

    async def change(
        self,
        record_id: str,
        cause: str,
        decide: Callable[[S], Awaitable[Change[S] | None]],
        traceparent: str | None = None,
    ) -> S:
        """Change one record outside a consumer: a command, whose id `cause` makes it repeatable.

        Returns the resulting state; `decide` may raise to refuse.
        """
        states = await self.change_each({record_id: cause}, decide, traceparent)
        return states[record_id]

    async def change_each(
        self,
        causes: Mapping[str, str],
        decide: Callable[[S], Awaitable[Change[S] | None]],
        traceparent: str | None = None,
    ) -> Mapping[str, S]:
        """Change many records, each by its own cause (record id → UUID), in shared writes.

        Returns the resulting states; `decide` may raise to refuse, and then nothing in the batch is
        written.
        """
        done: dict[str, S] = {}
        for _ in range(20):
            remaining = [record_id for record_id in causes if record_id not in done]
            if not remaining:
                return done
            stored = await self._records.load(remaining)
            writes: list[Write[S]] = []
            added: dict[str, tuple[Entry, ...]] = {}
            for record_id in remaining:
                before = stored.get(record_id) or Stored(self._initial(record_id))
                change = await decide(before.state)
                if change is None:
                    done[record_id] = before.state
                    continue
                cause = causes[record_id]
                entries = self._emitter.entries(cause, record_id, change.events, traceparent)
                state = change.state.written(before.state.version + 1)
                writes.append(self.write(before, state, entries))
                added[record_id] = entries
            conflicts = await self._records.commit(writes) if writes else set()
            for write in writes:
                record_id = write.state.record_id
                if record_id not in conflicts:
                    done[record_id] = write.state
                    self._committed(stored, write, added)
        raise TransientError("a record kept changing under the write")


async def _placed(state: RecordState, event: Event[ev.HoldPlaced]) -> Change[RecordState] | None:
    return Change(state.held(event.data.hold_id))


async def _released(
    state: RecordState, event: Event[ev.HoldReleased]
) -> Change[RecordState] | None:
    return Change(state.released_from(event.data.hold_id))


async def take_order(state: S, event: Event[ev.DispositionOrdered]) -> Change[S] | None:
    """Begin to destroy, as ordered.

    :raises OnePersonError: the order does not come from two people. :raises HeldError: a hold that
    this service knows of is in force.
    """
    if same_person(event.data.custodian, event.data.records_officer):
        raise OnePersonError("ordered by only one person")
    if state.holds:
        raise HeldError("ordered while a hold is in force")
    return Change(state.destruction_ordered(event.data.order_id))


def hold_handlers() -> dict[type[Model], Handler[Any]]:
    """How every holder of records takes part in disposition: it notes holds, and begins to destroy
    when ordered, unless a hold that it knows of is in force."""
    return dict(
        (
            on(ev.HoldPlaced, _placed),
            on(ev.HoldReleased, _released),
            on(ev.DispositionOrdered, take_order),
        )
    )


class HeldError(Exception):
    """Destruction of a record under a hold was ordered."""


class OnePersonError(Exception):
    """Destruction was ordered by a custodian and a records officer who could be the same person."""
