"""What requests for public records need from outside."""

from typing import Protocol

from direct311.intake.records_requests.domain import (
    CaseEstimate,
    CaseReceipt,
    CaseStatements,
    CaseStatus,
    RecordsRequest,
)
from direct311.runtime.errors import RefusedError

AWAY = (
    "The case desk does not answer now. The gateway kept nothing of this. Send it again, with the"
    " same Idempotency-Key if you sent one."
)
UNSURE = (
    "The case desk did not answer, and may have it all the same. The gateway kept nothing of this."
    " Send it again, with the same Idempotency-Key if you sent one."
)


class DeskAwayError(RefusedError):
    """The case desk does not answer. `unsure`: it may have done what was asked all the same."""

    def __init__(self, retry_after: int, *, unsure: bool) -> None:
        detail = UNSURE if unsure else AWAY
        super().__init__("case_desk_unavailable", detail, retry_after=retry_after)
        self.unsure = unsure


class CaseDesk(Protocol):
    """The county's case desk, which keeps what is asked for. Nothing of it is kept here."""

    async def open_case(self, request: RecordsRequest) -> CaseReceipt:
        """Open a case. The same request under the same key opens one.

        :raises RefusedError: `idempotency_key` if the key was used for another request.
        :raises DeskAwayError: the desk does not answer.
        """
        ...

    async def status(self, token: str) -> CaseStatus:
        """How far the token's case is.

        :raises RefusedError: `unknown_case` if no case has this token; `case_desk_unavailable` if
            the desk does not answer.
        """
        ...


class EstimateDesk(Protocol):
    """The county's case desk, as far as fees go."""

    async def estimate(self, token: str) -> CaseEstimate:
        """What the token's case costs.

        :raises RefusedError: `unknown_case` if no case has this token; `no_estimate` if nothing was
            estimated; `case_desk_unavailable` if the desk does not answer.
        """
        ...

    async def accept(self, token: str, version: int) -> CaseEstimate:
        """The requester accepts this version of the estimate; may be repeated.

        :raises RefusedError: as above; `changed` if there is a newer one; `case_closed`.
        """
        ...


class StatementDesk(Protocol):
    """The county's case desk, as far as denials go."""

    async def statements(self, token: str) -> CaseStatements:
        """What was denied of the token's case.

        :raises RefusedError: `unknown_case` if no case has this token; `no_statement` if nothing
            was denied; `audit_unavailable` if the access could not be recorded there;
            `case_desk_unavailable` if the desk does not answer.
        """
        ...
