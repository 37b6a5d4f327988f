"""What denials need from outside."""

from datetime import date
from typing import Protocol

from direct311.retention.cases.domain import CaseFile


class CasesByToken(Protocol):
    """Cases of requesters, by the hash of a token."""

    async def of_token(self, token_hash: str) -> CaseFile | None:
        """The case file with this token (SHA-256, hex), if it is not destroyed or being
        destroyed."""
        ...


class AssertedExemption(Protocol):
    """An exemption that may be asserted."""

    @property
    def code(self) -> str: ...

    @property
    def citation(self) -> str: ...


class KnownExemptions(Protocol):
    """The exemptions that the county applies."""

    def in_force(self, code: str, on: date, field: str | None = None) -> AssertedExemption | None:
        """The exemption with this code if it is in force on this day and, where a field is named,
        is for this field."""
        ...
