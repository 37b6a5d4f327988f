"""The case desk in memory, as intake calls it."""

from datetime import UTC, datetime

from direct311.intake.records_requests.domain import (
    CaseEstimate,
    CaseReceipt,
    CaseStatements,
    CaseStatus,
    EstimateLine,
    RecordsRequest,
)
from direct311.intake.records_requests.ports import DeskAwayError
from direct311.runtime.errors import RefusedError

RECEIVED = datetime(2026, 3, 2, 17, tzinfo=UTC)


class InMemoryCaseDesk:
    """`CaseDesk`, `EstimateDesk` and `StatementDesk` in dictionaries. `away`: it does not answer.
    `lost`: so many answers are lost. `estimates` and `denied`: by the number of the case."""

    def __init__(self) -> None:
        self.away = False
        self.lost = 0
        self.estimates: dict[str, CaseEstimate] = {}
        self.denied: dict[str, CaseStatements] = {}
        self.requests: dict[str, RecordsRequest] = {}
        self._cases: dict[str, str] = {}

    async def open_case(self, request: RecordsRequest) -> CaseReceipt:
        self._answer()
        before = self.requests.get(request.key)
        if before is not None and (before.text, before.contact) != (request.text, request.contact):
            raise RefusedError("idempotency_key", "Used before.", field="idempotency_key")
        self.requests[request.key] = request
        case_id = f"case-{list(self.requests).index(request.key)}"
        token = f"token-of-a-case-{len(self._cases)}"
        self._cases[token] = case_id
        self._lose()
        return CaseReceipt(case_id, RECEIVED, token, before is not None)

    async def status(self, token: str) -> CaseStatus:
        self._answer()
        if token not in self._cases:
            raise RefusedError("unknown_case", "No case has this token.")
        return CaseStatus(
            self._cases[token], "acknowledged", None, RECEIVED, 0, 0, "received", RECEIVED
        )

    async def estimate(self, token: str) -> CaseEstimate:
        case_id = (await self.status(token)).case_id
        if case_id not in self.estimates:
            raise RefusedError("no_estimate", "Nothing was estimated.")
        return self.estimates[case_id]

    async def accept(self, token: str, version: int) -> CaseEstimate:
        found = await self.estimate(token)
        if found.version != version:
            raise RefusedError("changed", "Newer.", field="version")
        accepted = found.model_copy(update={"accepted_at": found.accepted_at or RECEIVED})
        self.estimates[found.case_id] = accepted
        return accepted

    async def statements(self, token: str) -> CaseStatements:
        case_id = (await self.status(token)).case_id
        if case_id not in self.denied:
            raise RefusedError("no_statement", "Nothing was denied.")
        return self.denied[case_id]

    def estimated(self, case_id: str, version: int = 1) -> None:
        """The desk says what this case costs."""
        line = EstimateLine(code="one_sided", citation="119.07(4)(a)1", units=10, cents=150)
        self.estimates[case_id] = CaseEstimate(
            case_id=case_id,
            version=version,
            state="awaiting_payment",
            medium="paper",
            lines=(line,),
            total_cents=150,
            made_at=RECEIVED,
            due_cents=150,
            paid_cents=0,
            owed_cents=150,
        )

    def _answer(self) -> None:
        if self.away:
            raise DeskAwayError(5, unsure=False)

    def _lose(self) -> None:
        """The answer is lost after it was done."""
        if self.lost:
            self.lost -= 1
            raise DeskAwayError(5, unsure=True)
