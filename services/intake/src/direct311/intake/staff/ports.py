"""What staff need from outside."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from direct311.intake.request import ServiceRequest, SuspicionFlag


class FlaggedRequests(Protocol):
    """Flagged requests, and counts by status."""

    async def flagged(
        self, flag: SuspicionFlag | None, before: datetime, limit: int
    ) -> Sequence[ServiceRequest]:
        """Requests flagged before this time, newest first."""
        ...

    async def count(self) -> Mapping[str, int]:
        """Requests by status; tombstones do not count."""
        ...
