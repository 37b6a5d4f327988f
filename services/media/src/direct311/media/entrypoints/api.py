"""The HTTP face: upload tickets for intake, files of a record for staff."""

import asyncio
import hashlib
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Response
from pydantic import Field

from direct311.media.domain import RecordMedia, upload_type
from direct311.media.handlers import SEALED_FIELD, sealed_name
from direct311.media.ports import Incoming, Originals
from direct311.runtime.access.identity import Authenticator
from direct311.runtime.access.ledger import Access
from direct311.runtime.access.roles import ROLES
from direct311.runtime.access.rules import TIED, Caller, RecordFacts, works_for
from direct311.runtime.clock import Clock, Ids
from direct311.runtime.errors import RefusedError
from direct311.runtime.http.api import NUMBER, PROBLEMS, caller_of, require
from direct311.runtime.messaging.records import Records
from direct311.runtime.storage.objects import MissingObjectError
from direct311.runtime.text import Line, Lines
from direct311.runtime.vault.vault import Vault
from direct311.schemas import Instant, Model
from direct311.schemas.events import MediaItem
from direct311.schemas.model import RecordId

INTAKE = "svc:intake"
STAFF = ROLES.files
"""Who may ask for a file. Who may read it is for the rules of access."""

ANY_RECORD = tuple(role for role in STAFF if role not in TIED)
"""Who may know which files any record has. A department and its inspectors know it of their own
work alone."""


class Announced(Model):
    """A file that is about to come. `size` in bytes. Its name is not asked."""

    content_type: Annotated[str, Field(max_length=255)] = ""
    size: Annotated[int, Field(ge=0), NUMBER]


class TicketOrder(Model):
    uploads: Annotated[tuple[Announced, ...], Field(min_length=1, max_length=20)]


class Ticket(Model):
    """PUT the bytes to `url` with `headers` before `expires_at`; then name `upload_id` in the
    request. The store takes bytes of the announced size and type, once, and no others."""

    upload_id: str
    url: str
    headers: dict[str, str]
    expires_at: Instant


class Tickets(Model):
    uploads: tuple[Ticket, ...]


class Named(Model):
    """Uploads by their ids."""

    upload_ids: Annotated[tuple[RecordId, ...], Field(min_length=1, max_length=20)]


class Came(Model):
    """An upload whose bytes are there. `size` in bytes, `sha256` in hex."""

    upload_id: str
    size: int
    sha256: str


class Examined(Model):
    """Those of the uploads whose bytes are there."""

    uploads: tuple[Came, ...]


class Withdrawn(Model):
    withdrawn: int


class RecordFiles(Model):
    """The files of a record and what became of them."""

    record_id: str
    media: tuple[MediaItem, ...]


class OriginalQuestion(Model, extra="forbid"):
    """Why an original is to be read. In a body: proxies and browsers keep addresses."""

    purpose: Annotated[str, Field(max_length=40)]
    reference: Annotated[str, Field(max_length=100), Line] | None = None
    justification: Annotated[str, Field(max_length=500), Lines] | None = None


def tickets_router(
    authenticator: Authenticator,
    incoming: Incoming,
    ids: Ids,
    clock: Clock,
    *,
    expires: timedelta,
    max_bytes: int,
) -> APIRouter:
    """What intake calls while it takes a request."""
    router = APIRouter(prefix="/internal/uploads", tags=["uploads"], responses=PROBLEMS)
    caller_from = Depends(caller_of(authenticator))

    @router.post("")
    async def order_tickets(order: TicketOrder, caller: Annotated[Caller, caller_from]) -> Tickets:
        """One place in the incoming bucket for each file. Bring the bytes before the request is
        stored: what is not there when the request is heard of is `missing`."""
        _require_intake(caller)
        for index, announced in enumerate(order.uploads):
            if announced.size > max_bytes:
                raise RefusedError(
                    422,
                    "too_large",
                    f"A file may have {max_bytes} bytes.",
                    field=f"uploads.{index}.size",
                )
        expires_at = clock.now() + expires
        return Tickets(uploads=tuple([await ticket(each, expires_at) for each in order.uploads]))

    async def ticket(announced: Announced, expires_at: datetime) -> Ticket:
        upload_id = ids.new()
        kind = upload_type(announced.content_type)
        url, headers = await incoming.ticket(upload_id, expires, kind, announced.size)
        return Ticket(upload_id=upload_id, url=url, headers=dict(headers), expires_at=expires_at)

    @router.post("/examine")
    async def examine(named: Named, caller: Annotated[Caller, caller_from]) -> Examined:
        """Which uploads have come, and what their bytes are: what a request that names them says
        of them. Bytes that change afterwards are refused as `changed`."""
        _require_intake(caller)
        found = []
        for upload_id in named.upload_ids:
            data = await incoming.fetch(upload_id)
            if data is not None:
                digest = await asyncio.to_thread(hashlib.sha256, data)
                found.append(Came(upload_id=upload_id, size=len(data), sha256=digest.hexdigest()))
        return Examined(uploads=tuple(found))

    @router.post("/withdraw")
    async def withdraw(withdrawal: Named, caller: Annotated[Caller, caller_from]) -> Withdrawn:
        """For a request that was not stored after all, such as a repeat: the bytes go at once."""
        _require_intake(caller)
        for upload_id in withdrawal.upload_ids:
            await incoming.discard(upload_id)
        return Withdrawn(withdrawn=len(withdrawal.upload_ids))

    return router


def _require_intake(caller: Caller) -> None:
    require(caller, "service")
    if caller.sub != INTAKE or caller.via is not None:
        raise RefusedError(403, "caller", "Only intake brings uploads.")


def files_router(
    authenticator: Authenticator,
    records: Records[RecordMedia],
    originals: Originals,
    vault: Vault,
    public_url: str,
) -> APIRouter:
    """What staff reads."""
    router = APIRouter(prefix="/internal/media", tags=["files"], responses=PROBLEMS)
    caller_from = Depends(caller_of(authenticator))

    async def state_of(record_id: str) -> RecordMedia:
        stored = (await records.load([record_id])).get(record_id)
        if stored is None or stored.state.lifecycle != "active" or not stored.state.files:
            raise RefusedError(404, "not_found", "No files are kept of this record.")
        return stored.state

    @router.get("/{record_id}")
    async def files(
        record_id: Annotated[RecordId, Path()], caller: Annotated[Caller, caller_from]
    ) -> RecordFiles:
        """Which files a record has. Opens nothing."""
        stored = (await records.load([record_id])).get(record_id)
        if not works_for(caller, stored.state.department if stored else None):
            require(caller, "service", *ANY_RECORD)
        state = await state_of(record_id)
        return RecordFiles(
            record_id=record_id, media=tuple(file.item(public_url) for file in state.files)
        )

    @router.post(
        "/{record_id}/{media_id}/original",
        response_class=Response,
        responses={200: {"content": {"application/octet-stream": {}}}},
    )
    async def original(
        record_id: Annotated[RecordId, Path()],
        media_id: Annotated[RecordId, Path()],
        question: OriginalQuestion,
        caller: Annotated[Caller, caller_from],
    ) -> Response:
        """The file as it came, metadata included. Written down before it is opened."""
        require(caller, "service", *STAFF)
        state = await state_of(record_id)
        file = state.file(media_id)
        if file is None:
            raise RefusedError(404, "not_found", "This record keeps no such file.")
        access = Access(
            caller,
            action="view",
            purpose=question.purpose,
            operation="POST /internal/media/{record_id}/{media_id}/original",
            fields=(SEALED_FIELD,),
            record_ids=(record_id,),
            reference=question.reference,
            justification=question.justification,
            version_seen=state.version,
            result_count=1,
        )
        try:
            # Ciphertext, so it may be in hand before the access is decided: nothing is left to
            # fail after it was written down.
            sealed = await originals.get(record_id, media_id)
        except MissingObjectError:
            raise RefusedError(410, "not_readable", "The original is gone.") from None
        async with vault.unlock(access, RecordFacts(record_id, state.department)) as key:
            content = key.open(sealed_name(media_id), sealed)
        return Response(
            content,
            media_type=file.content_type,
            headers={
                "Cache-Control": "no-store",
                "Content-Disposition": f'attachment; filename="{media_id}"',
                "X-Content-Type-Options": "nosniff",
            },
        )

    return router
