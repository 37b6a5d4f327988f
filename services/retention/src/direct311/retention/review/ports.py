"""Where the disposition sets are stored."""

from collections.abc import Sequence
from typing import Protocol

from direct311.retention.review.domain import Disposition, Status
from direct311.runtime.messaging.state import Outgoing


class Dispositions(Protocol):
    async def add(self, disposition: Disposition) -> None: ...

    async def get(self, disposition_id: str) -> Disposition | None: ...

    async def replace(self, disposition: Disposition, acts: Sequence[Outgoing] = ()) -> bool:
        """Write it as its next version, unless somebody else has, with the entries of the act in
        the same write; returns whether it was written."""
        ...

    async def published(self, disposition_id: str) -> bool:
        """Whether the broker has every entry about this set."""
        ...

    async def with_status(self, statuses: Sequence[Status], limit: int) -> Sequence[str]:
        """Ids of the sets in one of these states."""
        ...

    async def page(self, after: str | None, limit: int) -> Sequence[Disposition]:
        """Newest first, after an id."""
        ...
