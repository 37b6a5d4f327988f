"""The JSON API of the county's own apps: following a request, adding to it, ending it."""

from collections.abc import Mapping
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Response
from pydantic import Field

from direct311.intake.api_types import (
    MOST_UPLOADS,
    CallerOf,
    Guidance,
    IdempotencyKey,
    LinkAnswer,
)
from direct311.intake.catalogue.domain.types import Catalogue, ServiceType
from direct311.intake.clients.api.api_key import ClientOf
from direct311.intake.clients.domain.clients import Client
from direct311.intake.language import Language
from direct311.intake.reporter.handlers.codes import OneTimeCodes
from direct311.intake.reporter.handlers.reporter import NO_MAIL, Reporter
from direct311.intake.request import CLOSED, ContactWay, ServiceRequest
from direct311.runtime.access.rules import Caller
from direct311.runtime.http.api import PROBLEMS
from direct311.schemas import Instant, Model, OnDate, RecordId
from direct311.schemas import events as ev


class CommentOrder(Model, extra="forbid"):
    """Plain text, up to 4,000 characters."""

    text: Annotated[str, Field(max_length=20_000)]


class FilesOrder(Model, extra="forbid"):
    """Ids of files that were uploaded before."""

    uploads: Annotated[tuple[RecordId, ...], Field(min_length=1, max_length=MOST_UPLOADS)]


class NotificationsOrder(Model, extra="forbid"):
    """`email_notice_version`: of the notice of section 668.6076, F.S., that was shown."""

    email_notice_version: Annotated[str, Field(max_length=40)]
    language: Language = "en"


class CodeOrder(Model, extra="forbid"):
    """The e-mail address that was given with the request. It is compared and not kept."""

    email: Annotated[str, Field(max_length=300)]
    language: Language = "en"


class CodeRedemption(Model, extra="forbid"):
    code: Annotated[str, Field(max_length=20)]


class HistoryAnswer(Model):
    """A line of the history. `kind`: `status` and `comment` are the department's, `notice` the
    system's, `reporter` what the reporter added, with personal details taken out."""

    at: Instant
    kind: Literal["status", "comment", "notice", "reporter"]
    status: ev.RequestStatus | None
    text: str


class FollowedFile(Model):
    """A file of the request. `state` is `waiting` until it was examined; `url`: its clean copy."""

    file_id: str
    state: Literal["waiting", "stored", "rejected", "withdrawn"]
    reason: str | None = None
    content_type: str | None = None
    url: str | None = None


class NotificationsAnswer(Model):
    """Whether the reporter is told of a new status by e-mail, and in which language."""

    by_email: bool
    language: Language | None


class FollowAnswer(Model):
    """The request as its reporter sees it. Nothing that is sealed is in it: that is what
    `GET /v1/requests/{id}/subject` shows."""

    id: str
    service_code: str
    service_name: str | None
    status: ev.RequestStatus
    open: bool
    held_because: str | None
    received_at: Instant | None
    updated_at: Instant | None
    closed_at: Instant | None
    department: str | None
    due_on: OnDate | None
    duplicate_of: str | None
    place: ev.Place
    text: str
    emergency_assistance: bool
    history: tuple[HistoryAnswer, ...]
    files: tuple[FollowedFile, ...]
    contact_by: tuple[ContactWay, ...] | None
    notifications: NotificationsAnswer


class CommentAnswer(Model):
    """`text`: as it is kept and passed on, with personal details taken out. `masked`: numbers of
    cards, banks or social security were removed before anything was kept."""

    at: Instant
    text: str
    masked: bool
    emergency: Guidance | None


class FilesAnswer(Model):
    files: tuple[FollowedFile, ...]


class WithdrawnAnswer(Model):
    id: str
    status: ev.RequestStatus
    closed_at: Instant | None


class CodeAnswer(Model):
    """The same in every case."""

    sent: Literal["if the address is the request's"] = "if the address is the request's"


def codes_router(codes: OneTimeCodes, can_mail: bool, client_of: ClientOf) -> APIRouter:
    """For reporters without a link, by the front end of a client."""
    api = APIRouter(prefix="/v1/requests", responses=PROBLEMS, tags=["app"])
    who = Depends(client_of)

    @api.post("/{record_id}/codes", status_code=202)
    async def ask(_: Annotated[Client, who], record_id: RecordId, order: CodeOrder) -> CodeAnswer:
        """Have a code sent to the e-mail address of the request, if this is it. The answer is the
        same whether it is or not."""
        if not can_mail:
            raise NO_MAIL
        await codes.ask(record_id, order.email, order.language)
        return CodeAnswer()

    @api.post("/{record_id}/codes/redeem")
    async def redeem(
        _: Annotated[Client, who], record_id: RecordId, order: CodeRedemption, answer: Response
    ) -> LinkAnswer:
        """Get a signed link for a code: once, within ten minutes, in five tries."""
        link = await codes.redeem(record_id, order.code)
        answer.headers["Cache-Control"] = "no-store"
        return LinkAnswer(token=link.token, expires_at=link.expires_at)

    return api


def reporter_router(reporter: Reporter, catalogue: Catalogue, caller_of: CallerOf) -> APIRouter:
    """For reporters, by the signed link of the request."""
    api = APIRouter(prefix="/v1/requests", responses=PROBLEMS, tags=["reporter"])
    who = Depends(caller_of)

    @api.get("/{record_id}/follow")
    async def follow(
        caller: Annotated[Caller, who], record_id: RecordId, answer: Response
    ) -> FollowAnswer:
        """Status, history with the department's answers, due date and files. Opens nothing."""
        request = await reporter.follow(caller, record_id)
        answer.headers["Cache-Control"] = "no-store"
        return _followed(request, catalogue.by_code(request.service_code))

    @api.post("/{record_id}/comments", status_code=201)
    async def comment(
        caller: Annotated[Caller, who],
        record_id: RecordId,
        order: CommentOrder,
        idempotency_key: IdempotencyKey = None,
    ) -> CommentAnswer:
        """Add to what was said. It is sealed as it was typed, and passed on with personal details
        taken out."""
        done = await reporter.comment(caller, record_id, order.text, idempotency_key)
        return CommentAnswer(
            at=done.at,
            text=done.text,
            masked=done.masked,
            emergency=dict(done.guidance) or None,
        )

    @api.post("/{record_id}/media", status_code=201)
    async def media(
        caller: Annotated[Caller, who],
        record_id: RecordId,
        order: FilesOrder,
        idempotency_key: IdempotencyKey = None,
    ) -> FilesAnswer:
        """Add files that were uploaded before."""
        request = await reporter.add_files(caller, record_id, order.uploads, idempotency_key)
        return FilesAnswer(files=_files(request))

    @api.post("/{record_id}/withdraw")
    async def withdraw(
        caller: Annotated[Caller, who],
        record_id: RecordId,
        idempotency_key: IdempotencyKey = None,
    ) -> WithdrawnAnswer:
        """End a request that is not closed. It stays on record and is shown as withdrawn."""
        request = await reporter.withdraw(caller, record_id, idempotency_key)
        return WithdrawnAnswer(id=record_id, status=request.status, closed_at=request.closed_at)

    @api.post("/{record_id}/notifications")
    async def notify(
        caller: Annotated[Caller, who],
        record_id: RecordId,
        order: NotificationsOrder,
        idempotency_key: IdempotencyKey = None,
    ) -> NotificationsAnswer:
        """Be told by e-mail, at the address that the request holds, of each new status and of what
        others add."""
        request = await reporter.notify(
            caller, record_id, order.language, order.email_notice_version, idempotency_key
        )
        return _notifications(request)

    @api.delete("/{record_id}/notifications")
    async def silence(caller: Annotated[Caller, who], record_id: RecordId) -> NotificationsAnswer:
        """Be told no more by e-mail."""
        return _notifications(await reporter.stop_notifying(caller, record_id))

    return api


def _followed(request: ServiceRequest, service: ServiceType | None) -> FollowAnswer:
    return FollowAnswer(
        id=request.record_id,
        service_code=request.service_code,
        service_name=service.service_name if service else None,
        status=request.status,
        open=request.status not in CLOSED,
        held_because=request.held_because,
        received_at=request.received_at,
        updated_at=request.updated_at,
        closed_at=request.closed_at,
        department=request.department,
        due_on=request.due_on,
        duplicate_of=request.duplicate_of,
        place=request.place,
        text=request.text,
        emergency_assistance=request.emergency_assistance,
        history=tuple(
            HistoryAnswer(at=note.at, kind=note.kind, status=note.status, text=note.text)
            for note in request.notes
        ),
        files=_files(request),
        contact_by=request.contact_by,
        notifications=_notifications(request),
    )


def _files(request: ServiceRequest) -> tuple[FollowedFile, ...]:
    examined: Mapping[str, ev.MediaItem] = {each.media_id: each for each in request.media}
    found = []
    for upload in request.uploads:
        item = examined.get(upload.upload_id)
        if item is None:
            found.append(
                FollowedFile(
                    file_id=upload.upload_id, state="waiting", content_type=upload.content_type
                )
            )
            continue
        found.append(
            FollowedFile(
                file_id=upload.upload_id,
                state=item.state,
                reason=item.reason,
                content_type=item.content_type,
                url=None if request.protected else item.url,
            )
        )
    return tuple(found)


def _notifications(request: ServiceRequest) -> NotificationsAnswer:
    wanted = request.notifications
    return NotificationsAnswer(
        by_email=wanted is not None, language=wanted.language if wanted else None
    )
