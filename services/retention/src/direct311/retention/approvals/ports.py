"""What the list of approvals needs from outside."""

from collections.abc import Sequence
from typing import Protocol

from direct311.retention.cases.domain import CaseFile


class OpenCases(Protocol):
    """The open cases of every kind."""

    async def open_cases(self, limit: int) -> Sequence[CaseFile]:
        """The oldest ones, without what was sealed, collected and written in them."""
        ...
