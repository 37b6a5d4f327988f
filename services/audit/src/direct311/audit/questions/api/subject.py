"""A resident asks who has seen their request: here (`/v1/subject`), or at the gateway, which passes
the question on (`/internal/subject`)."""

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import Field

from direct311.audit.questions.handlers.subject import SeenPage, SubjectReading
from direct311.runtime.access.links import LinkError, Links
from direct311.runtime.access.rules import Caller
from direct311.runtime.errors import RefusedError
from direct311.runtime.http.api import PROBLEMS, require
from direct311.schemas import Instant, Model, RecordId

Limit = Annotated[int, Query(ge=1, le=100)]
Cursor = Annotated[str, Query(max_length=60)]
INTAKE = "svc:intake"
"""The gateway, the only service that asks for residents."""


class SeenBy(Model):
    """One access: when, why, and in which office. `outcome`: `denied` means that the rules refused
    it, `count` times from `at` on."""

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


class LinkQuestion(Model, extra="forbid"):
    """A resident's question, passed on by the gateway. `link`: the signed link that they hold. It
    names the record and opens the answer; it is checked here once more."""

    link: Annotated[str, Field(min_length=1, max_length=4000)]
    limit: Annotated[int, Field(ge=1, le=100)] = 50
    cursor: Annotated[str, Field(max_length=60)] | None = None


class LinkAnswer(SeenAnswer):
    """`late_by_seconds`: an access may be missing from the answer for so long. If it takes longer
    to arrive in the log, operators are alerted."""

    late_by_seconds: int


def subject_router(
    reading: SubjectReading, caller_of: Callable[[Request], Awaitable[Caller]]
) -> APIRouter:
    """For residents, with the signed link of the request."""
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
        """Who has seen the request. An access shows here some seconds after it happened; this call
        is one too."""
        page = await reading.accesses(caller, record_id, limit=limit, cursor=cursor)
        answer.headers["Cache-Control"] = "no-store"
        return SeenAnswer(record_id=record_id, accesses=_seen(page), next=page.next)

    return router


def internal_subject_router(
    reading: SubjectReading,
    links: Links,
    late_by: timedelta,
    caller_of: Callable[[Request], Awaitable[Caller]],
) -> APIRouter:
    """For intake, which passes on the questions of residents. `late_by`: how long an access may be
    missing from the log before an alarm is raised."""
    router = APIRouter(prefix="/internal/subject", tags=["internal"], responses=PROBLEMS)
    who = Depends(caller_of)

    @router.post("/accesses")
    async def accesses(
        caller: Annotated[Caller, who], question: LinkQuestion, answer: Response
    ) -> LinkAnswer:
        """Who has seen the request of a link. The answer and the log entry are the same as if the
        resident had asked here; the entry also names the gateway."""
        require(caller, "service")
        if caller.sub != INTAKE or caller.via is not None:
            raise RefusedError(
                "caller", "Only the intake service may pass on residents' questions."
            )
        try:
            resident = links.caller(question.link)
        except LinkError:
            raise RefusedError("signed_link", "The signed link is not valid here.") from None
        record_id = str(resident.link_record_id)
        page = await reading.accesses(
            resident.behind(caller.sub),
            record_id,
            limit=question.limit,
            cursor=question.cursor,
            operation="POST /internal/subject/accesses",
        )
        answer.headers["Cache-Control"] = "no-store"
        return LinkAnswer(
            record_id=record_id,
            accesses=_seen(page),
            next=page.next,
            late_by_seconds=int(late_by.total_seconds()),
        )

    return router


def _seen(page: SeenPage) -> tuple[SeenBy, ...]:
    return tuple(SeenBy(**asdict(each)) for each in page.accesses)
