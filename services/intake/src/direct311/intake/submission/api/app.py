"""The JSON API of the county's own apps: uploads and submitting."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, Request, Response
from pydantic import Field

from direct311.intake.api_types import MOST_UPLOADS, Guidance, IdempotencyKey, LinkAnswer
from direct311.intake.catalogue.domain.types import Catalogue, ServiceType
from direct311.intake.clients.api.api_key import ClientOf
from direct311.intake.clients.domain.app_facts import AppFacts
from direct311.intake.clients.domain.clients import Client
from direct311.intake.clients.ports import AppCounts
from direct311.intake.language import preferred
from direct311.intake.request import ContactWay
from direct311.intake.submission.api.form_bodies import media_type
from direct311.intake.submission.api.json_forms import read_json
from direct311.intake.submission.handlers.agreement import Agreement
from direct311.intake.submission.handlers.submit import Accepted, Submit
from direct311.intake.uploads.domain import AnnouncedFile
from direct311.intake.uploads.handlers import Upload
from direct311.runtime.access.links import LinkKeyError, LinkSigner, SignedLink
from direct311.runtime.clock import Clock
from direct311.runtime.errors import FieldProblem, MalformedError
from direct311.runtime.http.api import NUMBER, PROBLEMS
from direct311.schemas import Instant, Model, RecordId
from direct311.schemas import events as ev

Degrees = Annotated[float, Field(strict=True)]


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


def app_router(
    *,
    agreement: Agreement,
    catalogue: Catalogue,
    submit: Submit,
    upload: Upload,
    links: LinkSigner,
    counts: AppCounts,
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
