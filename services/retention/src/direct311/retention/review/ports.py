"""Where the disposition sets are stored."""

from collections.abc import Sequence
from typing import Protocol

from direct311.retention.review.domain import Disposition, Status


class Dispositions(Protocol):
    async def add(self, disposition: Disposition) -> None: ...

    async def get(self, disposition_id: str) -> Disposition | None: ...

    async def replace(self, disposition: Disposition) -> bool:
        """Write it as its next version, unless somebody else has; returns whether it was
        written."""
        ...

    async def with_status(self, statuses: Sequence[Status], limit: int) -> Sequence[str]:
        """Ids of the sets in one of these states."""
        ...

    async def page(self, after: str | None, limit: int) -> Sequence[Disposition]:
        """Newest first, after an id."""
        ...
