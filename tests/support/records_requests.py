"""The case desk in memory, as intake calls it."""

from datetime import UTC, datetime

from direct311.intake.records_requests.domain import CaseReceipt, CaseStatus, RecordsRequest
from direct311.runtime.errors import RefusedError

RECEIVED = datetime(2026, 3, 2, 17, tzinfo=UTC)


class InMemoryCaseDesk:
    """`CaseDesk` in dictionaries. `away`: it does not answer."""

    def __init__(self) -> None:
        self.away = False
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
        return CaseReceipt(case_id, RECEIVED, token, before is not None)

    async def status(self, token: str) -> CaseStatus:
        self._answer()
        if token not in self._cases:
            raise RefusedError("unknown_case", "No case has this token.")
        return CaseStatus(
            self._cases[token], "acknowledged", None, RECEIVED, 0, 0, "received", RECEIVED
        )

    def _answer(self) -> None:
        if self.away:
            raise RefusedError("case_desk_unavailable", "Away.", retry_after=5)
