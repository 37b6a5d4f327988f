"""What charging needs from outside."""

from typing import Protocol

from direct311.retention.cases.domain import CaseFile


class CasesByToken(Protocol):
    """Cases of requesters, by the hash of a token."""

    async def of_token(self, token_hash: str) -> CaseFile | None:
        """The case file with this token (SHA-256, hex), if it is not destroyed or being
        destroyed."""
        ...
