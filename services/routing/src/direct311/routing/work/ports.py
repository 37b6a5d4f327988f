"""What the departments' work needs of the world."""

from collections.abc import Sequence
from typing import Protocol

from direct311.routing.job import Job


class Redactor(Protocol):
    """Takes out of free text what rules can find of personal information."""

    def __call__(self, text: str) -> str: ...


class Jobs(Protocol):
    """Jobs as they stand."""

    async def get(self, record_id: str) -> Job | None: ...

    async def queue(
        self, department: str, statuses: Sequence[str], after: str | None, limit: int
    ) -> Sequence[Job]:
        """A department's jobs in these states, oldest first, from after a record id."""
        ...

    async def count(self) -> dict[str, int]:
        """Jobs by state; those that are not routed yet under `waiting`."""
        ...
