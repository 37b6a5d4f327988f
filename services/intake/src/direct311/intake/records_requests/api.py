"""The gateway's calls for public records: without a key, a name or a reason."""

from typing import Annotated, Any, Final, TypeVar

from fastapi import APIRouter, Header, Request, Response, Security
from fastapi.security import HTTPAuthorizationCredentials
from pydantic import Field

from direct311.intake.api_types import IdempotencyKey
from direct311.intake.case_token import CASE_TOKEN, by_token
from direct311.intake.clients.api.failed_keys import FailedKeys
from direct311.intake.language import Language, preferred
from direct311.intake.records_requests.domain import (
    CaseEstimate,
    CaseStatements,
    EstimateLine,
    RecordsRequestNotices,
)
from direct311.intake.records_requests.handlers import (
    AskForRecords,
    FollowCase,
    ReadStatements,
    SeeEstimate,
)
from direct311.runtime.http.api import PROBLEMS
from direct311.runtime.text import Line, Lines
from direct311.schemas import Instant, Model

LARGEST_REQUEST: Final = 256 * 1024
"""In bytes."""

T = TypeVar("T")
_EXAMPLES: Final[list[dict[str, Any]]] = [
    {"request": "All complaints about the bridge on 5th Street since 2024."},
    {
        "request": "The inspection reports of Tropical Park of May 2026.",
        "contact": {"email": "reader@example.org"},
    },
]
_CASE: Final = "01a22f71-0c3e-7d11-9a4b-5f0de0c6b1a2"


class ContactOrder(Model, extra="forbid"):
    """How to reach the requester. All of it is optional; it is sealed, and used for this case
    only."""

    name: Annotated[str, Field(min_length=1, max_length=200), Line] | None = None
    email: Annotated[str, Field(min_length=1, max_length=320), Line] | None = None
    phone: Annotated[str, Field(min_length=1, max_length=40), Line] | None = None
    address: Annotated[str, Field(min_length=1, max_length=300), Line] | None = None


class RecordsRequestOrder(Model, extra="forbid", json_schema_extra={"examples": _EXAMPLES}):
    """`request`: what is asked for, in the requester's own words. Nobody has to say who they are,
    or why they ask."""

    request: Annotated[str, Field(min_length=1, max_length=20_000), Lines]
    contact: ContactOrder | None = None


class ReceiptAnswer(
    Model,
    json_schema_extra={
        "examples": [
            {
                "case_id": _CASE,
                "received_at": "2026-12-01T02:50:11.482Z",
                "token": "k3J9…",
                "acknowledgement": "We have received your request for public records. …",
                "language": "en",
            }
        ]
    },
):
    """`token`: keep it; it opens the state of this case, and cannot be given again. Send it as
    `Authorization: Bearer …`, never in a URL. `acknowledgement`: in the language of
    `Accept-Language`."""

    case_id: str
    received_at: Instant
    token: str
    acknowledgement: str
    language: Language


class StatusAnswer(
    Model,
    json_schema_extra={
        "examples": [
            {
                "case_id": _CASE,
                "state": "acknowledged",
                "state_text": "Your request was received and acknowledged.",
                "received_at": "2026-12-01T02:50:11.482Z",
                "age_days": 3,
                "days_without_act": 3,
                "last_step": "received",
                "last_step_text": "The request was received",
                "last_step_at": "2026-12-01T02:50:11.482Z",
            }
        ]
    },
):
    """How far a case is. The law sets no number of days, so the answer has two numbers: `age_days`
    since the receipt, and `days_without_act` since the last step. `state_text` and `last_step_text`
    are in the language of `Accept-Language`."""

    case_id: str
    state: str
    state_text: str
    outcome: str | None = None
    received_at: Instant
    age_days: int
    days_without_act: int
    last_step: str
    last_step_text: str
    last_step_at: Instant


def records_requests_router(
    ask: AskForRecords,
    follow: FollowCase,
    notices: RecordsRequestNotices,
    failed_tokens: FailedKeys,
) -> APIRouter:
    """For everybody. No API key is needed."""
    api = APIRouter(
        prefix="/v1/records-requests",
        tags=["records requests"],
        responses={status: PROBLEMS[status] for status in (422, 429, 503)},
    )

    @api.post(
        "",
        status_code=201,
        max_body_size=LARGEST_REQUEST,
        responses={
            200: {"model": ReceiptAnswer, "description": "It was received before"},
            **{status: PROBLEMS[status] for status in (400, 408, 409, 413)},
        },
    )
    async def ask_for_records(
        order: RecordsRequestOrder,
        request: Request,
        answer: Response,
        idempotency_key: IdempotencyKey = None,
        accept_language: Annotated[str | None, Header()] = None,
    ) -> ReceiptAnswer:
        """Ask for public records. Nobody has to say who they are, or why they ask. What is sent is
        sealed in a case file, and nothing of it is kept here.

        The answer is the acknowledgement. With a random `Idempotency-Key`, the same request again
        opens no second case (200), and its answer has a new token.
        """
        language = preferred(accept_language)
        contact = order.contact.model_dump(exclude_none=True) if order.contact else {}
        address = request.client.host if request.client else ""
        receipt = await ask(address, order.request, contact, idempotency_key)
        if receipt.repeated:
            answer.status_code = 200
        _in_private(answer, language)
        return ReceiptAnswer(
            case_id=receipt.case_id,
            received_at=receipt.received_at,
            token=receipt.token,
            acknowledgement=notices.acknowledgement(language, receipt.case_id),
            language=language,
        )

    @api.get(
        "/status",
        response_model_exclude_none=True,
        responses={status: PROBLEMS[status] for status in (401, 404)},
    )
    async def status(
        request: Request,
        answer: Response,
        given: Annotated[HTTPAuthorizationCredentials | None, Security(CASE_TOKEN)] = None,
        accept_language: Annotated[str | None, Header()] = None,
    ) -> StatusAnswer:
        """How far your case is, by its token. Nothing that was sealed is opened, and nobody's name
        is shown. A wrong token and a case that does not exist any more get the same answer."""
        language = preferred(accept_language)
        found = await by_token(request, given, failed_tokens, follow)
        _in_private(answer, language)
        return StatusAnswer(
            case_id=found.case_id,
            state=found.state,
            state_text=notices.state(language, found.state),
            outcome=found.outcome,
            received_at=found.received_at,
            age_days=found.age_days,
            days_without_act=found.days_without_act,
            last_step=found.last_step,
            last_step_text=notices.step(language, found.last_step),
            last_step_at=found.last_step_at,
        )

    return api


def _in_private(answer: Response, language: Language) -> None:
    answer.headers["Cache-Control"] = "no-store"
    answer.headers["Content-Language"], answer.headers["Vary"] = language, "Accept-Language"


class EstimateLineAnswer(EstimateLine):
    """`text`: what is charged for, in the language of `Accept-Language`."""

    text: str


class EstimateAnswer(
    CaseEstimate,
    json_schema_extra={
        "examples": [
            {
                "case_id": _CASE,
                "version": 1,
                "state": "awaiting_payment",
                "medium": "paper",
                "lines": [
                    {
                        "code": "one_sided",
                        "text": "One-sided pages",
                        "citation": "119.07(4)(a)1",
                        "units": 40,
                        "cents": 600,
                    }
                ],
                "total_cents": 600,
                "made_at": "2026-12-01T02:50:11.482Z",
                "due_cents": 600,
                "paid_cents": 0,
                "owed_cents": 600,
            }
        ]
    },
):
    """What your request costs, in cents of a dollar. Accept the `version` that you have read. Pay
    at the county's cashier, never here; the records are released once nothing is owed."""

    lines: tuple[EstimateLineAnswer, ...]
    invoice_lines: tuple[EstimateLineAnswer, ...] | None = None


class AcceptanceOrder(Model, extra="forbid", json_schema_extra={"examples": [{"version": 1}]}):
    """`version`: of the estimate that you accept."""

    version: Annotated[int, Field(ge=1, le=2**53 - 1, strict=True)]


def estimates_router(
    see: SeeEstimate,
    read: ReadStatements,
    notices: RecordsRequestNotices,
    failed_tokens: FailedKeys,
) -> APIRouter:
    """For the holder of a case token: what the request costs, and what was denied of it."""
    api = APIRouter(
        prefix="/v1/records-requests",
        tags=["records requests"],
        responses={status: PROBLEMS[status] for status in (401, 404, 409, 422, 429, 503)},
    )

    @api.get("/estimate", response_model_exclude_none=True)
    async def estimate(
        request: Request,
        answer: Response,
        given: Annotated[HTTPAuthorizationCredentials | None, Security(CASE_TOKEN)] = None,
        accept_language: Annotated[str | None, Header()] = None,
    ) -> EstimateAnswer:
        """What your request costs, by its token. 409 `no_estimate` if nothing was estimated."""
        found = await by_token(request, given, failed_tokens, see)
        return _estimate(found, answer, notices, preferred(accept_language))

    @api.post(
        "/estimate/acceptance",
        response_model_exclude_none=True,
        responses={status: PROBLEMS[status] for status in (400, 408, 413)},
    )
    async def accept(
        order: AcceptanceOrder,
        request: Request,
        answer: Response,
        given: Annotated[HTTPAuthorizationCredentials | None, Security(CASE_TOKEN)] = None,
        accept_language: Annotated[str | None, Header()] = None,
    ) -> EstimateAnswer:
        """Accept the estimate. 409 `changed` if there is a newer one. May be repeated."""

        async def accepted(token: str) -> CaseEstimate:
            return await see.accept(token, order.version)

        found = await by_token(request, given, failed_tokens, accepted)
        return _estimate(found, answer, notices, preferred(accept_language))

    @api.get("/statement", response_model_exclude_none=True)
    async def statement(
        request: Request,
        answer: Response,
        given: Annotated[HTTPAuthorizationCredentials | None, Security(CASE_TOKEN)] = None,
    ) -> CaseStatements:
        """What was denied of your request, by which law, and the county's written statement
        (section 119.07(1)(f), F.S.), in the county's own words. 409 `no_statement` if nothing was
        denied. That you read it is written to the access log, without your address."""
        found = await by_token(request, given, failed_tokens, read)
        answer.headers["Cache-Control"] = "no-store"
        return found

    return api


def _estimate(
    found: CaseEstimate, answer: Response, notices: RecordsRequestNotices, language: Language
) -> EstimateAnswer:
    _in_private(answer, language)

    def lines(given: tuple[EstimateLine, ...]) -> tuple[EstimateLineAnswer, ...]:
        return tuple(
            EstimateLineAnswer(**dict(each), text=notices.charge(language, each.code))
            for each in given
        )

    invoice = found.invoice_lines
    return EstimateAnswer(
        **{
            **dict(found),
            "lines": lines(found.lines),
            "invoice_lines": None if invoice is None else lines(invoice),
        }
    )
