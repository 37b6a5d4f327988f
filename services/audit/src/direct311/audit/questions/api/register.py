"""`/v1/cases`, `/v1/cases-report`: the register of disclosure cases, for auditors."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from pydantic import Field

from direct311.audit.question import CaseId
from direct311.audit.questions.api.questions import Limit, Reference
from direct311.audit.questions.domain.instruments import InstrumentReport
from direct311.audit.questions.domain.register import KindReport, RegisteredCase
from direct311.audit.questions.handlers.audited_query import QueryContext
from direct311.audit.questions.handlers.register import CaseRegister
from direct311.runtime.access.rules import Caller
from direct311.runtime.http.api import PROBLEMS
from direct311.schemas import Instant, Model
from direct311.schemas import events as ev

Year = Annotated[int, Field(ge=2000, le=9998)]


class CaseSummary(Model):
    """A case in the list. `steps` counts its steps; grants and releases are in the case itself."""

    case_id: str
    kind: ev.CaseKind
    state: str
    outcome: str | None
    exempt: bool
    first_at: Instant
    last_at: Instant
    steps: int


class CasesPage(Model):
    """Newest first. `next` is the cursor of the following page; `access_event` is the id of this
    call's own event."""

    cases: tuple[CaseSummary, ...]
    next: str | None
    access_event: str


class OneCase(RegisteredCase):
    access_event: str


class CasesReport(Model):
    """The cases received in `year` (UTC), one line for each kind, and those of law enforcement one
    for each instrument. A case that is exempt now counts from when it is no longer exempt. `size`:
    how many entries of the log it is made of, `as_of`: when. `note`: the whole report as a note
    (c2sp.org/signed-note), signed with the keys of the log; `direct311-verifier report` checks
    it."""

    year: int
    kinds: tuple[KindReport, ...]
    instruments: tuple[InstrumentReport, ...]
    as_of: Instant
    size: int
    note: str
    access_event: str


def register_router(
    register: CaseRegister, caller: Callable[[Request], Awaitable[Caller]]
) -> APIRouter:
    """For the role auditor. Refusals are also entries of the log."""
    router = APIRouter(prefix="/v1", tags=["log"], responses=PROBLEMS)
    Who = Annotated[Caller, Depends(caller)]  # noqa: N806 - a type

    @router.get("/cases")
    async def cases(
        who: Who,
        reference: Annotated[Reference | None, Query()] = None,
        limit: Limit = 50,
        cursor: CaseId | None = None,
    ) -> CasesPage:
        """Disclosure cases, as their signed events in the log say."""
        context = QueryContext(who, "GET /v1/cases", reference)
        page = await register.page(context, limit=limit, after=cursor)
        return CasesPage(
            cases=tuple(
                CaseSummary(
                    case_id=line.case.case_id,
                    kind=line.case.kind,
                    state=line.case.state,
                    outcome=line.case.outcome,
                    exempt=line.case.exempt,
                    first_at=line.first_at,
                    last_at=line.case.last_at,
                    steps=line.steps,
                )
                for line in page.cases
            ),
            next=page.next,
            access_event=page.access_event,
        )

    @router.get("/cases/{case_id}")
    async def case(case_id: CaseId, who: Who, reference: Reference | None = None) -> OneCase:
        """A disclosure case: its steps, its grants and what was released, each with its entry.
        404 also for a case that the caller may not see."""
        context = QueryContext(who, "GET /v1/cases/{case_id}", reference)
        found, access_event = await register.one(context, case_id)
        return OneCase(**dict(found), access_event=access_event)

    @router.get("/cases-report")
    async def report(
        who: Who, year: Annotated[Year, Query()], reference: Reference | None = None
    ) -> CasesReport:
        """The transparency report of a year, by kind of case and by instrument, signed as a
        whole."""
        context = QueryContext(who, "GET /v1/cases-report", reference)
        found = await register.report(context, year)
        return CasesReport(
            year=found.year,
            kinds=tuple(found.kinds),
            instruments=tuple(found.instruments),
            as_of=found.as_of,
            size=found.size,
            note=found.note,
            access_event=found.access_event,
        )

    return router
