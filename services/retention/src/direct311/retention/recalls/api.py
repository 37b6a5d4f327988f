"""Recalling a package over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path
from pydantic import Field

from direct311.retention.api import CallerOf, Id
from direct311.retention.cases.domain import CaseRules, CaseState
from direct311.retention.recalls.handlers import Recalling
from direct311.runtime.access.rules import Caller
from direct311.runtime.http.api import PROBLEMS, require
from direct311.schemas import Instant, Model
from direct311.schemas.model import Code

Sha256 = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$", description="Of the package, in hex")]


class RecallOrder(Model, extra="forbid"):
    """`reason`: a code, such as `wrong_record`."""

    reason: Annotated[Code, Field(examples=["wrong_record"])]


class RecalledView(Model):
    """A package that nobody fetches any more by the token of the case."""

    case_id: str
    version: int
    state: CaseState
    sha256: str
    released_at: Instant | None
    recalled_by: str | None
    recalled_at: Instant | None


def router(recall: Recalling, rules: CaseRules, caller_of: CallerOf) -> APIRouter:
    """For those who build and approve packages."""
    api = APIRouter(prefix="/v1/cases/{case_id}", tags=["cases"], responses=PROBLEMS)
    who = Depends(caller_of)
    roles = tuple(dict.fromkeys((*rules.desks, *rules.releasers)))

    @api.post("/packages/{sha256}/recall")
    async def recall_package(
        case_id: Id, sha256: Sha256, body: RecallOrder, caller: Annotated[Caller, who]
    ) -> RecalledView:
        """Recall a package that went out wrongly: from now on the token of the case answers 410
        `recalled`. Its records are collected anew for the next package. What somebody has fetched
        before is in the access log. May be repeated; it happens once."""
        require(caller, *roles)
        state, package = await recall(caller, case_id, sha256, body.reason)
        return RecalledView(
            case_id=state.record_id,
            version=state.version,
            state=state.state,
            sha256=package.sha256,
            released_at=package.released_at,
            recalled_by=package.recalled_by,
            recalled_at=package.recalled_at,
        )

    return api
