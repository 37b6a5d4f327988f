"""Denials over HTTP: for the desk and the approvers, and for the requester through the gateway."""

from typing import Annotated, Any, Final, Self

from fastapi import APIRouter, Depends, Response
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from direct311.retention.api import CallerOf, Id, only_intake
from direct311.retention.case_file.denials import (
    Denial,
    DenialOutcome,
    DenialReason,
    DenialState,
    DeniedItem,
)
from direct311.retention.cases.domain import CaseRules
from direct311.retention.denials.handlers import Denying, ShownDenial
from direct311.runtime.access.rules import Caller
from direct311.runtime.http.api import PROBLEMS, require
from direct311.runtime.text import Lines
from direct311.schemas import Instant, Model, RecordId
from direct311.schemas.model import Code

LONGEST_ID_TOKEN: Final = 8_000
MOST_ITEMS: Final = 200
Version = Annotated[int, Field(ge=1, le=2**53 - 1, strict=True)]
_BY_LAW: Final[dict[str, Any]] = {
    "oneOf": [
        {
            "properties": {"reason": {"const": "exempt"}, "exemption": {}, "citation": {}},
            "required": ["exemption", "citation"],
        },
        {"properties": {"reason": {"enum": ["not_a_record", "not_held"]}}},
    ]
}


class ItemOrder(Model, extra="forbid", json_schema_extra=_BY_LAW):
    """What is denied, and why. `record_id`: leave it out if it is all that was asked for. `field`:
    leave it out if it is all of the record. If the `reason` is `exempt`, name the law: the code of
    the exemption and its citation."""

    reason: DenialReason
    record_id: RecordId | None = None
    field: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$", examples=["phone"])] | None = (
        None
    )
    exemption: Annotated[Code, Field(examples=["protected_person"])] | None = None
    citation: Annotated[Code, Field(examples=["119.071(4)(d)"])] | None = None

    @model_validator(mode="after")
    def _by_law(self) -> Self:
        named = self.exemption is not None and self.citation is not None
        if named != (self.reason == "exempt") or (self.exemption is None) != (
            self.citation is None
        ):
            raise PydanticCustomError(
                "invalid", "Give exemption and citation for an exempt item, and for no other."
            )
        return self


class DenialOrder(Model, extra="forbid"):
    """`outcome`: `denied` closes the case, `part` lets it go on with the rest. `statement`: what
    the requester is told; it is sealed. `version`: the case's, as you have seen it."""

    version: Version
    outcome: DenialOutcome
    items: Annotated[tuple[ItemOrder, ...], Field(min_length=1, max_length=MOST_ITEMS)]
    statement: Annotated[str, Field(min_length=1, max_length=20_000), Lines]


class DenialApprovalOrder(Model, extra="forbid"):
    """`id_token`: of a sign-in within the last five minutes, with the denial's `nonce`, for the
    client for approvals. `version`: the denial's, as you have seen it."""

    version: Version
    id_token: Annotated[str, Field(min_length=1, max_length=LONGEST_ID_TOKEN)]


class DenialApprovalView(Model):
    """Who approved it in which role, and when."""

    approver: str
    role: str
    approved_at: Instant


class DenialView(Model):
    """A denial. `denial` is exactly what is approved, and `nonce` its hash: compute it on your own
    machine from what you were shown, and compare the SHA-256 of the statement. `missing`: the roles
    in which somebody must still approve it. `version` counts the changes of this denial."""

    denial_id: str
    version: int
    state: DenialState
    denial: dict[str, Any]
    nonce: str
    missing: tuple[str, ...]
    approvals: tuple[DenialApprovalView, ...]
    approved_at: Instant | None = None


class CaseDenialsView(Model):
    """`version`: the case's."""

    case_id: str
    version: int
    denials: tuple[DenialView, ...]


class StatementView(Model):
    """`statement`: in the county's own words."""

    denial_id: str
    outcome: DenialOutcome
    items: tuple[DeniedItem, ...]
    statement: str
    approved_at: Instant | None = None


class StatementQuestion(Model, extra="forbid"):
    """Any text: what cannot be a token gets the answer of a wrong one."""

    token: str


class RequesterStatements(Model):
    """What was denied, oldest first, and by which law. It names no person of the county."""

    case_id: str
    statements: tuple[StatementView, ...]


def router(denying: Denying, rules: CaseRules, caller_of: CallerOf) -> APIRouter:
    """For the desk and the approvers."""
    api = APIRouter(prefix="/v1/cases/{case_id}", tags=["denials"], responses=PROBLEMS)
    who = Depends(caller_of)
    both = tuple(dict.fromkeys((*rules.desks, *rules.deniers)))

    @api.get("/denials", response_model_exclude_none=True)
    async def list_denials(
        case_id: Id, caller: Annotated[Caller, who], response: Response
    ) -> CaseDenialsView:
        """The denials of a case, oldest first, for its desk and for those who approve. Opens
        nothing."""
        require(caller, *both)
        response.headers["Cache-Control"] = "no-store"
        version, found = await denying.denials(caller, case_id)
        return CaseDenialsView(case_id=case_id, version=version, denials=tuple(map(_view, found)))

    @api.post("/denial", status_code=201, response_model_exclude_none=True)
    async def prepare(case_id: Id, body: DenialOrder, caller: Annotated[Caller, who]) -> DenialView:
        """Prepare a denial. It has no effect until others have approved it. The same call may be
        repeated."""
        require(caller, *rules.desks)
        items = [DeniedItem(**dict(each)) for each in body.items]
        return _view(
            await denying.prepare(
                caller, case_id, body.version, body.outcome, items, body.statement
            )
        )

    @api.post("/denials/{denial_id}/approve", response_model_exclude_none=True)
    async def approve(
        case_id: Id, denial_id: Id, body: DenialApprovalOrder, caller: Annotated[Caller, who]
    ) -> DenialView:
        """Approve a denial that somebody else prepared, with the ID token of a fresh sign-in. The
        last approval that it needs puts it into effect. May be repeated."""
        require(caller, *rules.deniers)
        return _view(await denying.approve(caller, case_id, denial_id, body.version, body.id_token))

    @api.get("/denials/{denial_id}/statement", response_model_exclude_none=True)
    async def statement(
        case_id: Id, denial_id: Id, caller: Annotated[Caller, who], response: Response
    ) -> StatementView:
        """A denial with its statement. The access is recorded before it is opened."""
        require(caller, *both)
        response.headers["Cache-Control"] = "no-store"
        found = await denying.statement(caller, case_id, denial_id)
        return _statement(found.denial, found.text)

    return api


def requester_router(denying: Denying, caller_of: CallerOf) -> APIRouter:
    """What the requester asks at the gateway; only for intake, which passes it on."""
    api = APIRouter(prefix="/internal/cases/statement", tags=["internal"], responses=PROBLEMS)
    who = Depends(caller_of)

    @api.post("", response_model_exclude_none=True)
    async def statements(
        body: StatementQuestion, caller: Annotated[Caller, who], response: Response
    ) -> RequesterStatements:
        """The statements of what was denied in the token's case (section 119.07(1)(f), F.S.). The
        access is recorded before they are opened. A wrong token and a case that does not exist any
        more get the same answer."""
        only_intake(caller)
        response.headers["Cache-Control"] = "no-store"
        state, told = await denying.statements(body.token)
        return RequesterStatements(
            case_id=state.record_id,
            statements=tuple(_statement(each.denial, each.text) for each in told),
        )

    return api


def _view(shown: ShownDenial) -> DenialView:
    denial = shown.denial
    return DenialView(
        denial_id=denial.denial_id,
        version=denial.version,
        state=shown.state,
        denial=denial.content,
        nonce=shown.nonce,
        missing=denial.missing if shown.state == "prepared" else (),
        approvals=tuple(
            DenialApprovalView(
                approver=each.approval.approver,
                role=each.role,
                approved_at=each.approval.approved_at,
            )
            for each in denial.approvals
        ),
        approved_at=denial.approved_at,
    )


def _statement(denial: Denial, text: str) -> StatementView:
    return StatementView(
        denial_id=denial.denial_id,
        outcome=denial.outcome,
        items=denial.items,
        statement=text,
        approved_at=denial.approved_at,
    )
