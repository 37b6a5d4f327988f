"""Events that wait for their place in the log."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from direct311.audit.entry import Facts
from direct311.verifier.event import Event


@dataclass(frozen=True, slots=True)
class QueuedEvent:
    """A signed event that waits for its place in the log."""

    event: Event
    facts: Facts


@dataclass(frozen=True, slots=True)
class InboxBatch:
    """Events that arrived together. `id` sorts by arrival; `offsets`: topic:partition → offset."""

    id: str
    arrived_at: datetime
    queued_events: tuple[QueuedEvent, ...]
    offsets: Mapping[str, int]


class Inbox(Protocol):
    """Events that are durable here but not yet in the log."""

    async def put(self, batches: Sequence[InboxBatch]) -> None: ...

    async def take(self, limit: int) -> Sequence[InboxBatch]:
        """The oldest batches, which stay in the inbox: at most `limit` events, or one batch."""
        ...

    async def discard(self, batch_ids: Sequence[str]) -> None: ...

    async def length(self) -> int:
        """How many batches wait."""
        ...

    async def oldest(self) -> datetime | None:
        """When the batch that has waited longest arrived."""
        ...
