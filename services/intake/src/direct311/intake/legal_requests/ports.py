"""What the form needs from outside."""

from typing import Protocol

from direct311.intake.legal_requests.domain import LegalReceipt, LegalRequest


class LegalDesk(Protocol):
    """The county's case desk, which keeps what is sent. Nothing of it is kept here."""

    async def submit(self, request: LegalRequest) -> LegalReceipt:
        """Open a case. The same request under the same key opens one.

        :raises RefusedError: `idempotency_key` if the key was used for another request.
        :raises DeskAwayError: the desk does not answer.
        """
        ...
