"""The case desk in memory, as intake hands legal processes to it."""

from direct311.intake.legal_requests.domain import LegalReceipt, LegalRequest
from direct311.intake.records_requests.ports import DeskAwayError
from direct311.runtime.errors import RefusedError
from tests.support.records_requests import RECEIVED


class InMemoryLegalDesk:
    """`LegalDesk` in a dictionary. `away`: it does not answer. `lost`: so many answers are lost."""

    def __init__(self) -> None:
        self.away = False
        self.lost = 0
        self.requests: dict[str, LegalRequest] = {}

    async def submit(self, request: LegalRequest) -> LegalReceipt:
        if self.away:
            raise DeskAwayError(5, unsure=False)
        before = self.requests.get(request.key)
        if before is not None and before != request:
            raise RefusedError("idempotency_key", "Used before.", field="idempotency_key")
        self.requests[request.key] = request
        if self.lost:
            self.lost -= 1
            raise DeskAwayError(5, unsure=True)
        number = f"case-{list(self.requests).index(request.key)}"
        return LegalReceipt(number, RECEIVED, before is not None)
