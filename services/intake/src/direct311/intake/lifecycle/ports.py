"""What work with stored requests needs from outside."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from direct311.intake.request import ServiceRequest


class Submitted(Protocol):
    """What became of submissions, whatever has happened to the requests since."""

    async def by_idempotency(self, key: str) -> ServiceRequest | None:
        """The request with this idempotency key."""
        ...

    async def by_id(self, record_id: str) -> ServiceRequest | None: ...


class Requests(Protocol):
    """Requests in their current state."""

    async def get(self, record_id: str) -> ServiceRequest | None: ...

    async def with_index(self, field: str, values: Sequence[str], limit: int) -> Sequence[str]:
        """Ids of the records with one of these blind index values."""
        ...

    async def indexes_of(
        self, record_ids: Sequence[str]
    ) -> Mapping[str, Mapping[str, Sequence[str]]]:
        """The blind index values of the existing records, by id and kind."""
        ...
