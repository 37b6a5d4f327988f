"""What rebuilding person indexes needs from outside."""

from collections.abc import Sequence
from typing import Protocol

from direct311.intake.request import ServiceRequest


class Indexed(Protocol):
    """Requests by the key versions and reading rules of their person indexes."""

    async def indexed_otherwise(
        self, versions: Sequence[int], after: str, limit: int
    ) -> Sequence[ServiceRequest]:
        """The next requests by id that were not indexed under exactly these versions, or not under
        the current reading rules."""
        ...

    async def count_otherwise(self, versions: Sequence[int]) -> int: ...

    async def homes_unread(self, after: str, limit: int) -> Sequence[ServiceRequest]:
        """The next requests by id whose reporter's own address geo has yet to read."""
        ...
