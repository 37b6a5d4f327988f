"""MongoDB documents that are replaced as a whole, only in the version that was read, with an outbox
for the entries of the acts that change them."""

from collections.abc import Sequence
from typing import Generic, TypeVar

from direct311.retention.acts import cause_of
from direct311.runtime.clock import Clock
from direct311.runtime.messaging.records import IN_HAND_GRACE, Entry, Write
from direct311.runtime.messaging.relay import Relay
from direct311.runtime.messaging.state import Outgoing, RecordState
from direct311.runtime.process import AggregateStore
from direct311.runtime.storage.database import Document, DuplicateError
from direct311.schemas import Model

V = TypeVar("V", bound=Model)

_OF_THE_OUTBOX = ("outbox", "pending", "relay_after", "relay_by")


class Versioned(Generic[V]):
    """Documents replaced only in the version that was read; the model has a `version`.

    `store`: the outbox of the same collection. The acts given to a write go out with it: the
    document and its entries are one write, and the relay publishes them.
    """

    def __init__(
        self, store: AggregateStore[RecordState], model: type[V], key: str, clock: Clock
    ) -> None:
        self._store = store
        self._collection = store.records.collection
        self._model: type[V] = model
        self._key = key
        self._clock = clock

    @property
    def relay(self) -> Relay:
        """Publishes the entries."""
        return self._store.relay

    async def get(self, key: str) -> V | None:
        document = await self._collection.find_one({"_id": key})
        return self._read(document) if document else None

    async def replace(self, value: V, acts: Sequence[Outgoing] = ()) -> bool:
        document = self._write(value)
        key, read = document["_id"], document["version"]
        before = await self._waiting(key)
        waiting = tuple(entry for entry in before if not self.relay.published(entry.id))
        added = self._entries(key, acts)
        write = self._written(key, read, waiting, added)
        result = await self._collection.replace_one(
            {"_id": key, "version": read},
            {**document, **self._outbox(write), "version": read + 1},
        )
        if result.matched_count != 1:
            return False
        dropped = [entry.id for entry in before if entry not in waiting]
        if dropped:
            self.relay.settled(key, dropped)
        self._offer(write, waiting, added)
        return True

    async def published(self, key: str) -> bool:
        """Whether the broker has every entry about this document."""
        return all(self.relay.published(entry.id) for entry in await self._waiting(key))

    async def _insert(self, value: V, acts: Sequence[Outgoing] = ()) -> bool:
        document = self._write(value)
        key = document["_id"]
        added = self._entries(key, acts)
        write = self._written(key, document["version"], (), added)
        try:
            await self._collection.insert_one({**document, **self._outbox(write)})
        except DuplicateError:
            return False
        self._offer(write, (), added)
        return True

    def _entries(self, key: str, acts: Sequence[Outgoing]) -> tuple[Entry, ...]:
        """The messages of the acts."""
        return self._store.emitter.entries(cause_of(acts), key, acts, None) if acts else ()

    async def _waiting(self, key: str) -> tuple[Entry, ...]:
        """The entries not known to be published. A document from before there were entries has
        none."""
        document = await self._collection.find_one({"_id": key}, {"outbox": 1})
        return self._store.records.stored(document).outbox if document else ()

    def _written(
        self, key: str, read: int, waiting: tuple[Entry, ...], added: tuple[Entry, ...]
    ) -> Write[RecordState]:
        now = self._clock.now()
        in_hand = self.relay.owned([entry.id for entry in waiting])
        return Write(
            read,
            RecordState(record_id=key),
            waiting + added,
            now + IN_HAND_GRACE if in_hand else now,
        )

    def _outbox(self, write: Write[RecordState]) -> Document:
        document = self._store.records.document(write, b"")
        return {name: document[name] for name in _OF_THE_OUTBOX}

    def _offer(
        self, write: Write[RecordState], waiting: tuple[Entry, ...], added: tuple[Entry, ...]
    ) -> None:
        """Publish soon what was added, unless something before it is left to the lease's holder."""
        if not added:
            return
        key = write.state.record_id
        if self.relay.owned([entry.id for entry in waiting]):
            self.relay.offer(key, added)
        elif write.relay_after > self._clock.now():
            self.relay.leave(key)

    def _read(self, document: Document) -> V:
        return self._model.model_validate({**document, self._key: document["_id"]})

    def _write(self, value: V) -> Document:
        document = value.model_dump(mode="python", exclude_none=True)
        return {"_id": document.pop(self._key), **document}
