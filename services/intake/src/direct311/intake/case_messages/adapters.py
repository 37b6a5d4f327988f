"""Hands messages to retention's case desk."""

from typing import Any, TypeVar

from direct311.intake.case_messages.domain import (
    CaseMessage,
    CaseMessages,
    MessageReceipt,
    OwnMessage,
)
from direct311.intake.records_requests.adapters.retention import PROBLEM, TRY_AGAIN
from direct311.intake.records_requests.ports import DeskAwayError
from direct311.runtime.errors import RefusedError, TransientError
from direct311.runtime.peers import HttpError, Peer
from direct311.schemas import Instant, Model

M = TypeVar("M", bound=Model)
REFUSALS = {
    "unknown_case": "No case has this token.",
    "full": "This case has as many messages from you as it may. The county reads all of them.",
}
"""Retention's refusals that the requester learns, in our words."""


class _Written(Model):
    case_id: str
    message_id: str
    at: Instant
    repeated: bool


class _Message(Model):
    message_id: str
    sender: str
    at: Instant
    asks: bool
    text: str


class _Messages(Model):
    case_id: str
    messages: tuple[_Message, ...]


class RetentionMessages:
    """`MessageDesk` through `POST /internal/cases/messages` and `…/messages/read` of retention."""

    def __init__(self, retention: Peer) -> None:
        self._retention = retention

    async def write(self, token: str, message: OwnMessage) -> MessageReceipt:
        body = {"token": token, "key": message.key, "text": message.text}
        written = await self._asked(_Written, "/internal/cases/messages", body)
        return MessageReceipt(**dict(written))

    async def read(self, token: str) -> CaseMessages:
        found = await self._asked(_Messages, "/internal/cases/messages/read", {"token": token})
        return CaseMessages(
            found.case_id, tuple(CaseMessage(**dict(each)) for each in found.messages)
        )

    async def _asked(self, model: type[M], path: str, body: dict[str, Any]) -> M:
        try:
            return model.model_validate(await self._retention.post(path, body))
        except HttpError as error:
            raise _refusal(error) from None
        except TransientError:
            raise DeskAwayError(TRY_AGAIN, unsure=False) from None
        except ValueError:
            # The message of an answer that cannot be read has what was answered.
            raise DeskAwayError(TRY_AGAIN, unsure=True) from None


def _refusal(error: HttpError) -> RefusedError:
    named = error.problem.get("type") if isinstance(error.problem, dict) else None
    code = str(named).removeprefix(PROBLEM)
    if code in REFUSALS:
        return RefusedError(code, REFUSALS[code])
    if code == "idempotency_key":
        return RefusedError(
            "idempotency_key",
            "This key was used for something else; send a new key.",
            field="idempotency_key",
        )
    if error.status == 429:
        return RefusedError(
            "too_often",
            "Too many calls about this case; see Retry-After.",
            retry_after=error.retry_after or TRY_AGAIN,
        )
    return DeskAwayError(error.retry_after or TRY_AGAIN, unsure=error.unsure)
