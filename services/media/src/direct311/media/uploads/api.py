"""Upload tickets for intake."""

import asyncio
import hashlib
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import Field

from direct311.media.ports import Incoming
from direct311.media.uploads.domain import upload_type
from direct311.runtime.access.identity import Authenticator
from direct311.runtime.access.rules import Caller
from direct311.runtime.clock import Clock, Ids
from direct311.runtime.errors import RefusedError
from direct311.runtime.http.api import NUMBER, PROBLEMS, caller_of, require
from direct311.schemas import Instant, Model
from direct311.schemas.model import RecordId

INTAKE = "svc:intake"


class Announced(Model):
    """A file about to be uploaded. `size` in bytes. Its name is not asked for."""

    content_type: Annotated[str, Field(max_length=255)] = ""
    size: Annotated[int, Field(ge=0), NUMBER]


class TicketOrder(Model):
    uploads: Annotated[tuple[Announced, ...], Field(min_length=1, max_length=20)]


class Ticket(Model):
    """PUT the bytes to `url` with `headers` before `expires_at`; then name `upload_id` in the
    request. The store accepts bytes of the announced size and type once, and nothing else."""

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
    """An upload whose bytes have arrived. `size` in bytes, `sha256` in hex."""

    upload_id: str
    size: int
    sha256: str


class Examined(Model):
    """The uploads whose bytes have arrived."""

    uploads: tuple[Came, ...]


class Withdrawn(Model):
    withdrawn: int


def tickets_router(
    authenticator: Authenticator,
    incoming: Incoming,
    ids: Ids,
    clock: Clock,
    *,
    expires: timedelta,
    max_bytes: int,
) -> APIRouter:
    """What intake calls while it accepts a request."""
    router = APIRouter(prefix="/internal/uploads", tags=["uploads"], responses=PROBLEMS)
    caller_from = Depends(caller_of(authenticator))

    @router.post("")
    async def order_tickets(order: TicketOrder, caller: Annotated[Caller, caller_from]) -> Tickets:
        """One place in the incoming bucket per file. Upload the bytes before the request is stored:
        a file that is not there when media learns of the request is `missing`."""
        _require_intake(caller)
        for index, announced in enumerate(order.uploads):
            if announced.size > max_bytes:
                raise RefusedError(
                    "file_too_large",
                    f"A file may have at most {max_bytes} bytes.",
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
        """Which uploads have arrived, with the size and hash that a request states for them. Bytes
        that change afterwards are refused as `changed`."""
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
        """For a request that was not stored after all, such as a repeat: the bytes are removed at
        once."""
        _require_intake(caller)
        for upload_id in withdrawal.upload_ids:
            await incoming.discard(upload_id)
        return Withdrawn(withdrawn=len(withdrawal.upload_ids))

    return router


def _require_intake(caller: Caller) -> None:
    require(caller, "service")
    if caller.sub != INTAKE or caller.via is not None:
        raise RefusedError("caller", "Only the intake service may bring files here.")
