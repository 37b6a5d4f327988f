"""`GET /v1/approvals`: what waits for the caller's approval."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from direct311.retention.api import CallerOf, Limit
from direct311.retention.approvals.domain import What
from direct311.retention.approvals.handlers import WaitingApprovals
from direct311.retention.cases.domain import CaseKind
from direct311.runtime.access.rules import Caller
from direct311.runtime.http.api import PROBLEMS, require
from direct311.schemas import Instant, Model


class WaitingView(Model):
    """`what`: a grant, a denial, a package, leaks that stopped a build, the release of an approved
    package, or the release of a hold. `number`: of the grant, the denial or the hold, or the hash
    of the package; absent for leaks. `case_id`: absent for a hold without a case. `kind` is absent
    for a hold. `roles`: in which of your roles you may approve it. `since`: from when it waits;
    `age_days`: for how many whole days."""

    what: What
    case_id: str | None = None
    kind: CaseKind | None = None
    number: str | None = None
    roles: tuple[str, ...]
    prepared_by: str | None = None
    since: Instant
    age_days: int


class ApprovalsView(Model):
    """The longest waiting first. `total`: how many wait for you. `complete`: false if there are
    more open cases, or holds, than one call looks at."""

    approvals: tuple[WaitingView, ...]
    total: int
    complete: bool


def router(waiting: WaitingApprovals, caller_of: CallerOf) -> APIRouter:
    """For everybody who approves or releases something."""
    api = APIRouter(prefix="/v1", tags=["cases"], responses=PROBLEMS)
    who = Depends(caller_of)

    @api.get("/approvals", response_model_exclude_none=True)
    async def approvals(
        caller: Annotated[Caller, who], response: Response, limit: Limit = 100
    ) -> ApprovalsView:
        """What you may approve now, over all cases: nothing that you prepared or have approved, and
        nothing that needs somebody else's role. A law-enforcement case is there only for those who
        decide in it. Opens nothing."""
        require(caller, *waiting.approvers)
        response.headers["Cache-Control"] = "no-store"
        found = await waiting.waiting(caller, limit)
        return ApprovalsView(
            approvals=tuple(
                WaitingView(
                    what=each.what,
                    case_id=each.case_id,
                    kind=each.kind,
                    number=each.number,
                    roles=each.roles,
                    prepared_by=each.prepared_by,
                    since=each.since,
                    age_days=age.days,
                )
                for each, age in found.waiting
            ),
            total=found.total,
            complete=found.complete,
        )

    return api
