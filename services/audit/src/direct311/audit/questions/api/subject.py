"""`/v1/subject`: a resident asks who has seen their request."""

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import Field

from direct311.audit.questions.handlers.subject import SubjectReading
from direct311.runtime.access.rules import Caller
from direct311.runtime.http.api import PROBLEMS
from direct311.schemas import Instant, Model, RecordId

Limit = Annotated[int, Query(ge=1, le=100)]
Cursor = Annotated[str, Query(max_length=60)]


class SeenBy(Model):
    """One access: when, why, and in which office. `outcome`: `denied` was refused by the rules,
    `count` times from `at` on."""

    at: Instant
    purpose: str
    sentence: Annotated[str, Field(description="The purpose, in the words of the rules")]
    roles: tuple[str, ...]
    department: str | None
    action: str
    outcome: str
    fields: tuple[str, ...]
    count: int = 1


class SeenAnswer(Model):
    """Newest first; `next` is the cursor of the following page."""

    record_id: str
    accesses: tuple[SeenBy, ...]
    next: str | None


def subject_router(
    reading: SubjectReading, caller_of: Callable[[Request], Awaitable[Caller]]
) -> APIRouter:
    """For residents, by the signed link of the request."""
    router = APIRouter(prefix="/v1/subject", tags=["subject"], responses=PROBLEMS)
    who = Depends(caller_of)

    @router.get("/{record_id}/accesses")
    async def accesses(
        caller: Annotated[Caller, who],
        record_id: RecordId,
        answer: Response,
        limit: Limit = 50,
        cursor: Cursor | None = None,
    ) -> SeenAnswer:
        """Who has seen the request. An access is here some seconds after it happened; this call is
        one too."""
        page = await reading.accesses(caller, record_id, limit=limit, cursor=cursor)
        answer.headers["Cache-Control"] = "no-store"
        return SeenAnswer(
            record_id=record_id,
            accesses=tuple(SeenBy(**asdict(each)) for each in page.accesses),
            next=page.next,
        )

    return router
