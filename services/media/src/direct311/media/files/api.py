"""Files of a record for staff."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Response
from pydantic import Field

from direct311.media.ports import Originals
from direct311.media.record import RecordMedia
from direct311.media.sealing import SEALED_FIELD, sealed_name
from direct311.runtime.access.disclosures import Disclosures, under_case
from direct311.runtime.access.identity import Authenticator
from direct311.runtime.access.ledger import Access
from direct311.runtime.access.roles import ROLES
from direct311.runtime.access.rules import TIED, Caller, RecordFacts, works_for
from direct311.runtime.errors import RefusedError
from direct311.runtime.http.api import PROBLEMS, caller_of, require
from direct311.runtime.messaging.records import Records
from direct311.runtime.storage.objects import MissingObjectError
from direct311.runtime.text import Line, Lines
from direct311.runtime.vault.vault import Vault
from direct311.schemas import Model
from direct311.schemas.events import MediaItem
from direct311.schemas.model import RecordId

STAFF = ROLES.files
"""Who may ask for a file. The access rules decide who may read it."""
ANY_RECORD = tuple(role for role in STAFF if role not in TIED)
"""Who may list any record's files. A department and its inspectors may do so only for their own
work."""


class RecordFiles(Model):
    """The files of a record and what became of them."""

    record_id: str
    media: tuple[MediaItem, ...]


class OriginalQuestion(Model, extra="forbid"):
    """Why an original is to be read. This is in the body, because proxies and browsers store
    URLs."""

    purpose: Annotated[str, Field(max_length=40)]
    reference: Annotated[str, Field(max_length=100), Line] | None = None
    justification: Annotated[str, Field(max_length=500), Lines] | None = None


def files_router(
    authenticator: Authenticator,
    records: Records[RecordMedia],
    originals: Originals,
    vault: Vault,
    public_url: str,
    disclosures: Disclosures,
) -> APIRouter:
    """What staff reads."""
    router = APIRouter(prefix="/internal/media", tags=["files"], responses=PROBLEMS)
    caller_from = Depends(caller_of(authenticator))

    async def state_of(record_id: str) -> RecordMedia:
        stored = (await records.load([record_id])).get(record_id)
        if stored is None or stored.state.lifecycle != "active" or not stored.state.files:
            raise RefusedError("not_found", "No files of this record are kept.")
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
        """The file as received, including metadata. The access is recorded before the file is
        opened."""
        require(caller, "service", *STAFF)
        state = await state_of(record_id)
        file = state.file(media_id)
        if file is None:
            raise RefusedError("not_found", "This record has no such file.")
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
            # This is ciphertext, so it may be fetched before the access is decided. That way
            # nothing can fail after the access was recorded.
            sealed = await originals.get(record_id, media_id)
        except MissingObjectError:
            raise RefusedError("not_readable", "The original file no longer exists.") from None
        facts = await disclosures.facts_for(
            access, RecordFacts(record_id, state.department, file_id=media_id)
        )
        async with vault.unlock(under_case(access, facts), facts) as key:
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
