"""Hands legal processes to retention's case desk."""

from direct311.intake.legal_requests.domain import LegalReceipt, LegalRequest
from direct311.intake.records_requests.adapters.retention import PROBLEM, away
from direct311.runtime.errors import RefusedError, TransientError
from direct311.runtime.peers import HttpError, Peer
from direct311.schemas import Instant, Model

_SECONDS = 30.0
"""The longest that the desk may take to seal a file."""


class _Received(Model):
    case_id: str
    received_at: Instant
    repeated: bool


class RetentionLegalDesk:
    """`LegalDesk` through `POST /internal/legal-requests` of retention."""

    def __init__(self, retention: Peer) -> None:
        self._retention = retention

    async def submit(self, request: LegalRequest) -> LegalReceipt:
        order = {
            "key": request.key,
            "instrument": request.instrument,
            "request": request.text,
            "officer": dict(request.officer),
            "document": request.document,
        }
        try:
            found = await self._asked(order)
        except HttpError as error:
            named = error.problem.get("type") if isinstance(error.problem, dict) else None
            if str(named).removeprefix(PROBLEM) == "idempotency_key":
                raise RefusedError(
                    "idempotency_key",
                    "This key was used for something else; send a new key.",
                    field="idempotency_key",
                ) from None
            raise away(error) from None
        return LegalReceipt(found.case_id, found.received_at, found.repeated)

    async def _asked(self, order: object) -> _Received:
        try:
            answer = await self._retention.post("/internal/legal-requests", order, seconds=_SECONDS)
        except TransientError:
            # Without a token of our own, nothing was sent.
            raise HttpError(None, unsent=True) from None
        try:
            return _Received.model_validate(answer)
        except ValueError:
            # Its message has what was answered.
            raise HttpError(None) from None
