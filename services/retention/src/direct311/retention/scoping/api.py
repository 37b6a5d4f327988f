"""Scope, search log and timeline over HTTP."""

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Depends, Response
from pydantic import AfterValidator, Field, model_validator

from direct311.retention.api import CallerOf, Id
from direct311.retention.case_file.scope import OpenScope, SealedScope
from direct311.retention.case_file.searches import MinutesEntry, SearchEntry
from direct311.retention.case_file.steps import StepNote
from direct311.retention.cases.domain import CaseFile, CaseOutcome, CaseState
from direct311.retention.scoping.handlers import OpenedScope, ScopeDraft, Scoping
from direct311.runtime.access.rules import Caller
from direct311.runtime.clock import Clock
from direct311.runtime.http.api import NUMBER, PROBLEMS, require
from direct311.runtime.parameters import AskedInstant, in_order
from direct311.runtime.persons import LONGEST_IDENTIFIER, is_identifier
from direct311.runtime.text import Line, Title
from direct311.schemas import Instant, Model, RecordId
from direct311.schemas.model import Code, DepartmentCode

MOST_MINUTES = 100_000
MOST_HITS = 10_000_000


def _identifier(text: str) -> str:
    if not is_identifier(text):
        raise ValueError("must be the subject of a token")
    return text


Version = Annotated[int, Field(ge=1, le=2**53 - 1)]
Minutes = Annotated[int, Field(ge=0, le=MOST_MINUTES), NUMBER]
Word = Annotated[str, Field(min_length=1, max_length=200), Line]
Subject = Annotated[
    str,
    Field(min_length=1, max_length=LONGEST_IDENTIFIER, examples=["wanda"]),
    AfterValidator(_identifier),
]


class PersonScope(Model, extra="forbid"):
    """Whom to look for."""

    name: Annotated[str, Field(min_length=1, max_length=200), Line] | None = None
    email: Annotated[str, Field(min_length=1, max_length=320), Line] | None = None
    phone: Annotated[str, Field(min_length=1, max_length=40), Line] | None = None
    address: Annotated[str, Field(min_length=1, max_length=300), Line] | None = None


class PlaceScope(Model, extra="forbid"):
    """Where to look. The `address` is sealed; a `municipality` is not."""

    municipality: Annotated[str, Field(min_length=1, max_length=100), Title] | None = None
    address: Annotated[str, Field(min_length=1, max_length=300), Line] | None = None


class ScopeOrder(Model, extra="forbid"):
    """What to look for: these records, and those for which everything else that is given holds.
    `person`, `words` and the address of the `place` are sealed. `version`: the case's, as you have
    seen it. `complete`: nothing is to be found out any more, so the case becomes `collecting`.
    `as_bounds`: it also says within what the case stops destruction; then it names no person."""

    version: Version
    person: PersonScope | None = None
    words: Annotated[tuple[Word, ...], Field(max_length=50)] = ()
    place: PlaceScope | None = None
    record_ids: Annotated[tuple[RecordId, ...], Field(max_length=500)] = ()
    service_codes: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=40)], ...], Field(max_length=500)
    ] = ()
    departments: Annotated[tuple[DepartmentCode, ...], Field(max_length=50)] = ()
    since: AskedInstant | None = None
    until: AskedInstant | None = None
    # Strict, as a 1 is no decision.
    complete: Annotated[bool, Field(strict=True)] = False
    as_bounds: Annotated[bool, Field(strict=True)] = False

    @model_validator(mode="after")
    def _ordered(self) -> "ScopeOrder":
        in_order(self.since, self.until, inclusive=False)
        return self

    def draft(self) -> ScopeDraft:
        """What the use case knows of it."""
        person, place = self.person or PersonScope(), self.place or PlaceScope()
        return ScopeDraft(
            OpenScope(
                record_ids=tuple(dict.fromkeys(self.record_ids)),
                service_codes=tuple(dict.fromkeys(self.service_codes)),
                municipality=place.municipality,
                departments=tuple(dict.fromkeys(self.departments)),
                since=self.since,
                until=self.until,
            ),
            SealedScope(
                name=person.name,
                email=person.email,
                phone=person.phone,
                person_address=person.address,
                address=place.address,
                words=tuple(dict.fromkeys(self.words)),
            ),
            complete=self.complete,
            as_bounds=self.as_bounds,
        )


class ScopeStateView(Model):
    """A scope without what was sealed. `criteria`: by what it looks, in codes."""

    case_id: str
    state: CaseState
    version: int
    revision: int
    criteria: tuple[str, ...]
    complete: bool
    set_by: str
    set_at: Instant


class ScopeView(ScopeStateView):
    """A scope with what was sealed."""

    person: PersonScope | None = None
    words: tuple[str, ...]
    place: PlaceScope | None = None
    record_ids: tuple[str, ...]
    service_codes: tuple[str, ...]
    departments: tuple[str, ...]
    since: Instant | None = None
    until: Instant | None = None


class SearchOrder(Model, extra="forbid"):
    """One search. `search_id`: chosen by you, so that the call may be repeated. `where`: the system
    or the place. `shape`: by what you looked, in codes, never the values. `hits`: zero too.
    `entry`: the id of the entry in the access log, if it was made in this system."""

    search_id: RecordId
    where: Annotated[Code, Field(examples=["email"])]
    shape: Annotated[tuple[Code, ...], Field(max_length=20, examples=[["words", "time"]])] = ()
    hits: Annotated[int, Field(ge=0, le=MOST_HITS), NUMBER]
    minutes: Minutes = 0
    entry: RecordId | None = None


class MinutesOrder(Model, extra="forbid"):
    """Work on the case. `note_id`: chosen by you, so that the call may be repeated. `person`: the
    subject of the token of who did it; you, if it is left out."""

    note_id: RecordId
    work: Annotated[Code, Field(examples=["review"])]
    minutes: Annotated[int, Field(ge=1, le=MOST_MINUTES), NUMBER]
    person: Subject | None = None


class SearchLogView(Model):
    """All searches and minutes, oldest first. `minutes_by_work`: those of the searches are
    `search`."""

    case_id: str
    state: CaseState
    searches: tuple[SearchEntry, ...]
    minutes: tuple[MinutesEntry, ...]
    minutes_in_all: int
    minutes_by_work: Mapping[str, int]


class TimelineView(Model):
    """Every step, oldest first. `age_days`, `days_without_act`: whole days since the receipt, and
    since the county's last act. The law sets no number of days."""

    case_id: str
    state: CaseState
    outcome: CaseOutcome | None = None
    received_at: Instant | None = None
    age_days: int
    days_without_act: int
    steps: tuple[StepNote, ...]


def router(
    scoping: Scoping, desks: tuple[str, ...], caller_of: CallerOf, clock: Clock
) -> APIRouter:
    """For the desk. `desks`: the roles that have one."""
    api = APIRouter(prefix="/v1/cases/{case_id}", tags=["scope"], responses=PROBLEMS)
    who = Depends(caller_of)

    @api.put("/scope")
    async def set_scope(
        case_id: Id, body: ScopeOrder, caller: Annotated[Caller, who]
    ) -> ScopeStateView:
        """Say what to look for. What names a person, an address or words is sealed, and the access
        is recorded first. The same call may be repeated."""
        require(caller, *desks)
        return _state(await scoping.set_scope(caller, case_id, body.version, body.draft()))

    @api.get("/scope", response_model_exclude_none=True)
    async def read_scope(
        case_id: Id, caller: Annotated[Caller, who], response: Response
    ) -> ScopeView:
        """What to look for. The access is recorded before anything is opened."""
        require(caller, *desks)
        response.headers["Cache-Control"] = "no-store"
        return _scope(await scoping.read_scope(caller, case_id))

    @api.get("/searches", response_model_exclude_none=True)
    async def look(case_id: Id, caller: Annotated[Caller, who]) -> SearchLogView:
        """Where was searched for this case, what was found, and how long the work took. Opens
        nothing."""
        require(caller, *desks)
        return _log(await scoping.look(caller, case_id))

    @api.post("/searches", response_model_exclude_none=True)
    async def write_search(
        case_id: Id, body: SearchOrder, caller: Annotated[Caller, who]
    ) -> SearchLogView:
        """Write down a search, also one outside of this system. May be repeated."""
        require(caller, *desks)
        search = SearchEntry(**body.model_dump(), by=caller.sub, at=clock.now())
        return _log(await scoping.write_search(caller, case_id, search))

    @api.post("/minutes", response_model_exclude_none=True)
    async def write_minutes(
        case_id: Id, body: MinutesOrder, caller: Annotated[Caller, who]
    ) -> SearchLogView:
        """Write down for how many minutes somebody worked on the case. May be repeated."""
        require(caller, *desks)
        note = MinutesEntry(
            note_id=body.note_id,
            work=body.work,
            person=body.person or caller.sub,
            minutes=body.minutes,
            noted_by=caller.sub,
            at=clock.now(),
        )
        return _log(await scoping.write_minutes(caller, case_id, note))

    @api.get("/timeline", response_model_exclude_none=True)
    async def timeline(case_id: Id, caller: Annotated[Caller, who]) -> TimelineView:
        """Every step of a case, with its age and its days without an act. Opens nothing."""
        require(caller, *desks)
        found = await scoping.timeline(caller, case_id)
        return TimelineView(
            case_id=case_id,
            state=found.case.state,
            outcome=found.case.outcome,
            received_at=found.case.received_at,
            age_days=found.age_days,
            days_without_act=found.days_without_act,
            steps=tuple(found.steps),
        )

    return api


def _state(file: CaseFile) -> ScopeStateView:
    if file.scope is None:
        raise ValueError("a scope that was not set")
    return ScopeStateView(
        case_id=file.record_id,
        state=file.state,
        version=file.version,
        **file.scope.model_dump(include={"revision", "criteria", "complete", "set_by", "set_at"}),
    )


def _scope(opened: OpenedScope) -> ScopeView:
    sealed, plain = opened.sealed, opened.scope.open
    person = PersonScope(
        name=sealed.name, email=sealed.email, phone=sealed.phone, address=sealed.person_address
    )
    place = PlaceScope(municipality=plain.municipality, address=sealed.address)
    return ScopeView(
        **_state(opened.case).model_dump(),
        person=person if sealed.personal else None,
        words=sealed.words,
        place=place if place != PlaceScope() else None,
        **plain.model_dump(exclude={"municipality"}),
    )


def _log(file: CaseFile) -> SearchLogView:
    log = file.searches
    return SearchLogView(
        case_id=file.record_id,
        state=file.state,
        searches=log.searches,
        minutes=log.minutes,
        minutes_in_all=log.minutes_in_all,
        minutes_by_work=log.minutes_by_work,
    )
