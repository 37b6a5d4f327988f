"""What those who work with stored requests need of the world."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from direct311.intake.request import ServiceRequest


class Submitted(Protocol):
    """What became of submissions, whatever happened to the requests since."""

    async def by_idempotency(self, key: str) -> ServiceRequest | None:
        """The request that has this idempotency key."""
        ...

    async def by_id(self, record_id: str) -> ServiceRequest | None: ...


class Requests(Protocol):
    """Requests as they stand."""

    async def get(self, record_id: str) -> ServiceRequest | None: ...

    async def with_index(self, field: str, values: Sequence[str], limit: int) -> Sequence[str]:
        """Ids of the records with one of these blind index values."""
        ...

    async def indexes_of(
        self, record_ids: Sequence[str]
    ) -> Mapping[str, Mapping[str, Sequence[str]]]:
        """The blind index values of those records that there are, by id and kind."""
        ...
