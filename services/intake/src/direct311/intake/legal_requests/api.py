"""`/v1/legal-requests`: the form for legal process, without a key. It shows nothing of any case."""

from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Request, Response
from fastapi.routing import APIRoute
from pydantic import Field

from direct311.intake.api_types import IdempotencyKey
from direct311.intake.language import Language, preferred
from direct311.intake.legal_requests.domain import LegalForm
from direct311.intake.legal_requests.handlers import SendLegalRequest
from direct311.runtime.errors import RefusedError
from direct311.runtime.http.api import PROBLEMS
from direct311.runtime.text import Line, Lines
from direct311.schemas import Instant, Model
from direct311.schemas.model import Code

LARGEST_DOCUMENT: Final = 8 * 1024**2
"""In bytes."""
LARGEST_FORM: Final = 12 * 1024**2
"""In bytes: a document in base64, and what is said about it."""
MOST_AT_ONCE: Final = 8
"""How many forms are in hand at the same time. Each may take the memory of `LARGEST_FORM` several
times: as it comes, as text, and as it is passed on."""
MOST_OF_AN_ADDRESS: Final = 2
_BASE64: Final = r"^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"
_EXAMPLES: Final[list[dict[str, Any]]] = [
    {
        "agency": "Sample Police Department",
        "instrument": "administrative_subpoena",
        "request": "Who reported the fire at the recycling yard on 12 May 2026.",
        "officer": {"name": "A. Sample", "badge": "1234", "email": "a.sample@agency.example"},
        "document": "JVBERi0xLjcK",
    }
]
_RECEIPT: Final = "01a22f71-0c3e-7d11-9a4b-5f0de0c6b1a2"


class OfficerOrder(Model, extra="forbid"):
    """Who sends it. It is sealed, and used for this case only. The county never calls a number in
    it: it calls the published number of the agency."""

    name: Annotated[str, Field(min_length=1, max_length=200), Line]
    badge: Annotated[str, Field(min_length=1, max_length=60), Line] | None = None
    email: Annotated[str, Field(min_length=1, max_length=320), Line] | None = None
    phone: Annotated[str, Field(min_length=1, max_length=40), Line] | None = None
    address: Annotated[str, Field(min_length=1, max_length=300), Line] | None = None


class LegalRequestOrder(Model, extra="forbid", json_schema_extra={"examples": _EXAMPLES}):
    """`agency`: its full name. `instrument`: a code of `GET /v1/legal-requests/form`. `request`:
    which records are asked for. `document`: the instrument as a file in base64, at most 8 MB. It is
    kept as it comes, and nobody parses it."""

    agency: Annotated[str, Field(min_length=1, max_length=200), Line]
    instrument: Code
    request: Annotated[str, Field(min_length=1, max_length=20_000), Lines]
    officer: OfficerOrder
    document: Annotated[
        str,
        Field(
            min_length=4,
            max_length=LARGEST_DOCUMENT // 3 * 4 + 4,
            pattern=_BASE64,
            repr=False,
        ),
    ]


class LegalReceiptAnswer(
    Model,
    json_schema_extra={
        "examples": [
            {
                "receipt": _RECEIPT,
                "received_at": "2026-12-01T02:50:11.482Z",
                "notice": f"We have received the document. The receipt number is {_RECEIPT}. …",
                "language": "en",
            }
        ]
    },
):
    """`receipt`: name it when the county calls your agency. It opens nothing. `notice`: in the
    language of `Accept-Language`."""

    receipt: str
    received_at: Instant
    notice: str
    language: Language


class LegalFormAnswer(Model):
    """The form in the language of `Accept-Language`. `instruments`: the kinds that it takes, by
    their codes. `emergency`: what to do instead where somebody's life or body is in danger."""

    about: str
    emergency: str
    instruments: Mapping[str, str]
    largest_document: int
    language: Language


def legal_requests_router(send: SendLegalRequest, form: LegalForm) -> APIRouter:
    """For everybody. No API key is needed, and no call shows what became of a request."""
    api = APIRouter(prefix="/v1/legal-requests", tags=["legal process"], route_class=_few_at_once())

    @api.get("/form")
    async def read_form(
        answer: Response, accept_language: Annotated[str | None, Header()] = None
    ) -> LegalFormAnswer:
        """What the form is for, and the kinds of instruments that it takes."""
        language = preferred(accept_language)
        _in_language(answer, language)
        return LegalFormAnswer(
            about=form.about(language),
            emergency=form.emergency(language),
            instruments=form.texts[language].instruments,
            largest_document=LARGEST_DOCUMENT,
            language=language,
        )

    @api.post(
        "",
        status_code=201,
        max_body_size=LARGEST_FORM,
        responses={
            200: {"model": LegalReceiptAnswer, "description": "It was received before"},
            **{status: PROBLEMS[status] for status in (400, 408, 409, 413, 422, 429, 503)},
        },
    )
    async def send_legal_request(
        order: LegalRequestOrder,
        request: Request,
        answer: Response,
        idempotency_key: IdempotencyKey = None,
        accept_language: Annotated[str | None, Header()] = None,
    ) -> LegalReceiptAnswer:
        """Send a subpoena, an order, a warrant or a written request of an agency. What is sent is
        sealed in a case file, and nothing of it is kept here. The county calls the published number
        of the agency before it answers anything.

        The answer is a receipt number and nothing else. With a random `Idempotency-Key`, the same
        request again opens no second case (200).
        """
        language = preferred(accept_language)
        officer = {**order.officer.model_dump(exclude_none=True), "agency": order.agency}
        address = request.client.host if request.client else ""
        receipt = await send(
            address, order.instrument, order.request, officer, order.document, idempotency_key
        )
        if receipt.repeated:
            answer.status_code = 200
        answer.headers["Cache-Control"] = "no-store"
        _in_language(answer, language)
        return LegalReceiptAnswer(
            receipt=receipt.number,
            received_at=receipt.received_at,
            notice=form.received(language, receipt.number),
            language=language,
        )

    return api


def _in_language(answer: Response, language: Language) -> None:
    answer.headers["Content-Language"], answer.headers["Vary"] = language, "Accept-Language"


def _few_at_once() -> type[APIRoute]:
    """Routes of which few calls with a body are received at the same time, and fewer from one
    address. A call that has to wait is refused before its body is read."""
    receiving: Counter[str] = Counter()

    class FewAtOnce(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            handle = super().get_route_handler()

            async def received(request: Request) -> Response:
                if request.method == "GET":
                    return await handle(request)
                address = request.client.host if request.client else ""
                if receiving.total() >= MOST_AT_ONCE or receiving[address] >= MOST_OF_AN_ADDRESS:
                    raise RefusedError(
                        "too_often", "Too many files come at the same time.", retry_after=5
                    )
                receiving[address] += 1
                try:
                    return await handle(request)
                finally:
                    receiving[address] -= 1
                    if not receiving[address]:
                        del receiving[address]

            return received

    return FewAtOnce
