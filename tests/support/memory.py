"""Fakes of the runtime's ports, held to the same contract as the real adapters."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from direct311.runtime.messaging.records import Entry, Stored, Write
from direct311.runtime.messaging.state import RecordState
from direct311.schemas import Event, decode
from direct311.schemas.model import Model

S = TypeVar("S", bound=RecordState)


class InMemoryRecords(Generic[S]):
    """`Records` and `Outbox` in a dictionary."""

    def __init__(self, writer: str = "") -> None:
        self.documents: dict[str, Write[S]] = {}
        self.writer = writer
        """The process that writes from now on."""
        self._written_by: dict[str, str] = {}

    async def load(self, record_ids: Sequence[str]) -> Mapping[str, Stored[S]]:
        return {
            record_id: Stored(write.state, write.outbox)
            for record_id in record_ids
            if (write := self.documents.get(record_id)) is not None
        }

    async def commit(self, writes: Sequence[Write[S]]) -> set[str]:
        conflicts = set()
        for write in writes:
            record_id = write.state.record_id
            current = self.documents.get(record_id)
            if (current.state.version if current else 0) != write.expected:
                conflicts.add(record_id)
            else:
                self.documents[record_id] = _buried(write)
                self._written_by[record_id] = self.writer
        return conflicts

    async def mark_dispatched(self, published: Mapping[str, Sequence[str]]) -> None:
        for record_id, ids in published.items():
            write = self.documents.get(record_id)
            if write is None:
                continue
            outbox = tuple(entry for entry in write.outbox if entry.id not in ids)
            self.documents[record_id] = replace(write, outbox=outbox)

    async def release(self, record_ids: Sequence[str], now: datetime) -> None:
        for record_id in self.documents.keys() & set(record_ids):
            write = self.documents[record_id]
            if write.outbox:
                after = min(write.relay_after, now)
                self.documents[record_id] = replace(write, relay_after=after)

    async def take_over(self, writer: str, now: datetime) -> int:
        taken = [
            record_id
            for record_id, write in self.documents.items()
            if write.outbox and write.relay_after > now and self._written_by[record_id] == writer
        ]
        await self.release(taken, now)
        return len(taken)

    async def due(
        self, now: datetime, limit: int, passed: int = 0
    ) -> Mapping[str, Sequence[Entry]]:
        waiting = {
            record_id: write.outbox
            for record_id, write in self.documents.items()
            if write.outbox and write.relay_after <= now
        }
        return dict(list(waiting.items())[passed : passed + limit])

    async def oldest(self) -> datetime | None:
        times = [write.relay_after for write in self.documents.values() if write.outbox]
        return min(times, default=None)

    async def destroying(self, limit: int) -> Sequence[S]:
        return [state for state in self.states() if state.lifecycle == "destroying"][:limit]

    # --- for tests: to look at the documents, and to put some there

    def states(self) -> list[S]:
        """All documents, the oldest first; tombstones too."""
        return [write.state for write in self.documents.values()]

    def state(self, record_id: str) -> S:
        return self.documents[record_id].state

    def said(self, record_id: str) -> list[Event[Model]]:
        """The events that wait in the record's outbox, in order."""
        entries = self.documents[record_id].outbox
        return [decode(entry.message.headers, entry.message.body) for entry in entries]

    async def put(self, state: S, at: datetime) -> None:
        """Store the first state of a record, or a change that somebody else made in the
        meantime."""
        there = self.documents.get(state.record_id)
        if there is None:
            assert not await self.commit([Write(0, state, (), at)])
            return
        version = there.state.version
        after = state.model_copy(update={"version": version + 1})
        assert not await self.commit([Write(version, after, (), at)])


def _buried(write: Write[S]) -> Write[S]:
    """A write as it is stored: of a destroyed record, only the id and the pending answer."""
    state = write.state
    if state.lifecycle != "destroyed":
        return write
    tombstone = type(state).model_validate(
        {"record_id": state.record_id, "version": state.version, "lifecycle": "destroyed"}
    )
    return Write(write.expected, tombstone, write.outbox, write.relay_after)


class InMemoryLease:
    """A lease among those who share `held` (name → holder and until when)."""

    def __init__(
        self,
        held: dict[str, tuple[str, datetime]] | None = None,
        name: str = "lease",
        holder: str = "one",
        length: timedelta = timedelta(seconds=5),
    ) -> None:
        self._held = {} if held is None else held
        self._name = name
        self._holder = holder
        self._length = length

    async def hold(self, now: datetime) -> bool:
        holder, until = self._held.get(self._name, (self._holder, now))
        if holder != self._holder and until >= now:
            return False
        self._held[self._name] = (self._holder, now + self._length)
        return True

    async def release(self) -> None:
        if self._name in self._held and self._held[self._name][0] == self._holder:
            del self._held[self._name]


class InMemoryPresence:
    """Those who share `until` (writer → the time until which it counts as alive)."""

    def __init__(
        self,
        until: dict[str, datetime] | None = None,
        writer: str = "one",
        length: timedelta = timedelta(seconds=5),
    ) -> None:
        self._until = {} if until is None else until
        self._writer = writer
        self._length = length

    async def confirm(self, now: datetime) -> None:
        self._until[self._writer] = now + self._length

    async def gone(self, now: datetime) -> Sequence[str]:
        return [writer for writer, until in self._until.items() if until < now]

    async def forget(self, writer: str) -> None:
        self._until.pop(writer, None)

    async def leave(self) -> None:
        await self.forget(self._writer)


class InMemoryPublisher:
    """Remembers what was published; `failing` topics refuse."""

    def __init__(self) -> None:
        self.sent: list[Entry] = []
        self.failing: set[str] = set()

    async def publish(self, entries: Sequence[Entry]) -> Sequence[bool]:
        results = []
        for entry in entries:
            works = entry.message.topic not in self.failing
            if works:
                self.sent.append(entry)
            results.append(works)
        return results


class IdleRelay:
    """`Relaying` that publishes nothing, so that every outbox keeps all events of its record."""

    def owned(self, entry_ids: Sequence[str]) -> bool:
        return False

    def published(self, entry_id: str) -> bool:
        return False

    def offer(self, record_id: str, entries: Sequence[Entry]) -> None:
        """The entries stay in the outbox."""

    def leave(self, record_id: str) -> None:
        raise AssertionError("nothing is in hand")

    def settled(self, record_id: str, entry_ids: Sequence[str]) -> None:
        raise AssertionError("nothing is published, so nothing is dropped")
