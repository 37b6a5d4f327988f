"""The gateway's calls for messages about a request for records, by the case token."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Request, Response, Security
from fastapi.security import HTTPAuthorizationCredentials
from pydantic import Field

from direct311.intake.api_types import IdempotencyKey
from direct311.intake.case_messages.domain import MessageReceipt
from direct311.intake.case_messages.handlers import ReadMessages, WriteToTheCounty
from direct311.intake.case_token import CASE_TOKEN, by_token
from direct311.intake.clients.api.failed_keys import FailedKeys
from direct311.intake.language import Language, preferred
from direct311.intake.records_requests.domain import RecordsRequestNotices
from direct311.runtime.http.api import PROBLEMS
from direct311.runtime.text import Lines
from direct311.schemas import Instant, Model

LARGEST_MESSAGE: Final = 64 * 1024
"""In bytes."""
LONGEST_MESSAGE: Final = 5_000
_CASE: Final = "01a22f71-0c3e-7d11-9a4b-5f0de0c6b1a2"
_MESSAGE: Final = "5d1c9a55-7d4f-5c8b-8e21-0f6a523c0e5b"
_WRITTEN: Final[dict[str, Any]] = {
    "case_id": _CASE,
    "message_id": _MESSAGE,
    "at": "2026-12-02T14:00:00Z",
    "text": "The county has your message.",
}


class MessageOrder(
    Model,
    extra="forbid",
    json_schema_extra={"examples": [{"text": "I mean the bridge over the canal."}]},
):
    """`text`: in your own words. Nobody has to say who they are, or why they ask."""

    text: Annotated[str, Field(min_length=1, max_length=LONGEST_MESSAGE), Lines]


class MessageReceiptAnswer(Model, json_schema_extra={"examples": [_WRITTEN]}):
    """`text`: that the county has your message, in the language of `Accept-Language`."""

    case_id: str
    message_id: str
    at: Instant
    text: str


class MessageAnswer(Model):
    """A message. `sender`: `county` or `requester`; `sender_text` says it in the language of
    `Accept-Language`. `asks`: a question, which your next message answers. `text` is in the
    language in which it was written."""

    message_id: str
    sender: str
    sender_text: str
    at: Instant
    asks: bool
    text: str


class MessagesAnswer(
    Model,
    json_schema_extra={
        "examples": [
            {
                "case_id": _CASE,
                "messages": [
                    {
                        "message_id": _MESSAGE,
                        "sender": "county",
                        "sender_text": "The county",
                        "at": "2026-12-02T13:00:00Z",
                        "asks": True,
                        "text": "Which bridge do you mean?",
                    }
                ],
            }
        ]
    },
):
    """All messages of your case, oldest first. Nobody of the county is named."""

    case_id: str
    messages: tuple[MessageAnswer, ...]


def case_messages_router(
    write: WriteToTheCounty,
    read: ReadMessages,
    notices: RecordsRequestNotices,
    failed_tokens: FailedKeys,
) -> APIRouter:
    """For the holder of a case token."""
    api = APIRouter(
        prefix="/v1/records-requests/messages",
        tags=["records requests"],
        responses={status: PROBLEMS[status] for status in (401, 404, 422, 429, 503)},
    )

    @api.get("")
    async def read_messages(
        request: Request,
        answer: Response,
        given: Annotated[HTTPAuthorizationCredentials | None, Security(CASE_TOKEN)] = None,
        accept_language: Annotated[str | None, Header()] = None,
    ) -> MessagesAnswer:
        """What the county and you have written about your request, by its token. Each call is an
        entry in the access log, and nothing is shown if that cannot be written."""
        language = preferred(accept_language)
        found = await by_token(request, given, failed_tokens, read)
        _in_private(answer, language)
        return MessagesAnswer(
            case_id=found.case_id,
            messages=tuple(
                MessageAnswer(
                    message_id=each.message_id,
                    sender=each.sender,
                    sender_text=notices.sender(language, each.sender),
                    at=each.at,
                    asks=each.asks,
                    text=each.text,
                )
                for each in found.messages
            ),
        )

    @api.post(
        "",
        status_code=201,
        max_body_size=LARGEST_MESSAGE,
        responses={
            200: {"model": MessageReceiptAnswer, "description": "It was written before"},
            **{status: PROBLEMS[status] for status in (400, 408, 409, 413)},
        },
    )
    async def write_message(
        order: MessageOrder,
        request: Request,
        answer: Response,
        given: Annotated[HTTPAuthorizationCredentials | None, Security(CASE_TOKEN)] = None,
        idempotency_key: IdempotencyKey = None,
        accept_language: Annotated[str | None, Header()] = None,
    ) -> MessageReceiptAnswer:
        """Write to the county about your request, or answer its question. The text is sealed in the
        case file, and nothing of it is kept here. With a random `Idempotency-Key`, the same message
        again is written once (200)."""
        language = preferred(accept_language)
        address = request.client.host if request.client else ""

        async def written(token: str) -> MessageReceipt:
            return await write(address, token, order.text, idempotency_key)

        receipt = await by_token(request, given, failed_tokens, written)
        if receipt.repeated:
            answer.status_code = 200
        _in_private(answer, language)
        return MessageReceiptAnswer(
            case_id=receipt.case_id,
            message_id=receipt.message_id,
            at=receipt.at,
            text=notices.message_received(language),
        )

    return api


def _in_private(answer: Response, language: Language) -> None:
    answer.headers["Cache-Control"] = "no-store"
    answer.headers["Content-Language"], answer.headers["Vary"] = language, "Accept-Language"
