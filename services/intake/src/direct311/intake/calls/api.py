"""`POST /v1/work/requests`: an agent takes a request from somebody who calls or comes to the
counter."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Response
from pydantic import Field

from direct311.intake.api_types import CallerOf, Guidance
from direct311.intake.calls.handlers import Call, Channel, TakeCall, Taken
from direct311.intake.language import Language
from direct311.intake.request import NoticesReader
from direct311.intake.submission.api.orders import (
    NAMING,
    ContactConsent,
    Degrees,
    SubmissionOrder,
    draft_of,
    malformed,
)
from direct311.intake.submission.handlers.accept import WrongSubmissionError
from direct311.intake.work.api.requests import ETAG
from direct311.runtime.access.roles import ROLES
from direct311.runtime.access.rules import Caller
from direct311.runtime.http.api import PROBLEMS, require
from direct311.schemas import Model
from direct311.schemas import events as ev

Version = Annotated[str, Field(max_length=40)]
Key = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=200,
        pattern=r"^[\x20-\x7e]+$",
        description="The same for a retry of the same call; without it nothing is taken (422).",
    ),
]
"""A retry with the same key takes the call only once."""

CALL_NAMING = replace(
    NAMING,
    names={
        **NAMING.names,
        "policy_version": "notices.policy_version",
        "email_notice_version": "notices.email_notice_version",
    },
    words={**NAMING.words, "file_required": "this type needs a file, which a call cannot bring"},
)
"""What this call names the fields of a submission."""


class NoticesRead(Model, extra="forbid"):
    """What was read aloud to the caller, in which language and by whom. With an `email`, the
    `email_notice_version` is required (section 668.6076, F.S.)."""

    policy_version: Version
    email_notice_version: Version | None = None
    language: Language
    read_by: NoticesReader


class CallOrder(Model, extra="forbid"):
    """A request as the caller tells it. The members are those of `POST /v1/requests`, and so are
    the rules. `notices`: what was read to the caller; without them nothing is taken (409)."""

    channel: Channel
    notices: NoticesRead | None = None
    service_code: str
    lat: Degrees | None = None
    long: Degrees | None = None
    address: str | None = None
    address_id: str | None = None
    description: str | None = None
    attributes: dict[str, Any] = Field(default_factory=dict)
    first_name: str | None = None
    last_name: str | None = None
    email: str | None = None
    phone: str | None = None
    contact_consent: ContactConsent | None = None

    def call(self, key: str | None) -> Call:
        notices = self.notices
        told: Mapping[str, object] = self.model_dump(exclude={"channel", "notices"})
        order = SubmissionOrder.model_validate(
            {
                **told,
                "policy_version": notices.policy_version if notices else None,
                "email_notice_version": notices.email_notice_version if notices else None,
            }
        )
        return Call(
            channel=self.channel,
            draft=draft_of(order),
            language=notices.language if notices else "en",
            read_by=notices.read_by if notices else None,
            idempotency_key=key,
        )


class CallAnswer(Model):
    """`tell`: read this to the caller, in `language`. `emergency`: read this first, if someone's
    life may be in danger. `service_request_id`: the number that the caller gets; a request of a
    batch type has a `token` in its place, and one of a blackbox type neither. `record_id`: the
    request for staff. `code_sent`: a code goes to the caller's e-mail address, with which they open
    the request. Nothing that was taken down is repeated."""

    record_id: str
    service_request_id: str | None
    token: str | None
    status: ev.RequestStatus
    language: Language
    tell: str
    emergency: Guidance | None
    policy_version: str
    code_sent: bool


def calls_router(take: TakeCall, caller_of: CallerOf) -> APIRouter:
    api = APIRouter(prefix="/v1/work", tags=["Work"], responses=PROBLEMS)
    who = Depends(caller_of)

    @api.post(
        "/requests",
        status_code=201,
        response_model=CallAnswer,
        responses={
            200: {
                "model": CallAnswer,
                "description": "A retry of a call that was taken before",
                "headers": ETAG,
            },
            201: {"headers": ETAG},
        },
    )
    async def call(
        caller: Annotated[Caller, who],
        order: CallOrder,
        answer: Response,
        idempotency_key: Key = None,
    ) -> CallAnswer:
        """Take a request from somebody who calls or comes to the counter (agent). It is accepted
        like any other; the request and the access log name the agent. If the caller gives an e-mail
        address, a code that opens the request is sent there. A retry with the same
        `Idempotency-Key` gets 200 and the same request."""
        require(caller, *ROLES.calls)
        told = order.call(idempotency_key)
        try:
            taken = await take(caller, told)
        except WrongSubmissionError as error:
            raise malformed(error.wrong, CALL_NAMING) from None
        if taken.receipt.accepted.repeat:
            answer.status_code = 200
        answer.headers["Cache-Control"] = "no-store"
        answer.headers["ETag"] = f'"{taken.edits}"'
        return _answer(taken, told.language)

    return api


def _answer(taken: Taken, language: Language) -> CallAnswer:
    accepted = taken.receipt.accepted
    return CallAnswer(
        record_id=accepted.record_id,
        service_request_id=accepted.public_id,
        token=accepted.token,
        status=accepted.status,
        language=language,
        tell=taken.tell,
        emergency=dict(accepted.guidance) or None,
        policy_version=accepted.policy_version,
        code_sent=taken.code_sent,
    )
