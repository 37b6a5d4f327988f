"""What deadlines need from outside."""

from collections.abc import Sequence
from datetime import date
from typing import Protocol


class LateJobs(Protocol):
    """Jobs by their due date."""

    async def late(self, today: date, limit: int) -> Sequence[str]:
        """Ids of open jobs whose due date has passed without an announcement."""
        ...
