"""What the log needs from outside."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from direct311.retention.cases.domain import CaseFile


class ReleasedCases(Protocol):
    """Cases of which something went out."""

    async def released(
        self, since: datetime | None, until: datetime | None, first: str | None, limit: int
    ) -> Sequence[CaseFile]:
        """Case files with a package that was released from `since` on and before `until`, by
        number, from `first` on; none that is destroyed or being destroyed."""
        ...
