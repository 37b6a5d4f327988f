"""What a review needs from outside."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from direct311.intake.request import ServiceRequest
from direct311.intake.review.domain.reviews import RecordReviews


class Reviews(Protocol):
    """The reviews of each record."""

    async def of(self, record_id: str) -> RecordReviews:
        """The record's reviews; version 0 if there are none."""
        ...

    async def store(self, reviews: RecordReviews) -> bool:
        """Store them as the version after theirs; `False`, and nothing is stored, if somebody else
        stored that version first."""
        ...

    async def forget(self, record_id: str, at: datetime) -> int:
        """Remove all of the record's reviews; returns how many documents there were. Leaves a note
        that it was done, so that nothing is stored for the record again and a repeat returns the
        same."""
        ...

    async def records(self, after: str, limit: int) -> Sequence[str]:
        """The next records by id that have reviews."""
        ...

    async def drop_notes(self, before: datetime) -> None:
        """Remove the notes of earlier removals."""
        ...


class PublicViews(Protocol):
    """What the public sees of a request."""

    async def of(self, record_id: str) -> Mapping[str, Any]:
        """The values by name; empty if the public must not find the request."""
        ...


class StoredRequests(Protocol):
    """Requests in their current state."""

    async def get(self, record_id: str) -> ServiceRequest | None:
        """The request; `None` if there is none, or it is being destroyed."""
        ...
