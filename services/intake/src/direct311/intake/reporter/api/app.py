"""The JSON API of the county's own apps: following a request, adding to it, ending it."""

from collections.abc import Mapping
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Header, Response
from pydantic import Field

from direct311.intake.api_types import (
    MOST_UPLOADS,
    CallerOf,
    Guidance,
    IdempotencyKey,
    LinkAnswer,
)
from direct311.intake.catalogue.domain.types import Catalogue, ServiceType
from direct311.intake.catalogue.domain.wording import STATUSES
from direct311.intake.clients.api.api_key import ClientOf
from direct311.intake.clients.domain.clients import Client
from direct311.intake.language import Language, preferred
from direct311.intake.reporter.api.place import PlaceAnswer, place_answer
from direct311.intake.reporter.api.statuses import (
    ALL,
    CONFLICT,
    NO_ADDRESS,
    OF_A_BODY,
    OF_A_REQUEST,
    answers,
)
from direct311.intake.reporter.domain.code_words import CodeWords
from direct311.intake.reporter.handlers.codes import OneTimeCodes
from direct311.intake.reporter.handlers.reporter import NO_MAIL, Reporter
from direct311.intake.request import CLOSED, ContactWay, ServiceRequest, own_place
from direct311.runtime.access.rules import Caller
from direct311.schemas import Instant, Model, OnDate, RecordId
from direct311.schemas import events as ev


class CommentOrder(Model, extra="forbid"):
    """Plain text, up to 4,000 characters."""

    text: Annotated[str, Field(max_length=20_000)]


class FilesOrder(Model, extra="forbid"):
    """Ids of files that were uploaded before."""

    file_ids: Annotated[tuple[RecordId, ...], Field(min_length=1, max_length=MOST_UPLOADS)]


class NotificationsOrder(Model, extra="forbid"):
    """`email_notice_version`: the version of the notice (section 668.6076, F.S.) that was shown."""

    email_notice_version: Annotated[str, Field(max_length=40)]
    language: Language = "en"


class CodeOrder(Model, extra="forbid"):
    """The e-mail address that was given with the request. It is compared and not kept."""

    email: Annotated[str, Field(max_length=300)]
    language: Language = "en"


class CodeRedemption(Model, extra="forbid"):
    code: Annotated[str, Field(max_length=20)]


class HistoryAnswer(Model):
    """An entry in the history. `kind`: `status` and `comment` come from the department, `notice`
    from the system, and `reporter` is what the reporter added, with personal details removed.
    `status_text` is the status in the reader's language; `text` is in the language in which it was
    written."""

    at: Instant
    kind: Literal["status", "comment", "notice", "reporter"]
    status: ev.RequestStatus | None
    status_text: str | None
    text: str


class FollowedFile(Model):
    """A file of the request. `state` is `waiting` until the file has been examined; `url` is its
    cleaned copy."""

    file_id: str
    state: Literal["waiting", "stored", "rejected", "withdrawn"]
    reason: str | None = None
    content_type: str | None = None
    url: str | None = None


class NotificationsAnswer(Model):
    """Whether the reporter is told about a new status by e-mail, and in which language."""

    by_email: bool
    language: Language | None


class FollowAnswer(Model):
    """The request as its reporter sees it. It contains nothing that is sealed; `GET
    /v1/requests/{service_request_id}/subject` shows that. `service_name`, `status_text`,
    `held_text` and `department_name` are in the reader's language; `held_text` says why the request
    is held, if it is."""

    service_request_id: str
    service_code: str
    service_name: str | None
    status: ev.RequestStatus
    status_text: str
    open: bool
    held_because: str | None
    held_text: str | None
    received_at: Instant | None
    updated_at: Instant | None
    closed_at: Instant | None
    department: str | None
    department_name: str | None
    due_on: OnDate | None
    duplicate_of: str | None
    place: PlaceAnswer
    description: str
    emergency_assistance: bool
    history: tuple[HistoryAnswer, ...]
    files: tuple[FollowedFile, ...]
    contact_by: tuple[ContactWay, ...] | None
    notifications: NotificationsAnswer


class CommentAnswer(Model):
    """`text`: as it is kept and passed on, with personal details removed. `masked`: card, bank or
    social-security numbers were removed before anything was kept."""

    at: Instant
    text: str
    masked: bool
    emergency: Guidance | None


class FilesAnswer(Model):
    files: tuple[FollowedFile, ...]


class WithdrawnAnswer(Model):
    service_request_id: str
    status: ev.RequestStatus
    closed_at: Instant | None


class CodeAnswer(Model):
    """The same in every case."""

    sent: Literal["if the address is the request's"] = "if the address is the request's"


def codes_router(codes: OneTimeCodes, can_mail: bool, client_of: ClientOf) -> APIRouter:
    """For reporters without a link, through a client's front end."""
    api = APIRouter(
        prefix="/v1/requests", responses=answers(ALL, NO_ADDRESS, OF_A_BODY), tags=["app"]
    )
    who = Depends(client_of)

    @api.post("/{service_request_id}/codes", status_code=202)
    async def ask(
        _: Annotated[Client, who], service_request_id: RecordId, order: CodeOrder
    ) -> CodeAnswer:
        """Have a code sent to the e-mail address of the request, if the given address is the same.
        The answer does not tell whether it is."""
        if not can_mail:
            raise NO_MAIL
        await codes.ask(service_request_id, order.email, order.language)
        return CodeAnswer()

    @api.post("/{service_request_id}/codes/redeem")
    async def redeem(
        _: Annotated[Client, who],
        service_request_id: RecordId,
        order: CodeRedemption,
        answer: Response,
    ) -> LinkAnswer:
        """Get a signed link for a code. A code works once, within ten minutes, and allows five
        tries."""
        link = await codes.redeem(service_request_id, order.code)
        answer.headers["Cache-Control"] = "no-store"
        return LinkAnswer(token=link.token, expires_at=link.expires_at)

    return api


def reporter_router(
    reporter: Reporter,
    catalogues: Mapping[Language, Catalogue],
    words: CodeWords,
    caller_of: CallerOf,
) -> APIRouter:
    """For reporters, with the signed link of the request."""
    api = APIRouter(prefix="/v1/requests", responses=answers(ALL, OF_A_REQUEST), tags=["reporter"])
    changing = answers(OF_A_BODY, CONFLICT)
    who = Depends(caller_of)

    @api.get("/{service_request_id}/follow")
    async def follow(
        caller: Annotated[Caller, who],
        service_request_id: RecordId,
        answer: Response,
        accept_language: Annotated[str | None, Header()] = None,
    ) -> FollowAnswer:
        """Status, history with the department's answers, due date and files, in the language of
        `Accept-Language` (English, Spanish, Haitian Creole). No sealed field is opened."""
        language = preferred(accept_language)
        request = await reporter.follow(caller, service_request_id)
        answer.headers["Cache-Control"] = "no-store"
        answer.headers["Content-Language"], answer.headers["Vary"] = language, "Accept-Language"
        service = catalogues[language].by_code(request.service_code)
        return _followed(request, service, words, language)

    @api.post("/{service_request_id}/comments", status_code=201, responses=changing)
    async def comment(
        caller: Annotated[Caller, who],
        service_request_id: RecordId,
        order: CommentOrder,
        idempotency_key: IdempotencyKey = None,
    ) -> CommentAnswer:
        """Add a comment. It is sealed as it was typed, and passed on with personal details
        removed."""
        done = await reporter.comment(caller, service_request_id, order.text, idempotency_key)
        return CommentAnswer(
            at=done.at,
            text=done.text,
            masked=done.masked,
            emergency=dict(done.guidance) or None,
        )

    @api.post("/{service_request_id}/media", status_code=201, responses=changing)
    async def media(
        caller: Annotated[Caller, who],
        service_request_id: RecordId,
        order: FilesOrder,
        idempotency_key: IdempotencyKey = None,
    ) -> FilesAnswer:
        """Add files that were uploaded before."""
        request = await reporter.add_files(
            caller, service_request_id, order.file_ids, idempotency_key
        )
        return FilesAnswer(files=_files(request))

    @api.post("/{service_request_id}/withdraw", responses=answers(CONFLICT))
    async def withdraw(
        caller: Annotated[Caller, who],
        service_request_id: RecordId,
        idempotency_key: IdempotencyKey = None,
    ) -> WithdrawnAnswer:
        """End a request that is not closed. It stays on record and is shown as withdrawn."""
        request = await reporter.withdraw(caller, service_request_id, idempotency_key)
        return WithdrawnAnswer(
            service_request_id=service_request_id,
            status=request.status,
            closed_at=request.closed_at,
        )

    @api.post("/{service_request_id}/notifications", responses=changing)
    async def notify(
        caller: Annotated[Caller, who],
        service_request_id: RecordId,
        order: NotificationsOrder,
        idempotency_key: IdempotencyKey = None,
    ) -> NotificationsAnswer:
        """Be told by e-mail, at the address on the request, about each new status and about what
        others add."""
        request = await reporter.notify(
            caller, service_request_id, order.language, order.email_notice_version, idempotency_key
        )
        return _notifications(request)

    @api.delete("/{service_request_id}/notifications")
    async def silence(
        caller: Annotated[Caller, who], service_request_id: RecordId
    ) -> NotificationsAnswer:
        """Stop being told by e-mail."""
        return _notifications(await reporter.stop_notifying(caller, service_request_id))

    return api


def _followed(
    request: ServiceRequest, service: ServiceType | None, words: CodeWords, language: Language
) -> FollowAnswer:
    held, department = request.held_because, request.department
    statuses = STATUSES[language]
    return FollowAnswer(
        service_request_id=request.record_id,
        service_code=request.service_code,
        service_name=service.service_name if service else None,
        status=request.status,
        status_text=statuses[request.status],
        open=request.status not in CLOSED,
        held_because=held,
        held_text=words.held(held, language) if held else None,
        received_at=request.received_at,
        updated_at=request.updated_at,
        closed_at=request.closed_at,
        department=department,
        department_name=words.department(department, language) if department else None,
        due_on=request.due_on,
        duplicate_of=request.duplicate_of,
        place=place_answer(own_place(request)),
        description=request.text,
        emergency_assistance=request.emergency_assistance,
        history=tuple(
            HistoryAnswer(
                at=note.at,
                kind=note.kind,
                status=note.status,
                status_text=statuses[note.status] if note.status else None,
                text=note.text,
            )
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
