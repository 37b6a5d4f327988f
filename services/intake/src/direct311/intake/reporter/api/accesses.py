"""Who has seen a request, in the reader's language."""

from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Request, Response

from direct311.intake.api_types import CallerOf
from direct311.intake.language import Language, preferred
from direct311.intake.reporter.api.statuses import ALL, answers
from direct311.intake.reporter.domain.code_words import CodeWords
from direct311.intake.reporter.handlers.accesses import WhoSaw
from direct311.intake.reporter.ports import SeenAccess
from direct311.runtime.access.rules import Caller
from direct311.schemas import Instant, Model, RecordId

Limit = Annotated[int, Query(ge=1, le=100)]
Cursor = Annotated[str, Query(max_length=60)]


class FieldAnswer(Model):
    """A field that was opened: its code, and its name in the reader's language."""

    field: str
    name: str


class AccessAnswer(Model):
    """One access. `who`, `what` and `why` are in the reader's language; `roles`, `department`,
    `action`, `outcome` and `purpose` are the codes behind them. It says in which role and
    department somebody acted, never who the person was. If `outcome` is `denied`, nothing was
    shown; this happened `count` times, beginning at `at`."""

    at: Instant
    who: str
    what: str
    why: str
    fields: tuple[FieldAnswer, ...]
    roles: tuple[str, ...]
    department: str | None
    action: str
    outcome: str
    purpose: str
    count: int


class DelayAnswer(Model):
    """How late an access may be in the list: it may be missing for up to `seconds` before an alarm
    is raised. `text` says so in the reader's language."""

    seconds: int
    text: str


class AccessesAnswer(Model):
    """Newest first. `next` is the `cursor` of the following page; null on the last page."""

    service_request_id: str
    accesses: tuple[AccessAnswer, ...]
    next: str | None
    delay: DelayAnswer


def accesses_router(who_saw: WhoSaw, words: CodeWords, caller_of: CallerOf) -> APIRouter:
    """For reporters, with the signed link of the request."""
    api = APIRouter(
        prefix="/v1/requests",
        responses=answers(ALL),
        tags=["reporter"],
    )
    who = Depends(caller_of)

    @api.get("/{service_request_id}/accesses")
    async def accesses(
        caller: Annotated[Caller, who],
        service_request_id: RecordId,
        request: Request,
        answer: Response,
        limit: Limit = 50,
        cursor: Cursor | None = None,
        accept_language: Annotated[str | None, Header()] = None,
    ) -> AccessesAnswer:
        """Who has seen the request: in which role and department, when, which fields, and why.
        Accesses that the law keeps from the subject are left out. This call is an access too."""
        language = preferred(accept_language)
        link = request.headers["authorization"].partition(" ")[2].strip()
        page = await who_saw(caller, service_request_id, link, limit=limit, cursor=cursor)
        answer.headers["Cache-Control"] = "no-store"
        answer.headers["Content-Language"], answer.headers["Vary"] = language, "Accept-Language"
        seconds = int(page.late_by.total_seconds())
        return AccessesAnswer(
            service_request_id=service_request_id,
            accesses=tuple(_access(each, words, language) for each in page.accesses),
            next=page.next,
            delay=DelayAnswer(seconds=seconds, text=words.late_by(seconds, language)),
        )

    return api


def _access(each: SeenAccess, words: CodeWords, language: Language) -> AccessAnswer:
    return AccessAnswer(
        at=each.at,
        who=words.who(each.roles, each.department, language),
        what=words.what(each.action, each.outcome, language),
        why=words.why(each.purpose, each.sentence, language),
        fields=tuple(
            FieldAnswer(field=code, name=words.field(code, language)) for code in each.fields
        ),
        roles=each.roles,
        department=each.department,
        action=each.action,
        outcome=each.outcome,
        purpose=each.purpose,
        count=each.count,
    )
