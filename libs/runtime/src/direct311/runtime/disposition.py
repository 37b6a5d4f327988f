"""How a holder destroys its part of a record, even if it crashes in between.

The accepted order is stored in the document (`destroying`), which from then on accepts no events.
Then the key is destroyed, then the data; then one update turns the document into a tombstone that
holds the receipt until it is published. Each step may be repeated.
"""

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from direct311.runtime.clock import Clock
from direct311.runtime.messaging.records import EventProcessor
from direct311.runtime.messaging.state import Change, Outgoing, RecordState
from direct311.runtime.vault.vault import KeyStore
from direct311.schemas import derived_id
from direct311.schemas import events as ev

S = TypeVar("S", bound=RecordState)


@dataclass(frozen=True, slots=True)
class Destroyed:
    """What was destroyed: counts of documents, sealed fields, objects in the store, and bytes."""

    documents: int = 0
    fields: int = 0
    objects: int = 0
    bytes: int = 0


class Destroyer(Generic[S]):
    """One holder's destruction. `remove` deletes everything outside the record's own document and
    returns what the record had; it may be called again after a crash."""

    MANNER = "key shredded, data deleted"

    def __init__(
        self,
        *,
        holder: ev.Holder,
        processor: EventProcessor[S],
        destroying: Callable[[int], Awaitable[Sequence[S]]],
        remove: Callable[[S], Awaitable[Destroyed]],
        keys: KeyStore | None,
        clock: Clock,
        recoverable_for: timedelta,
    ) -> None:
        self._holder = holder
        self._processor = processor
        self._destroying = destroying
        self._remove = remove
        self._keys = keys
        self._clock = clock
        self._recoverable_for = recoverable_for

    async def step(self) -> None:
        """Finish every destruction that was begun. If one cannot be finished now, the others still
        are, and its error is raised at the end."""
        failed: dict[str, Exception] = {}
        while fresh := await self._begun(failed.keys()):
            for state in fresh:
                try:
                    await self.destroy(state)
                except Exception as error:
                    failed[state.record_id] = error
        if failed:
            raise next(iter(failed.values()))

    async def _begun(self, but: Collection[str]) -> Sequence[S]:
        states = await self._destroying(100 + len(but))
        return [state for state in states if state.record_id not in but]

    async def destroy(self, state: S) -> None:
        """Destroy the key and the data, and leave a tombstone with the receipt."""
        had_key = await self._keys.destroy(state.record_id) if self._keys else False
        removed = await self._remove(state)
        at = self._clock.now()
        order_id = state.order_id or ""
        receipt = self._receipt(state.record_id, order_id, removed, had_key, at)

        async def bury(current: S) -> Change[S] | None:
            if current.lifecycle != "destroying":
                return None
            return Change(current.buried(), (receipt,))

        cause = derived_id(order_id, f"{self._holder}:{state.record_id}")
        await self._processor.change(state.record_id, cause, bury)

    def _receipt(
        self, record_id: str, order_id: str, removed: Destroyed, had_key: bool, at: datetime
    ) -> Outgoing:
        return Outgoing(
            ev.RecordDestroyed(
                record_id=record_id,
                order_id=order_id,
                holder=self._holder,
                documents=removed.documents,
                fields=removed.fields,
                objects=removed.objects,
                bytes=removed.bytes,
                keys=int(had_key),
                manner=self.MANNER,
                destroyed_at=at,
                recoverable_until=at + self._recoverable_for,
            )
        )
