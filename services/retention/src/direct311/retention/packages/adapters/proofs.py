"""Asks audit for the proof of a case's own entries."""

from typing import Any, Final

from direct311.retention.packages.domain.parts import canonical
from direct311.runtime.errors import RefusedError, TransientError
from direct311.runtime.peers import HttpError, Peer

LONGEST_ANSWER: Final = 60.0
"""In seconds."""
FORMAT: Final = "direct311-bundle-v1"


class PeerProofs:
    """Implements `Proofs` by audit's `POST /internal/cases/{case}/proof`."""

    def __init__(self, audit: Peer) -> None:
        self._audit = audit

    async def bundle(self, case_id: str) -> bytes:
        path = f"/internal/cases/{case_id}/proof"
        try:
            answer: Any = await self._audit.post(path, {}, seconds=LONGEST_ANSWER)
        except (HttpError, TransientError):
            raise _away() from None
        if not isinstance(answer, dict) or answer.get("format") != FORMAT:
            raise _away()
        return canonical(answer)


def _away() -> RefusedError:
    return RefusedError(
        "unavailable",
        "Audit does not prove the entries of this case now; try again.",
        retry_after=5,
    )
