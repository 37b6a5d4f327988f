"""`POST /v1/cases/{case_id}/searches`: finds the requests that a case is about."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import Field

from direct311.intake.api_types import CallerOf
from direct311.intake.searches.domain import MOST_ANSWERED, Narrowing
from direct311.intake.searches.handlers import WORDS, SearchForCase
from direct311.runtime.access.roles import ROLES
from direct311.runtime.access.rules import Caller
from direct311.runtime.errors import FieldProblem, MalformedError
from direct311.runtime.http.api import PROBLEMS, require
from direct311.runtime.parameters import AskedInstant
from direct311.runtime.text import Line
from direct311.schemas import Model, RecordId
from direct311.schemas.model import Code, DepartmentCode, Latitude, Longitude, Word

_PERSON = ("phone", "email", "name")
_ONE_OF = (*_PERSON, WORDS)
_AT_MOST_ONE: dict[str, Any] = {
    "oneOf": [
        {
            "required": [one] if one else [],
            "properties": {
                other: {"type": "string" if other == one else "null"} for other in _ONE_OF
            },
        }
        for one in (None, *_ONE_OF)
    ]
}


class CaseSearchQuestion(Model, extra="forbid", json_schema_extra=_AT_MOST_ONE):
    """At most one of `phone`, `email`, `name` and `words`; without any, the search is only by what
    is public of a request. The others narrow it.

    `words`: whole words, all of which must be in the request's texts. `box`: west, south, east and
    north in degrees; it finds requests whose point is public. `types`: service codes.
    """

    phone: Annotated[str, Field(max_length=60), Line] | None = None
    email: Annotated[str, Field(max_length=254), Line] | None = None
    name: Annotated[str, Field(max_length=200), Line] | None = None
    words: Annotated[str, Field(min_length=1, max_length=200), Line] | None = None
    municipality: Annotated[str, Field(min_length=1, max_length=100), Line] | None = None
    box: tuple[Longitude, Latitude, Longitude, Latitude] | None = None
    types: Annotated[tuple[Word, ...], Field(max_length=100)] = ()
    received_from: AskedInstant | None = None
    received_before: AskedInstant | None = None
    departments: Annotated[tuple[DepartmentCode, ...], Field(max_length=50)] = ()

    def check(self) -> None:
        """:raises MalformedError: it searches for several things at once, or the box is none."""
        given = [each for each in _ONE_OF if getattr(self, each) is not None]
        detail = "Give at most one of phone, email, name and words."
        wrong = [FieldProblem(field=each, detail=detail) for each in given[1:]]
        if self.box is not None:
            west, south, east, north = self.box
            if west > east or south > north:
                detail = "Give west, south, east and north, in degrees."
                wrong.append(FieldProblem(field="box", detail=detail))
        if wrong:
            raise MalformedError(wrong)

    def person(self) -> dict[str, str]:
        """The person to look for; empty if none."""
        return self.model_dump(include=set(_PERSON), exclude_none=True)

    def narrowing(self) -> Narrowing:
        """What narrows the search."""
        return Narrowing(
            municipality=self.municipality,
            box=self.box,
            types=self.types,
            received_from=self.received_from,
            received_before=self.received_before,
            departments=self.departments,
        )


class CaseSearchAnswer(Model):
    """`search_id`: the entry of the log about the search, for the search log of the case.
    `record_ids`: the first 500 of `hits`; `more`: there are others. `without_point`: so many
    requests match everything else, but have no public point to compare with the box. `shape`: what
    was searched by, without the values."""

    search_id: str
    record_ids: Annotated[tuple[str, ...], Field(max_length=MOST_ANSWERED)]
    more: bool
    hits: int
    without_point: int
    shape: tuple[Code, ...]


def searches_router(search: SearchForCase, caller_of: CallerOf) -> APIRouter:
    """For the people who work on a case."""
    api = APIRouter(prefix="/v1", responses=PROBLEMS)
    who = Depends(caller_of)

    @api.post("/cases/{case_id}/searches")
    async def search_for_case(
        caller: Annotated[Caller, who], case_id: RecordId, question: CaseSearchQuestion
    ) -> CaseSearchAnswer:
        """Find requests for a public-records case. By person or in text, a grant of the case must
        allow it and name the caller, and each call counts. Repeating the call is another search."""
        question.check()
        narrowing = question.narrowing()
        if person := question.person():
            found = await search.by_person(caller, case_id, person, narrowing)
        elif question.words is not None:
            found = await search.by_words(caller, case_id, question.words, narrowing)
        else:
            require(caller, *ROLES.case_searches)
            found = await search.by_properties(caller, case_id, narrowing)
        return CaseSearchAnswer(
            search_id=found.search_id,
            record_ids=tuple(found.record_ids),
            more=found.more,
            hits=found.hits,
            without_point=found.without_point,
            shape=found.shape,
        )

    return api
