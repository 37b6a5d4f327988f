"""A department's own system over HTTP: what was routed to it, and what it reports."""

from collections.abc import Collection
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Path, Query, Response
from fastapi.responses import JSONResponse

from direct311.routing.api import CallerOf
from direct311.routing.job import Answer
from direct311.routing.work.handlers.pulled import Pulled
from direct311.routing.work.handlers.shares import Shares
from direct311.routing.work.handlers.taken import Updates
from direct311.runtime.access.roles import DEPARTMENT_SYSTEM
from direct311.runtime.access.rules import Caller
from direct311.runtime.clock import Clock
from direct311.runtime.errors import FieldProblem, MalformedError, RefusedError
from direct311.runtime.http.api import PROBLEMS, Problem, require
from direct311.runtime.http.problem_codes import PROBLEMS as CODES
from direct311.schemas import Event, Instant, Model
from direct311.schemas import events as ev
from direct311.schemas.topics import BY_MODEL

LONGEST_WAIT = 5
"""In seconds: short enough for a process that stops."""

Department = Annotated[str, Path(pattern=r"^[a-z][a-z0-9_]{1,40}$")]


class RoutedEvent(Model):
    """One event of `routed.<department>`. `type`, `id` and `time` are its CloudEvents attributes
    there. The same event may come twice: remember the id."""

    id: str
    type: str
    time: Instant
    data: ev.RequestRouted | ev.RequestRecalled | ev.RequestOverdue


class RoutedPage(Model):
    """`next`: the `cursor` of the following call. `more`: whether there is something after it
    already."""

    events: tuple[RoutedEvent, ...]
    next: str
    more: bool


class AcceptedUpdate(Model):
    """The update was accepted; `status` is the request's status after it."""

    update_id: str
    record_id: str
    department: str
    step: str
    status: ev.RequestStatus


class RefusedUpdate(Problem):
    """The update was refused; `allowed` are the steps that would be accepted."""

    update_id: str
    record_id: str
    department: str
    allowed: tuple[str, ...] = ()


_REFUSED = {
    "content": {"application/problem+json": {"schema": RefusedUpdate.model_json_schema()}},
}


def router(
    pulled: Pulled,
    updates: Updates,
    departments: Collection[str],
    caller_of: CallerOf,
    clock: Clock,
    pulls: Shares,
    reports: Shares,
) -> APIRouter:
    """For systems that do not speak Kafka. Only the department's own client is answered."""
    api = APIRouter(prefix="/v1/departments/{department}", responses=PROBLEMS)

    async def own(caller: Annotated[Caller, Depends(caller_of)], department: Department) -> None:
        """Refuses everybody else before anything that they sent is looked at."""
        require(caller, DEPARTMENT_SYSTEM)
        if caller.department != department:
            raise RefusedError("department", "The address is another department's.")
        if department not in departments:
            raise RefusedError("not_found", "There is no such department.")

    only_its_own = [Depends(own)]

    @api.get(
        "/routed",
        dependencies=only_its_own,
        responses={410: {**PROBLEMS[410], "description": "Events after the cursor were deleted"}},
    )
    async def routed(
        department: Department,
        cursor: Annotated[
            str | None, Query(pattern=r"^[0-9]{1,18}$", description="`next` of the last answer")
        ] = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
        wait: Annotated[
            int, Query(ge=0, le=LONGEST_WAIT, description="seconds to wait for the first event")
        ] = 0,
    ) -> RoutedPage:
        """What was routed to the department after the cursor, in order; without one, from the
        oldest event that is kept. One call at a time."""
        with pulls.one(department):
            page = await pulled.page(department, cursor, limit, wait)
        return RoutedPage(
            events=tuple(_shown(each) for each in page.events),
            next=str(page.following),
            more=page.following < page.end,
        )

    @api.post(
        "/updates",
        dependencies=only_its_own,
        response_model=AcceptedUpdate,
        responses={
            404: {"description": "There is no such request", **_REFUSED},
            409: {"description": "It is not possible now, or not for you", **_REFUSED},
            410: {"description": "Answered before; the answer is not kept", **PROBLEMS[410]},
            422: {"description": "A field is missing or wrong", **_REFUSED},
        },
    )
    async def report(
        department: Department,
        update: ev.DepartmentUpdateV2,
        idempotency_key: Annotated[UUID, Header(description="the update's id, a new UUID")],
    ) -> Response:
        """Report a step of the work: the data of `department.update`, version 2. The answer is the
        one that `replies.<department>` gets too. A repeat with the same `Idempotency-Key` changes
        nothing, and gets the same answer."""
        if update.department != department:
            what = "The department must be the one of the address."
            raise MalformedError([FieldProblem(field="department", detail=what)])
        update_id = str(idempotency_key)
        event = Event(update_id, f"/department/{department}", update.record_id, clock.now(), update)
        with reports.one(department):
            answer = await updates.answer(event)
        return _answered(update, update_id, answer)

    return api


def _shown(event: Event[Model]) -> RoutedEvent:
    return RoutedEvent.model_validate(
        {
            "id": event.id,
            "type": BY_MODEL[type(event.data)].ce_type,
            "time": event.time,
            "data": event.data,
        }
    )


def _answered(update: ev.DepartmentUpdateV2, update_id: str, answer: Answer) -> Response:
    names = {
        "update_id": update_id,
        "record_id": update.record_id,
        "department": update.department,
    }
    if answer.status is not None:
        accepted = AcceptedUpdate(step=answer.step, status=answer.status, **names)
        return JSONResponse(accepted.model_dump(mode="json"))
    status = CODES[answer.code].status
    problems = [FieldProblem(field=answer.field or "", detail=answer.reason)]
    refused = RefusedUpdate(
        type=f"urn:direct311:problem:{answer.code}",
        title=answer.code.replace("_", " "),
        status=status,
        detail=answer.reason,
        field=answer.field,
        errors=tuple(problems) if answer.code == "malformed" else None,
        allowed=answer.allowed,
        **names,
    )
    return JSONResponse(
        refused.model_dump(mode="json", exclude_none=True),
        status,
        media_type="application/problem+json",
    )
