"""What staff need of the world."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from direct311.intake.request import ServiceRequest, SuspicionFlag


class FlaggedRequests(Protocol):
    """Requests that were marked, and how many there are of each status."""

    async def flagged(
        self, flag: SuspicionFlag | None, before: datetime, limit: int
    ) -> Sequence[ServiceRequest]:
        """Requests that were marked before then, newest first."""
        ...

    async def count(self) -> Mapping[str, int]:
        """Requests by status; tombstones do not count."""
        ...
