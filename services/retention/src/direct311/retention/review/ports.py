"""Where the disposition sets are kept."""

from collections.abc import Sequence
from typing import Protocol

from direct311.retention.review.domain import Disposition, Status


class Dispositions(Protocol):
    async def add(self, disposition: Disposition) -> None: ...

    async def get(self, disposition_id: str) -> Disposition | None: ...

    async def replace(self, disposition: Disposition) -> bool:
        """Write it as its next version, unless somebody else has; whether it was written."""
        ...

    async def with_status(self, statuses: Sequence[Status], limit: int) -> Sequence[str]:
        """Ids of those in one of these states."""
        ...

    async def page(self, after: str | None, limit: int) -> Sequence[Disposition]:
        """The newest first, after an id."""
        ...
