"""A resident's own view: the link to a request, what is held about it, and its correction."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response
from pydantic import Field

from direct311.intake.api_types import CallerOf, IdempotencyKey, LinkAnswer
from direct311.intake.fields import CONTACT_LIMITS
from direct311.intake.reporter.api.place import PlaceAnswer, place_answer
from direct311.intake.reporter.api.statuses import (
    ALL,
    CONFLICT,
    OF_A_BODY,
    OF_A_REQUEST,
    answers,
)
from direct311.intake.reporter.handlers.subject import Held, Subject
from direct311.intake.request import ContactWay
from direct311.runtime.access.reasons import Reason
from direct311.runtime.access.rules import Caller
from direct311.runtime.http.api import PROBLEMS, require
from direct311.schemas import Instant, Model, OnDate, RecordId
from direct311.schemas import events as ev

Value = Annotated[str, Field(max_length=500)]

KEPT = (
    "The request is kept until it is closed and the retention period for its kind in Florida's "
    "records schedule has expired. Then two people review it, and every part of it is destroyed, "
    "unless a legal hold or an open matter prevents this. Entries about it in the access log are "
    "destroyed last."
)
"""How long a request is kept. The schedule item and period of each kind are in the retention
service's data."""


class LinkOrder(Model, extra="forbid"):
    """How the agent made sure that the request is the caller's."""

    justification: Reason


class FileAnswer(Model):
    """A file of the request, by its id."""

    file_id: str
    content_type: str
    size: int


class CorrectedAnswer(Model):
    """When which fields were corrected; earlier values are not kept."""

    corrected_at: Instant
    fields: tuple[str, ...]


class SubjectAnswer(Model):
    """What was given with a request and is still held. `fields`: the sealed fields, readable;
    `description`: the text after personal details were removed; `place`: as it was given."""

    service_request_id: str
    service_code: str
    status: ev.RequestStatus
    department: str | None
    received_at: Instant | None
    closed_at: Instant | None
    due_on: OnDate | None
    channel: str
    policy: ev.PolicyAgreement | None
    fields: dict[str, str]
    place: PlaceAnswer
    description: str
    files: tuple[FileAnswer, ...]
    corrections: tuple[CorrectedAnswer, ...]
    contact_by: tuple[ContactWay, ...] | None
    told_by_email: bool
    kept: str = KEPT


_MAILBOX: dict[str, Any] = {
    "maxLength": CONTACT_LIMITS["email"],
    "pattern": r"^[^\s\x00-\x1f\x7f@]{1,64}@([^\s\x00-\x1f\x7f@.]+\.)+[^\s\x00-\x1f\x7f@.]+$",
}


class EmailOrder(Model, extra="forbid"):
    """An e-mail address for a resident who no longer has the mailbox of the address on record.
    `justification`: how the agent has identified the caller; `email_notice_version`: of the notice
    that was read to them."""

    email: Annotated[Value, Field(json_schema_extra=_MAILBOX)]
    email_notice_version: Annotated[str, Field(max_length=40)]
    justification: Reason


class CorrectionOrder(Model, extra="forbid"):
    """New values; fields that are not named stay as they are. `reporter_address` is allowed only if
    one is held or the request is waiting for it. With an `email`, the `email_notice_version` that
    was shown is required. If the request already has an address, the `email_code` that `POST
    …/codes` sent to that address is required too."""

    first_name: Value | None = None
    last_name: Value | None = None
    email: Value | None = None
    phone: Value | None = None
    reporter_address: Value | None = None
    email_notice_version: Annotated[str, Field(max_length=40)] | None = None
    email_code: Annotated[str, Field(max_length=20)] | None = None


def link_router(subject: Subject, caller_of: CallerOf) -> APIRouter:
    """For staff."""
    api = APIRouter(prefix="/v1/requests", responses=PROBLEMS)
    who = Depends(caller_of)

    @api.post("/{record_id}/link", status_code=201)
    async def link(
        caller: Annotated[Caller, who], record_id: RecordId, order: LinkOrder, answer: Response
    ) -> LinkAnswer:
        """Give a resident the signed link of their request (agent). In the access log, the id of
        this call's own entry identifies the link's uses."""
        require(caller, "agent")
        made = await subject.link(caller, record_id, order.justification)
        answer.headers["Cache-Control"] = "no-store"
        return LinkAnswer(token=made.token, expires_at=made.expires_at)

    @api.post("/{record_id}/email")
    async def email(
        caller: Annotated[Caller, who],
        record_id: RecordId,
        order: EmailOrder,
        idempotency_key: IdempotencyKey = None,
    ) -> CorrectedAnswer:
        """Replace the e-mail address of a request for a resident whom the agent has identified
        (agent). From then on, messages and codes go to the new address."""
        require(caller, "agent")
        done = await subject.replace_email(
            caller,
            record_id,
            order.email,
            order.justification,
            idempotency_key,
            order.email_notice_version,
        )
        return CorrectedAnswer(corrected_at=done.at, fields=done.fields)

    return api


def subject_router(subject: Subject, caller_of: CallerOf) -> APIRouter:
    """For residents, with the signed link of the request."""
    api = APIRouter(prefix="/v1/requests", responses=answers(ALL, OF_A_REQUEST))
    who = Depends(caller_of)

    @api.get("/{service_request_id}/subject")
    async def held(
        caller: Annotated[Caller, who], service_request_id: RecordId, answer: Response
    ) -> SubjectAnswer:
        """What is held about the request. The access is written down before it happens."""
        found = await subject.held(caller, service_request_id)
        answer.headers["Cache-Control"] = "no-store"
        return _answer(found)

    @api.post("/{service_request_id}/corrections", responses=answers(OF_A_BODY, CONFLICT))
    async def correct(
        caller: Annotated[Caller, who],
        service_request_id: RecordId,
        order: CorrectionOrder,
        idempotency_key: IdempotencyKey = None,
    ) -> CorrectedAnswer:
        """Correct contact fields. A retry with the same `Idempotency-Key` does it only once."""
        beside = {"email_notice_version", "email_code"}
        values = order.model_dump(exclude_none=True, exclude=beside)
        done = await subject.correct(
            caller,
            service_request_id,
            values,
            idempotency_key,
            order.email_notice_version,
            order.email_code,
        )
        return CorrectedAnswer(corrected_at=done.at, fields=done.fields)

    return api


def _answer(found: Held) -> SubjectAnswer:
    request = found.request
    return SubjectAnswer(
        service_request_id=request.record_id,
        service_code=request.service_code,
        status=request.status,
        department=request.department,
        received_at=request.received_at,
        closed_at=request.closed_at,
        due_on=request.due_on,
        channel=request.channel,
        policy=request.policy,
        fields=dict(found.fields),
        place=place_answer(request.place),
        description=request.text,
        files=tuple(
            FileAnswer(file_id=each.upload_id, content_type=each.content_type, size=each.size)
            for each in request.uploads
        ),
        corrections=tuple(
            CorrectedAnswer(corrected_at=each.at, fields=each.fields)
            for each in request.corrections
        ),
        contact_by=request.contact_by,
        told_by_email=request.notifications is not None,
    )
