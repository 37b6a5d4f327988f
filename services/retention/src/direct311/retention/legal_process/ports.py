"""What legal processes need from outside."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from direct311.retention.case_file.legal import LegalProcess
from direct311.retention.cases.domain import (
    CaseContact,
    CaseFile,
    CaseKind,
    DocumentKind,
    PublicReceipt,
)
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
        public_receipt: PublicReceipt | None = None,
        bounds: Bounds | None = None,
        legal: LegalProcess | None = None,
        case_id: str | None = None,
        documents: Sequence[tuple[DocumentKind, bytes]] = (),
    ) -> CaseFile:
        """Open a case file.

        :param public_receipt: somebody submitted it at the gateway.
        :param case_id: of a call that may be repeated.
        :param documents: what came with it.
        """
        ...

    async def reached(self, case_id: str) -> CaseFile:
        """The case, once everybody who orders destruction knows of it."""
        ...


class Submissions(Protocol):
    """The case files of what was submitted at the gateway."""

    async def submitted(self, mark: str) -> CaseFile | None:
        """The one with this mark, if it was not destroyed."""
        ...


class Unbounded(Protocol):
    """The cases that stop all destruction."""

    async def alarming(self) -> Sequence[str]:
        """Those that should have had bounds by now."""
        ...
