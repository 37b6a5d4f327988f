"""What making person indexes anew needs of the world."""

from collections.abc import Sequence
from typing import Protocol

from direct311.intake.request import ServiceRequest


class Indexed(Protocol):
    """Requests by the versions of the keys, and the rules of reading, that their person indexes
    were made by."""

    async def indexed_otherwise(
        self, versions: Sequence[int], after: str, limit: int
    ) -> Sequence[ServiceRequest]:
        """The next requests by id that were not indexed under just these versions, or not by the
        present rules of reading."""
        ...

    async def count_otherwise(self, versions: Sequence[int]) -> int: ...

    async def homes_unread(self, after: str, limit: int) -> Sequence[ServiceRequest]:
        """The next requests by id whose reporter's own address geo has yet to read."""
        ...
