"""What searches for a case need from outside."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from direct311.intake.searches.domain import Narrowing


class Candidates(Protocol):
    """Active requests, found by what is public of them."""

    async def found(self, narrowing: Narrowing, limit: int) -> Sequence[str]:
        """Ids of the first `limit` requests that match, in the order of their receipt."""
        ...

    async def among(self, record_ids: Sequence[str], narrowing: Narrowing) -> Sequence[str]:
        """Those of these requests that match, in the order in which they are given."""
        ...

    async def without_point(
        self, narrowing: Narrowing, limit: int, record_ids: Sequence[str] | None = None
    ) -> int:
        """How many requests, or how many of these, match everything but the box, and have no public
        point to compare; at most `limit`. 0 without a box."""
        ...

    async def sealed(
        self, record_ids: Sequence[str], fields: Sequence[str]
    ) -> Mapping[str, Mapping[str, bytes]]:
        """The ciphertexts of these fields, by request. Requests without any are left out."""
        ...
