"""Hands requests for public records to retention's case desk."""

from typing import Any, TypeVar

from direct311.intake.records_requests.domain import CaseReceipt, CaseStatus, RecordsRequest
from direct311.intake.records_requests.ports import DeskAwayError
from direct311.runtime.errors import RefusedError, TransientError
from direct311.runtime.peers import HttpError, Peer
from direct311.schemas import Instant, Model

M = TypeVar("M", bound=Model)
PROBLEM = "urn:direct311:problem:"
TRY_AGAIN = 5
"""In seconds, if retention does not say when to try again."""


class _Opened(Model):
    case_id: str
    received_at: Instant
    token: str
    repeated: bool


class _Progress(Model):
    case_id: str
    state: str
    outcome: str | None = None
    received_at: Instant
    age_days: int
    days_without_act: int
    last_step: str
    last_step_at: Instant


class RetentionCases:
    """`CaseDesk` through `POST /internal/cases` and `POST /internal/cases/status` of retention."""

    def __init__(self, retention: Peer) -> None:
        self._retention = retention

    async def open_case(self, request: RecordsRequest) -> CaseReceipt:
        order: dict[str, Any] = {"key": request.key, "request": request.text}
        if request.contact:
            order["contact"] = dict(request.contact)
        try:
            opened = self._read(_Opened, await self._post("/internal/cases", order))
        except HttpError as error:
            if _code(error.problem) == "idempotency_key":
                raise RefusedError(
                    "idempotency_key",
                    "This key was used for something else; send a new key.",
                    field="idempotency_key",
                ) from None
            raise away(error) from None
        return CaseReceipt(**dict(opened))

    async def status(self, token: str) -> CaseStatus:
        try:
            answer = await self._post("/internal/cases/status", {"token": token})
            return CaseStatus(**dict(self._read(_Progress, answer)))
        except HttpError as error:
            if _code(error.problem) == "unknown_case":
                raise RefusedError("unknown_case", "No case has this token.") from None
            raise away(error) from None

    async def _post(self, path: str, body: object) -> Any:
        try:
            return await self._retention.post(path, body)
        except TransientError:
            # Without a token of our own, nothing was sent.
            raise HttpError(None, unsent=True) from None

    @staticmethod
    def _read(model: type[M], answer: object) -> M:
        try:
            return model.model_validate(answer)
        except ValueError:
            # Its message has what was answered, also a token.
            raise HttpError(None) from None


def away(error: HttpError) -> RefusedError:
    """The case desk did not answer a call."""
    return DeskAwayError(error.retry_after or TRY_AGAIN, unsure=error.unsure)


def _code(problem: Any) -> str | None:
    """The stable code of a problem document."""
    named = problem.get("type") if isinstance(problem, dict) else None
    return str(named).removeprefix(PROBLEM) if named else None
