"""The JSON API of the county's own apps: uploads, submitting, following."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from pydantic import Field

from direct311.intake.adapters.app_counts import MongoAppCounts
from direct311.intake.domain.app_facts import AppFacts
from direct311.intake.domain.catalogue import Catalogue, ServiceType
from direct311.intake.domain.clients import Client
from direct311.intake.domain.language import Language, preferred
from direct311.intake.domain.request import CLOSED, ContactWay, ServiceRequest
from direct311.intake.domain.uploads import AnnouncedFile
from direct311.intake.entrypoints.forms import media_type
from direct311.intake.handlers.agreement import Agreement
from direct311.intake.handlers.codes import OneTimeCodes
from direct311.intake.handlers.reporter import NO_MAIL, Reporter
from direct311.intake.handlers.submit import Accepted, Submit
from direct311.intake.handlers.upload import Upload
from direct311.intake.open311.json_forms import read_json
from direct311.runtime.access import Caller
from direct311.runtime.api import NUMBER, PROBLEMS, require
from direct311.runtime.asked import AskedDay
from direct311.runtime.clock import Clock
from direct311.runtime.errors import FieldProblem, MalformedError
from direct311.runtime.links import LinkKeyError, LinkSigner, SignedLink
from direct311.schemas import Instant, Model, OnDate, RecordId
from direct311.schemas import events as ev

CallerOf = Callable[[Request], Awaitable[Caller]]
ClientOf = Callable[..., Awaitable[Client]]
IdempotencyKey = Annotated[
    str | None, Header(min_length=1, max_length=200, pattern=r"^[\x20-\x7e]+$")
]
Guidance = dict[Language, str]
Degrees = Annotated[float, Field(strict=True)]
MOST_UPLOADS = 20


# ---------------------------------------------------------------- what is sent


class FileOrder(Model, extra="forbid"):
    """A file that is about to come. `size` in bytes; `sha256` in hex, where it is known: then no
    other bytes are taken. Its name is not asked."""

    content_type: Annotated[str, Field(max_length=255)]
    size: Annotated[int, Field(ge=1), NUMBER]
    sha256: Annotated[str, Field(pattern=r"^[0-9A-Fa-f]{64}$")] | None = None


class UploadsOrder(Model, extra="forbid"):
    files: Annotated[tuple[FileOrder, ...], Field(min_length=1, max_length=MOST_UPLOADS)]


class ContactConsent(Model, extra="forbid"):
    """How the reporter may be contacted about this request; an empty list is a no."""

    by: Annotated[tuple[ContactWay, ...], Field(max_length=3)]


class AppOrder(Model, extra="forbid"):
    """What the front end runs on, for statistics. It is kept apart from the request, as counts of
    a day, each value for itself. No device id, no user agent: what is no known kind is refused."""

    device: Annotated[str, Field(max_length=40, examples=["phone"])] | None = None
    operating_system: Annotated[str, Field(max_length=40, examples=["android 14"])] | None = None
    browser: Annotated[str, Field(max_length=40, examples=["firefox 131"])] | None = None
    app_version: Annotated[str, Field(max_length=40, examples=["2.10.1"])] | None = None


class SubmissionOrder(Model, extra="forbid"):
    """A service request. The rules are those of `POST /open311/v2/requests`.

    A place is `lat` and `long` (degrees, WGS 84), `address_string` or `address_id`. `attributes`:
    answers by attribute code, a value or a list of values. `uploads`: ids of files that were
    uploaded before. With an `email` the `email_notice_version` that was shown is required.
    """

    jurisdiction_id: str | None = None
    service_code: str
    lat: Degrees | None = None
    long: Degrees | None = None
    address_string: str | None = None
    address_id: str | None = None
    description: str | None = None
    attributes: dict[str, Any] = Field(default_factory=dict)
    first_name: str | None = None
    last_name: str | None = None
    email: str | None = None
    phone: str | None = None
    uploads: Annotated[tuple[RecordId, ...], Field(max_length=MOST_UPLOADS)] = ()
    policy_version: str | None = None
    email_notice_version: str | None = None
    contact_consent: ContactConsent | None = None
    app: AppOrder | None = None


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


# ---------------------------------------------------------------- what is answered


class UploadAnswer(Model):
    """PUT the bytes to `url` with just these `headers` until `expires_at`, once; then name
    `upload_id` in a request until `usable_until`. What no request names is deleted after a day."""

    upload_id: str
    url: str
    method: Literal["PUT"] = "PUT"
    headers: dict[str, str]
    expires_at: Instant
    usable_until: Instant


class UploadsAnswer(Model):
    uploads: tuple[UploadAnswer, ...]


class LinkAnswer(Model):
    """`token`: to be sent as `Authorization: Bearer …`, never in an address."""

    token: str
    expires_at: Instant


class SubmissionAnswer(Model):
    """`notice`: what is to be shown to the resident. `emergency`: what is to be shown first, in
    three languages, where somebody's life may be in danger. `link`: what opens the request to its
    reporter, kept on their device. A batch type has a `token` in place of an id, by which
    `GET /open311/v2/tokens/{token}` finds it later; a blackbox type has neither, and no link. A
    retry's answer has `link` or `token` only within 24 hours, under a random key, and while nothing
    was done to the request since.
    """

    id: str | None
    token: str | None
    status: ev.RequestStatus
    notice: str | None
    emergency: Guidance | None
    policy_version: str
    agreed: Literal["accepted", "by_use"]
    link: LinkAnswer | None


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


class AppCountAnswer(Model):
    """How many submissions of a client's front end said this on a day (UTC)."""

    day: OnDate
    client_id: str
    field: str
    value: str
    submissions: int


# ---------------------------------------------------------------- front ends with an API key


def app_router(
    *,
    agreement: Agreement,
    catalogue: Catalogue,
    submit: Submit,
    upload: Upload,
    links: LinkSigner,
    counts: MongoAppCounts,
    largest_file: int,
    most_files: int,
    client_of: ClientOf,
    clock: Clock,
) -> APIRouter:
    api = APIRouter(prefix="/v1", responses=PROBLEMS, tags=["app"])
    who = Depends(client_of)

    @api.post("/uploads", status_code=201)
    async def tickets(
        client: Annotated[Client, who], order: UploadsOrder, answer: Response
    ) -> UploadsAnswer:
        """Get tickets to bring files to the store. The store takes bytes of this size and type,
        once. Nothing is kept of a draft: what no request names goes after a day."""
        problems = [
            FieldProblem(
                field=f"files.{index}.size",
                detail=f"files.{index}.size may be {largest_file} bytes",
            )
            for index, file in enumerate(order.files)
            if file.size > largest_file
        ]
        if len(order.files) > most_files:
            problems.append(
                FieldProblem(field="files", detail=f"files may be {most_files} of a request")
            )
        if problems:
            raise MalformedError(problems)
        announced = [
            AnnouncedFile(
                content_type=media_type(file.content_type),
                size=file.size,
                sha256=file.sha256.lower() if file.sha256 else None,
            )
            for file in order.files
        ]
        found = await upload(client, announced)
        answer.headers["Cache-Control"] = "no-store"
        return UploadsAnswer(
            uploads=tuple(
                UploadAnswer(
                    upload_id=address.upload_id,
                    url=address.url,
                    headers=dict(address.headers),
                    expires_at=ticket.expires_at,
                    usable_until=ticket.usable_until,
                )
                for address, ticket in found
            )
        )

    @api.post(
        "/requests",
        status_code=201,
        responses={200: {"model": SubmissionAnswer, "description": "A retry of one taken before"}},
    )
    async def create(
        client: Annotated[Client, who],
        order: SubmissionOrder,
        request: Request,
        answer: Response,
        idempotency_key: IdempotencyKey = None,
        accept_language: Annotated[str | None, Header()] = None,
    ) -> SubmissionAnswer:
        """Submit a service request. A retry with the same `Idempotency-Key` gets the same answer
        with 200, and what opens the request for a day at most: the key must be a random UUID, or
        128 bits and more in hexadecimal digits. The key with other content is 409."""
        now = clock.now()
        facts = AppFacts.model_validate(order.app.model_dump() if order.app else {})
        given = order.model_dump(exclude={"app", "contact_consent"}, exclude_none=True)
        read = read_json(
            given, order.contact_consent.by if order.contact_consent else None, catalogue, now
        )
        problems = [*read.problems]
        problems += [
            FieldProblem(field=f"app.{name}", detail=wrong) for name, wrong in facts.problems()
        ]
        if len(order.uploads) > most_files:
            problems.append(
                FieldProblem(field="uploads", detail=f"uploads may be {most_files} of a request")
            )
        if read.service is not None and (wrong := _media_problem(read.service, order.uploads)):
            problems.append(FieldProblem(field="uploads", detail=wrong))
        if problems or read.submission is None or read.service is None:
            raise MalformedError(problems)
        language = preferred(accept_language)
        policy = agreement.of(read.submission, notice_shown=True, language=language)
        source = request.client.host if request.client else ""
        accepted = await submit(
            read.submission, (), client, read.service, policy, idempotency_key, source
        )
        if accepted.repeat:
            answer.status_code = 200
        else:
            counts.add(client.client_id, facts.given())
        answer.headers["Cache-Control"] = "no-store"
        told = agreement.notice(accepted, read.submission, language)
        return _submitted(accepted, told, _link(links, accepted))

    return api


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


# ---------------------------------------------------------------- reporters with the signed link


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


# ---------------------------------------------------------------- staff


def app_counts_router(counts: MongoAppCounts, caller_of: CallerOf, clock: Clock) -> APIRouter:
    """For staff."""
    api = APIRouter(prefix="/v1", responses=PROBLEMS)
    who = Depends(caller_of)

    @api.get("/app-counts")
    async def app_counts(
        caller: Annotated[Caller, who],
        start: Annotated[AskedDay | None, Query()] = None,
        end: Annotated[AskedDay | None, Query()] = None,
    ) -> list[AppCountAnswer]:
        """What front ends run on, as counts of days: at most 366 of them, by default the last 30.
        Belongs to no request."""
        require(caller, "agent", "auditor", "custodian", "records_officer", "admin")
        end = end or clock.now().date()
        start = start or end - timedelta(days=30)
        if not 0 <= (end - start).days <= 366:
            wrong = "start must be at most 366 days before end"
            raise MalformedError([FieldProblem(field="start", detail=wrong)])
        return [AppCountAnswer(**each._asdict()) for each in await counts.between(start, end)]

    return api


# ---------------------------------------------------------------- in words


def _media_problem(service: ServiceType, uploads: Sequence[str]) -> str | None:
    if service.flags.media == "none" and uploads:
        return "this type takes no media"
    if service.flags.media == "required" and not uploads:
        return "this type needs a file"
    return None


def _link(links: LinkSigner, accepted: Accepted) -> SignedLink | None:
    if accepted.public_id is None or not accepted.opens:
        # A link names its request.
        return None
    try:
        return links.issue(accepted.record_id)
    except LinkKeyError:
        # The request is taken all the same; an agent, or a code, can give a link later.
        return None


def _submitted(accepted: Accepted, told: str | None, link: SignedLink | None) -> SubmissionAnswer:
    return SubmissionAnswer(
        id=accepted.public_id,
        token=accepted.token,
        status=accepted.status,
        notice=told,
        emergency=dict(accepted.guidance) or None,
        policy_version=accepted.policy_version,
        agreed=accepted.agreed,
        link=LinkAnswer(token=link.token, expires_at=link.expires_at) if link else None,
    )


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
