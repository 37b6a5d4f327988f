"""What front ends report about devices, as counts per day."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from direct311.intake.api_types import CallerOf
from direct311.intake.clients.ports import AppCounts
from direct311.runtime.access.roles import ROLES
from direct311.runtime.access.rules import Caller
from direct311.runtime.clock import Clock
from direct311.runtime.errors import FieldProblem, MalformedError
from direct311.runtime.http.api import PROBLEMS, require
from direct311.runtime.parameters import AskedDay
from direct311.schemas import Model, OnDate


class AppCountAnswer(Model):
    """How many submissions from a client's front end reported this on a day (UTC)."""

    day: OnDate
    client_id: str
    field: str
    value: str
    submissions: int


def app_counts_router(counts: AppCounts, caller_of: CallerOf, clock: Clock) -> APIRouter:
    """For staff."""
    api = APIRouter(prefix="/v1", responses=PROBLEMS)
    who = Depends(caller_of)

    @api.get("/app-counts")
    async def app_counts(
        caller: Annotated[Caller, who],
        start: Annotated[AskedDay | None, Query()] = None,
        end: Annotated[AskedDay | None, Query()] = None,
    ) -> list[AppCountAnswer]:
        """What front ends run on, as counts per day: at most 366 days, by default the last 30. The
        counts belong to no request."""
        require(caller, *ROLES.app_counts)
        end = end or clock.now().date()
        start = start or end - timedelta(days=30)
        if not 0 <= (end - start).days <= 366:
            wrong = "start must be at most 366 days before end"
            raise MalformedError([FieldProblem(field="start", detail=wrong)])
        return [AppCountAnswer(**each._asdict()) for each in await counts.between(start, end)]

    return api
