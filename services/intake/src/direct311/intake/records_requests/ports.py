"""What requests for public records need from outside."""

from typing import Protocol

from direct311.intake.records_requests.domain import CaseReceipt, CaseStatus, RecordsRequest


class CaseDesk(Protocol):
    """The county's case desk, which keeps what is asked for. Nothing of it is kept here."""

    async def open_case(self, request: RecordsRequest) -> CaseReceipt:
        """Open a case. The same request under the same key opens one.

        :raises RefusedError: `idempotency_key` if the key was used for another request;
            `case_desk_unavailable` if the desk does not answer.
        """
        ...

    async def status(self, token: str) -> CaseStatus:
        """How far the token's case is.

        :raises RefusedError: `unknown_case` if no case has this token; `case_desk_unavailable` if
            the desk does not answer.
        """
        ...
