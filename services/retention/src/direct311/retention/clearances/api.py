"""Leaks that stopped a build, and their clearances, over HTTP."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Path, Response
from pydantic import Field

from direct311.retention.api import CallerOf, Id
from direct311.retention.case_file.clearances import Clearance, LeakHit
from direct311.retention.cases.domain import CaseFile, CaseRules
from direct311.retention.clearances.handlers import Clearing
from direct311.runtime.access.rules import Caller
from direct311.runtime.http.api import PROBLEMS, require
from direct311.schemas import Instant, Model
from direct311.schemas.model import Code

LONGEST_ID_TOKEN: Final = 8_000
LeakId = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$", description="Of the leak, in hex")]


class LeakView(Model):
    """All places of one entry with values of one kind that one record withholds, or an entry that
    cannot be searched (`not_extractable`). `leak_id`: by which it is cleared; absent if it cannot
    be. `entry`: absent if something was found in its name. The value is never here."""

    leak_id: str | None = None
    number: int
    entry: str | None = None
    record_id: str | None = None
    kind: str
    places: int


class ClearanceView(LeakView):
    """Who cleared it, in which role, for which reason."""

    reason: str
    cleared_by: str
    role: str
    cleared_at: Instant


class CaseLeaksView(Model):
    """`leaks`: what stopped the newest build that was stopped, and nobody has cleared; `total` is
    how many the build had in all. `cleared`: every leak of the case that was cleared, oldest first.
    `reasons`: the codes that a clearance may give."""

    case_id: str
    version: int
    total: int
    stopped_at: Instant | None = None
    leaks: tuple[LeakView, ...]
    cleared: tuple[ClearanceView, ...]
    reasons: tuple[str, ...]


class ClearanceOrder(Model, extra="forbid"):
    """`reason`: a code from `reasons`. `id_token`: of a sign-in within the last five minutes, for
    the client for approvals, whose nonce is the hash of case, leak and reason."""

    reason: Annotated[Code, Field(examples=["other_person"])]
    id_token: Annotated[str, Field(min_length=1, max_length=LONGEST_ID_TOKEN)]


def router(clearing: Clearing, rules: CaseRules, caller_of: CallerOf) -> APIRouter:
    """For the desk and for those who clear."""
    api = APIRouter(prefix="/v1/cases/{case_id}/leaks", tags=["packages"], responses=PROBLEMS)
    who = Depends(caller_of)
    both = tuple(dict.fromkeys((*rules.desks, *rules.clearers)))

    @api.get("", response_model_exclude_none=True)
    async def leaks(
        case_id: Id, caller: Annotated[Caller, who], response: Response
    ) -> CaseLeaksView:
        """What stopped the newest build that was stopped, and what was cleared. Opens nothing."""
        require(caller, *both)
        response.headers["Cache-Control"] = "no-store"
        return _view(await clearing.leaks(caller, case_id), rules)

    @api.post("/{leak_id}/clearance", response_model_exclude_none=True)
    async def clear(
        case_id: Id, leak_id: LeakId, body: ClearanceOrder, caller: Annotated[Caller, who]
    ) -> CaseLeaksView:
        """Clear a leak that is none, with the ID token of a fresh sign-in. May be repeated."""
        require(caller, *rules.clearers)
        found = await clearing.clear(caller, case_id, leak_id, body.reason, body.id_token)
        return _view(found, rules)

    return api


def _view(state: CaseFile, rules: CaseRules) -> CaseLeaksView:
    stopped = state.clearances.stopped
    return CaseLeaksView(
        case_id=state.record_id,
        version=state.version,
        total=stopped.leaks if stopped else 0,
        stopped_at=stopped.stopped_at if stopped else None,
        leaks=tuple(LeakView(**_said(each)) for each in state.clearances.open),
        cleared=tuple(map(_cleared, state.clearances.cleared)),
        reasons=rules.clear_reasons,
    )


def _cleared(each: Clearance) -> ClearanceView:
    return ClearanceView(
        **_said(each.hit),
        reason=each.reason,
        cleared_by=each.approval.approver,
        role=each.role,
        cleared_at=each.approval.approved_at,
    )


def _said(hit: LeakHit) -> dict[str, object]:
    return {**dict(hit), "leak_id": hit.leak_id or None}
