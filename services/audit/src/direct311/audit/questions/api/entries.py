"""`/v1`: entries, one by one and in pages, and their proofs.

Whatever decrypts is itself an entry of the log.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.responses import StreamingResponse

from direct311.audit.question import Question
from direct311.audit.questions.api.questions import (
    Cursor,
    Limit,
    LogEntry,
    OnePerson,
    Reference,
    Size,
    entry_of,
    shown,
)
from direct311.audit.questions.handlers.audited_query import QueryContext
from direct311.audit.questions.handlers.read import Page, Reading
from direct311.runtime.access.rules import Caller
from direct311.runtime.http.api import PROBLEMS, require
from direct311.schemas import Model
from direct311.verifier.note import encode_base64
from direct311.verifier.proof import TlogProof


class EntriesQuestion(Question):
    reference: Reference | None = None
    limit: Limit = 50
    cursor: Cursor | None = None


class PersonQuestion(OnePerson):
    """One of phone, e-mail and name; it is sent to intake and not stored here."""

    reference: Reference | None = None
    filter: Question = Question()
    limit: Limit = 50
    cursor: Cursor | None = None


class BundleQuestion(Model, extra="forbid"):
    filter: Question = Question()
    reference: Reference | None = None


class LogPage(Model):
    """Newest first. `next` is the cursor of the following page. `size` is the log's size,
    `withheld` is how many exempt entries match the question's records and time, and `access_event`
    is the id of this call's own event."""

    entries: tuple[LogEntry, ...]
    next: str | None
    size: int
    withheld: int
    access_event: str


class PersonPage(LogPage):
    record_ids: tuple[str, ...]


class OneEntry(LogEntry):
    access_event: str


class EntryProof(Model):
    """`entry` (the leaf's data) and `hashes` in base64; `tlog_proof` is c2sp.org/tlog-proof."""

    index: int
    event_id: str
    size: int
    entry: str
    leaf_hash: str
    hashes: tuple[str, ...]
    checkpoint: str
    tlog_proof: str


class ConsistencyProof(Model):
    """RFC 6962 section 2.1.2; roots and hashes in base64; `checkpoint` is the log's current one."""

    old: int
    new: int
    old_root: str
    new_root: str
    hashes: tuple[str, ...]
    checkpoint: str


def api_router(reading: Reading, caller: Callable[[Request], Awaitable[Caller]]) -> APIRouter:
    """For the role auditor. Refusals of calls that would decrypt are also entries of the log."""
    responses = PROBLEMS
    router = APIRouter(prefix="/v1", tags=["log"], responses=responses)
    Who = Annotated[Caller, Depends(caller)]  # noqa: N806 - a type

    async def auditor(who: Who) -> None:
        require(who, "auditor", "counsel")

    @router.get("/entries")
    async def entries(who: Who, question: Annotated[EntriesQuestion, Query()]) -> LogPage:
        """Matching entries, newest first, with their events."""
        context = QueryContext(who, "GET /v1/entries", question.reference)
        page = await reading.page(
            context, question.filter, limit=question.limit, cursor=question.cursor
        )
        return LogPage(**_page(page))

    @router.get("/entries/{event_id}")
    async def entry(event_id: UUID, who: Who, reference: Reference | None = None) -> OneEntry:
        """The entry of one event."""
        context = QueryContext(who, "GET /v1/entries/{event_id}", reference)
        opened, page = await reading.one(context, str(event_id))
        return OneEntry(**shown(opened), access_event=page.access_event)

    @router.get("/entries/{event_id}/proof", dependencies=[Depends(auditor)])
    async def proof(event_id: UUID, who: Who, reference: Reference | None = None) -> EntryProof:
        """Proof that an event's entry is in the log. The entry stays sealed, so this is not an
        access."""
        context = QueryContext(who, "GET /v1/entries/{event_id}/proof", reference)
        found = await reading.proof(context, str(event_id))
        return EntryProof(
            index=found.row.index,
            event_id=found.row.event_id,
            size=found.size,
            entry=encode_base64(found.row.data),
            leaf_hash=encode_base64(found.row.leaf),
            hashes=tuple(map(encode_base64, found.hashes)),
            checkpoint=found.checkpoint,
            tlog_proof=str(TlogProof(found.row.index, tuple(found.hashes), found.checkpoint)),
        )

    @router.get("/consistency", dependencies=[Depends(auditor)])
    async def consistency(old: Size, new: Size | None = None) -> ConsistencyProof:
        """Proof that the log of `new` entries (default: all) begins with the log of `old`
        entries."""
        found = await reading.consistency(old, new)
        return ConsistencyProof(
            old=found.old,
            new=found.new,
            old_root=encode_base64(found.old_root),
            new_root=encode_base64(found.new_root),
            hashes=tuple(map(encode_base64, found.hashes)),
            checkpoint=found.checkpoint,
        )

    @router.post("/persons/search")
    async def person(
        who: Who,
        question: PersonQuestion,
        authorization: Annotated[str, Header(include_in_schema=False)] = "",
    ) -> PersonPage:
        """Who saw this person's data: the entries about all of the person's records.

        Intake resolves the person, on behalf of the caller; that search is an access there.
        """
        context = QueryContext(who, "POST /v1/persons/search", question.reference)
        records, page = await reading.person(
            context,
            question.person,
            authorization,
            question.filter.filter,
            limit=question.limit,
            cursor=question.cursor,
        )
        return PersonPage(**_page(page), record_ids=tuple(records))

    @router.post(
        "/bundles",
        response_class=StreamingResponse,
        responses={
            200: {"description": "direct311-bundle-v1", "content": {"application/json": {}}}
        },
    )
    async def bundle(who: Who, question: BundleQuestion) -> StreamingResponse:
        """All matching entries with their proofs, as a file that `direct311-verifier bundle` checks
        offline. Oldest first, at most 10,000."""
        context = QueryContext(who, "POST /v1/bundles", question.reference)
        stream = await reading.bundle(context, question.filter.filter)
        return StreamingResponse(
            stream,
            media_type="application/json",
            headers={"Content-Disposition": 'attachment; filename="bundle.json"'},
        )

    return router


def _page(page: Page) -> dict[str, Any]:
    return {
        "entries": tuple(entry_of(opened) for opened in page.entries),
        "next": page.next,
        "size": page.size,
        "withheld": page.withheld,
        "access_event": page.access_event,
    }
