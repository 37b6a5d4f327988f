"""What legal processes need from outside."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from direct311.retention.case_file.legal import LegalProcess
from direct311.retention.cases.domain import CaseContact, CaseFile, CaseKind
from direct311.retention.holds.domain import Bounds
from direct311.runtime.access.rules import Caller


class LegalCases(Protocol):
    """Queries over case files with a legal process."""

    async def awaiting_follow_up(self, due_by: datetime, limit: int) -> Sequence[str]:
        """The case files for which an instrument should have followed by then, longest first."""
        ...


class Opening(Protocol):
    """The case desk, which opens case files."""

    async def open_case(
        self,
        caller: Caller,
        kind: CaseKind,
        request: str,
        contact: CaseContact | None,
        received_at: datetime | None,
        *,
        bounds: Bounds | None = None,
        legal: LegalProcess | None = None,
        case_id: str | None = None,
    ) -> CaseFile:
        """Open a case file.

        :param case_id: of a call that may be repeated.
        """
        ...


class Unbounded(Protocol):
    """The cases that stop all destruction."""

    async def alarming(self) -> Sequence[str]:
        """Those that should have had bounds by now."""
        ...
