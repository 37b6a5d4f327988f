"""What the public lists need from outside."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from direct311.intake.open311.domain import RequestQuery
from direct311.intake.request import ServiceRequest
from direct311.intake.updates import Update


class Updates(Protocol):
    """The public histories of the requests that the public lists show."""

    async def written(self, since: datetime, until: datetime, most: int) -> Sequence[Update]:
        """What was written at or after `since` and before `until`, oldest first. If there is more
        than `most`: that many, and everything else in the same second as the last."""
        ...


class PublicRequests(Protocol):
    """Requests as the public finds them."""

    async def public(self, record_id: str) -> ServiceRequest | None:
        """What the public may see of the request with this number; `None` if the public must not
        find it."""
        ...

    async def by_token(self, token: str) -> ServiceRequest | None:
        """The batch request that was answered with this token."""
        ...

    async def listed(self, query: RequestQuery) -> Sequence[ServiceRequest]:
        """One page of the public list, newest first. With ids, those requests that exist."""
        ...
