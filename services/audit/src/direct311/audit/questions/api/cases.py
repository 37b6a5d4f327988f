"""`/v1/cases/{case_id}/entries`: the accesses to a record, read for a disclosure case."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import APIRouter, Depends, Request

from direct311.audit.question import CaseId
from direct311.audit.questions.api.questions import Cursor, Limit, LogEntry, shown
from direct311.audit.questions.handlers.case_entries import CaseQuestion, CaseReading
from direct311.runtime.access.rules import Caller
from direct311.runtime.http.api import PROBLEMS
from direct311.schemas import Model, RecordId
from direct311.schemas import events as ev


class CaseEntriesQuestion(Model, extra="forbid"):
    """`purpose`: the kind of the case's grant."""

    record: RecordId
    purpose: ev.DisclosureKind
    limit: Limit = 50
    cursor: Cursor | None = None


class CaseEntriesPage(Model):
    """Newest first. Each entry names only the record asked for; one about other records too has no
    `signed_event`. `access_event` is the id of this call's own event."""

    entries: tuple[LogEntry, ...]
    next: str | None
    access_event: str


def cases_router(reading: CaseReading, caller: Callable[[Request], Awaitable[Caller]]) -> APIRouter:
    """For the people whom a grant of the case names."""
    router = APIRouter(prefix="/v1", tags=["log"], responses=PROBLEMS)
    Who = Annotated[Caller, Depends(caller)]  # noqa: N806 - a type

    @router.post("/cases/{case_id}/entries")
    async def entries(case_id: CaseId, who: Who, question: CaseEntriesQuestion) -> CaseEntriesPage:
        """The accesses to a record that a grant of the case names, if the grant has the field
        `audit_entry`. Entries that are exempt for now are left out."""
        asked = CaseQuestion(
            who, "POST /v1/cases/{case_id}/entries", case_id, question.purpose, question.record
        )
        page = await reading.page(asked, limit=question.limit, cursor=question.cursor)
        # How many records an access found would tell of the others.
        own = {"record_ids": (question.record,), "result_count": None}
        return CaseEntriesPage(
            entries=tuple(LogEntry(**(shown(each) | own)) for each in page.entries),
            next=page.next,
            access_event=page.access_event,
        )

    return router
