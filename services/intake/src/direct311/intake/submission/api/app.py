"""The JSON API of the county's own apps: uploading files and submitting requests."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Header, Request, Response
from pydantic import Field

from direct311.intake.api_types import MOST_UPLOADS, Guidance, IdempotencyKey, LinkAnswer
from direct311.intake.clients.api.api_key import ClientOf
from direct311.intake.clients.domain.clients import Client
from direct311.intake.clients.ports import AppCounts
from direct311.intake.language import preferred
from direct311.intake.submission.api.form_bodies import media_type
from direct311.intake.submission.api.orders import SubmissionOrder, draft_of, malformed
from direct311.intake.submission.handlers.accept import (
    Accept,
    Receipt,
    Sender,
    WrongSubmissionError,
)
from direct311.intake.submission.handlers.check import APP
from direct311.intake.uploads.domain import AnnouncedFile
from direct311.intake.uploads.handlers import Upload
from direct311.runtime.errors import FieldProblem, MalformedError
from direct311.runtime.http.api import NUMBER, PROBLEMS
from direct311.schemas import Instant, Model
from direct311.schemas import events as ev


class FileOrder(Model, extra="forbid"):
    """A file that will be uploaded. `size` is in bytes. `sha256` is in hexadecimal digits, if it is
    known; then no other bytes are accepted. We do not ask for its name."""

    content_type: Annotated[str, Field(max_length=255)]
    size: Annotated[int, Field(ge=1), NUMBER]
    sha256: Annotated[str, Field(pattern=r"^[0-9A-Fa-f]{64}$")] | None = None


class UploadsOrder(Model, extra="forbid"):
    files: Annotated[tuple[FileOrder, ...], Field(min_length=1, max_length=MOST_UPLOADS)]


class UploadAnswer(Model):
    """PUT the bytes to `url` with exactly these `headers` once, before `expires_at`. Then name
    `file_id` in a request before `usable_until`. Files that no request names are deleted after a
    day."""

    file_id: str
    url: str
    method: Literal["PUT"] = "PUT"
    headers: dict[str, str]
    expires_at: Instant
    usable_until: Instant


class UploadsAnswer(Model):
    uploads: tuple[UploadAnswer, ...]


class SubmissionAnswer(Model):
    """`notice`: show this to the resident. `emergency`: show this first, in three languages, if
    someone's life may be in danger. `link`: opens the request for its reporter and is kept on their
    device. A request of a batch type has a `token` in place of a number; `GET
    /open311/v2/tokens/{token}` later returns the number. A request of a blackbox type has no
    number, token or link. A retry's answer contains `link` or `token` only within 24 hours, only if
    its key is random, and only if nothing has been done to the request since."""

    service_request_id: str | None
    token: str | None
    status: ev.RequestStatus
    notice: str | None
    emergency: Guidance | None
    policy_version: str
    agreed: Literal["accepted", "by_use"]
    link: LinkAnswer | None


def app_router(
    *,
    accept: Accept,
    upload: Upload,
    counts: AppCounts,
    largest_file: int,
    most_files: int,
    client_of: ClientOf,
) -> APIRouter:
    api = APIRouter(prefix="/v1", responses=PROBLEMS, tags=["app"])
    who = Depends(client_of)

    @api.post("/uploads", status_code=201)
    async def tickets(
        client: Annotated[Client, who], order: UploadsOrder, answer: Response
    ) -> UploadsAnswer:
        """Get tickets for uploading files. The store accepts bytes of this size and type, once.
        Drafts are not kept: files that no request names are deleted after a day."""
        problems = [
            FieldProblem(
                field=f"files.{index}.size",
                detail=f"files.{index}.size may be at most {largest_file} bytes",
                code="too_large",
            )
            for index, file in enumerate(order.files)
            if file.size > largest_file
        ]
        if len(order.files) > most_files:
            detail = f"files may have at most {most_files} entries"
            problems.append(FieldProblem(field="files", detail=detail, code="too_many"))
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
                    file_id=address.upload_id,
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
        responses={
            200: {
                "model": SubmissionAnswer,
                "description": "A retry of a submission that was accepted before",
            }
        },
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
        with 200. For up to a day it also gets what opens the request, but only if the key is a
        random UUID, or 128 or more bits in hexadecimal digits. The same key with other content gets
        409."""
        sender = Sender(
            client=client,
            source=request.client.host if request.client else "",
            language=preferred(accept_language),
            idempotency_key=idempotency_key,
        )
        try:
            receipt = await accept(draft_of(order), APP, sender)
        except WrongSubmissionError as error:
            raise malformed(error.wrong) from None
        if receipt.accepted.repeat:
            answer.status_code = 200
        else:
            counts.add(client.client_id, order.app.facts().given() if order.app else {})
        answer.headers["Cache-Control"] = "no-store"
        return _submitted(receipt)

    return api


def _submitted(receipt: Receipt) -> SubmissionAnswer:
    accepted, link = receipt.accepted, receipt.link
    return SubmissionAnswer(
        service_request_id=accepted.public_id,
        token=accepted.token,
        status=accepted.status,
        notice=receipt.notice,
        emergency=dict(accepted.guidance) or None,
        policy_version=accepted.policy_version,
        agreed=accepted.agreed,
        link=LinkAnswer(token=link.token, expires_at=link.expires_at) if link else None,
    )
