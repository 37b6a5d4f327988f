"""`/v1/work/requests`: the staff's lists, and one request, which they edit."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Response
from fastapi.responses import JSONResponse
from pydantic import Field

from direct311.intake.api_types import CallerOf
from direct311.intake.request import ServiceRequest
from direct311.intake.work.api.answers import WorkPage, WorkRequest, row, whole
from direct311.intake.work.api.cursors import cursor_of, read_cursor
from direct311.intake.work.domain.edits import Edit, StaleEditError
from direct311.intake.work.domain.listing import (
    OPEN,
    Flag,
    Sort,
    WorkQuery,
)
from direct311.intake.work.handlers.edit import EditRequest
from direct311.intake.work.handlers.read import ReadWork, sees_all
from direct311.runtime.access import reasons
from direct311.runtime.access.roles import ROLES
from direct311.runtime.access.rules import Caller
from direct311.runtime.errors import FieldProblem, MalformedError
from direct311.runtime.http.api import PROBLEMS, Problem, require
from direct311.runtime.parameters import FIRST, LAST, AskedInstant
from direct311.runtime.text import Line
from direct311.schemas import Model, RecordId
from direct311.schemas import events as ev
from direct311.schemas.model import DepartmentCode, Latitude, Longitude, Word

Types = Annotated[
    list[Annotated[str, Query(pattern=r"^[A-Z0-9_-]{1,40}$")]] | None, Query(max_length=20)
]
Statuses = Annotated[list[ev.RequestStatus] | None, Query(max_length=20)]


ServiceCode = Annotated[str, Field(pattern=r"^[A-Z0-9_-]{1,40}$")]
IfMatch = Annotated[
    str | None,
    Header(
        pattern=r'^"[0-9]{1,6}"$',
        description="The ETag of the request as it was read; without it nothing is changed (422).",
        examples=['"0"'],
    ),
]
ETAG: dict[str, Any] = {
    "ETag": {
        "description": "How often staff have edited the request; send it back as If-Match",
        "required": True,
        "schema": {"type": "string"},
    }
}


class Answer(Model, extra="forbid"):
    """Keys of one of the type's lists of choices; none takes the answer back."""

    code: ServiceCode
    values: Annotated[tuple[Word, ...], Field(max_length=50)]


class GivenPlace(Model, extra="forbid"):
    """Where it is: a point in WGS 84, an address in one line, or both."""

    latitude: Latitude | None = None
    longitude: Longitude | None = None
    address: Annotated[str, Field(min_length=1, max_length=300), Line] | None = None

    def place(self) -> ev.Place:
        """:raises MalformedError: half of a point, or nothing."""
        if (self.latitude is None) != (self.longitude is None):
            missing = "latitude" if self.latitude is None else "longitude"
            problem = FieldProblem(field=f"place.{missing}", detail="A point needs both.")
            raise MalformedError([problem])
        if self.latitude is None and not self.address:
            raise MalformedError(
                [FieldProblem(field="place", detail="Give a point, an address, or both.")]
            )
        return ev.Place(latitude=self.latitude, longitude=self.longitude, address=self.address)


class WorkEdit(Model, extra="forbid"):
    """What to change, and why. What is left out stays. A new type keeps the answers to the
    questions that it asks too."""

    reason: reasons.Reason
    service_code: ServiceCode | None = None
    attributes: Annotated[tuple[Answer, ...], Field(max_length=100)] | None = None
    place: GivenPlace | None = None

    def edit(self, expected: int | None) -> Edit:
        answers = None
        if self.attributes is not None:
            answers = {each.code: each.values for each in self.attributes}
        place = self.place.place() if self.place is not None else None
        return Edit(expected, self.reason, self.service_code, answers, place)


class StaleProblem(Problem):
    """`present`: the request as it is now."""

    present: WorkRequest


def work_router(read: ReadWork, edit: EditRequest, caller_of: CallerOf) -> APIRouter:
    api = APIRouter(prefix="/v1/work", tags=["Work"], responses=PROBLEMS)
    who = Depends(caller_of)

    @api.get("/requests")
    async def requests(
        caller: Annotated[Caller, who],
        status: Statuses = None,
        service_code: Types = None,
        department: Annotated[DepartmentCode | None, Query()] = None,
        municipality: Annotated[str | None, Query(min_length=1, max_length=100)] = None,
        received_from: Annotated[AskedInstant | None, Query()] = None,
        received_before: Annotated[AskedInstant | None, Query()] = None,
        flag: Annotated[list[Flag] | None, Query(max_length=10)] = None,
        sort: Annotated[Sort, Query()] = "newest",
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
        cursor: Annotated[str | None, Query(max_length=200)] = None,
    ) -> WorkPage:
        """Requests by time of reception, page by page; those that are open unless `status` says
        otherwise. Every filter narrows the list; a repeated one takes each of its values. Who works
        for a department gets that department's requests."""
        require(caller, *ROLES.work)
        own = None if sees_all(caller) else caller.department
        query = WorkQuery(
            statuses=tuple(status or OPEN),
            types=tuple(service_code or ()),
            department=department or own,
            place=municipality,
            received_from=received_from or FIRST,
            received_before=received_before or LAST,
            flags=frozenset(flag or ()),
            sort=sort,
            limit=limit,
            after=read_cursor(cursor) if cursor is not None else None,
        )
        page = await read.page(caller, query)
        return WorkPage(
            requests=tuple(row(each) for each in page.rows),
            next=cursor_of(page.end) if page.end is not None else None,
        )

    @api.get("/requests/{record_id}", responses={200: {"headers": ETAG}, 404: PROBLEMS[404]})
    async def request(
        caller: Annotated[Caller, who], record_id: RecordId, response: Response
    ) -> WorkRequest:
        """One request with its history, files and location, without anything personal."""
        require(caller, *ROLES.work)
        found = await read.one(caller, record_id)
        response.headers["ETag"] = etag(found)
        return whole(found)

    @api.patch(
        "/requests/{record_id}",
        response_model=WorkRequest,
        responses={
            200: {"headers": ETAG},
            404: PROBLEMS[404],
            412: {
                "model": StaleProblem,
                "description": "Somebody else has edited it; `present` is the request now",
                "headers": ETAG,
            },
        },
    )
    async def correct(
        caller: Annotated[Caller, who],
        record_id: RecordId,
        body: WorkEdit,
        response: Response,
        if_match: IfMatch = None,
    ) -> WorkRequest | Response:
        """Correct a request's type, answers to the type's questions, or its place, with a reason.
        The new type's rules apply at once. At a new place the request has no department and is on
        no public list until the place was located and compared with the protection registry. The
        same call again changes nothing."""
        require(caller, *ROLES.work)
        expected = int(if_match.strip('"')) if if_match is not None else None
        try:
            found = await edit(caller, record_id, body.edit(expected))
        except StaleEditError as error:
            return _stale(error)
        response.headers["ETag"] = etag(found)
        return whole(found)

    return api


def etag(request: ServiceRequest) -> str:
    """How often staff have edited it: its `version` also moves when a service says something."""
    return f'"{len(request.edits)}"'


def _stale(error: StaleEditError) -> Response:
    body = StaleProblem(
        type=f"urn:direct311:problem:{error.code}",
        title=error.code,
        status=412,
        detail=error.detail,
        present=whole(error.present),
    )
    return JSONResponse(
        body.model_dump(mode="json", exclude={"field", "errors"}),
        412,
        {"ETag": etag(error.present)},
        media_type="application/problem+json",
    )
