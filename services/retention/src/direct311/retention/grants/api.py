"""Grants of a case over HTTP."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Response
from pydantic import AfterValidator, Field

from direct311.retention.api import CallerOf, Id
from direct311.retention.cases.domain import GrantEnd, GrantState
from direct311.retention.grants.domain import GrantDraft
from direct311.retention.grants.handlers import Granting, ShownGrant
from direct311.runtime.access.rules import Caller
from direct311.runtime.http.api import PROBLEMS, require
from direct311.runtime.parameters import GivenInstant
from direct311.runtime.persons import LONGEST_IDENTIFIER, is_identifier
from direct311.schemas import Instant, Model, RecordId
from direct311.schemas import events as ev
from direct311.schemas.model import Code

LONGEST_ID_TOKEN: Final = 8_000
MOST: Final = ev.MOST_IN_A_GRANT


def _identifier(text: str) -> str:
    if not is_identifier(text):
        raise ValueError("must be the subject of a token")
    return text


FieldName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$", examples=["phone"])]
Reason = Annotated[Code, Field(examples=["scope_changed"])]
Subject = Annotated[
    str,
    Field(min_length=1, max_length=LONGEST_IDENTIFIER, examples=["wanda"]),
    AfterValidator(_identifier),
]
Version = Annotated[int, Field(ge=1, le=2**53 - 1)]


class SearchOrder(Model, extra="forbid"):
    """At most `number` searches of this kind. What is sought is never part of a grant."""

    kind: Code
    number: Annotated[int, Field(ge=1, le=1_000)]


class GrantOrder(Model, extra="forbid"):
    """What may be opened for the case: sealed `fields` and files of these records, and searches.
    `workers`: the subjects of the tokens of those who work with it. `version`: the case's, as you
    have seen it."""

    version: Version
    record_ids: Annotated[tuple[RecordId, ...], Field(max_length=MOST)] = ()
    file_ids: Annotated[tuple[RecordId, ...], Field(max_length=MOST)] = ()
    fields: Annotated[tuple[FieldName, ...], Field(min_length=1, max_length=100)]
    searches: Annotated[tuple[SearchOrder, ...], Field(max_length=20)] = ()
    workers: Annotated[tuple[Subject, ...], Field(min_length=1, max_length=50)]
    valid_until: GivenInstant


class GrantApproval(Model, extra="forbid"):
    """`id_token`: of a sign-in within the last five minutes, with the grant's `nonce`, for the
    client for approvals. `version`: the grant's, as you have seen it."""

    version: Version
    id_token: Annotated[str, Field(min_length=1, max_length=LONGEST_ID_TOKEN)]


class GrantRevocation(Model, extra="forbid"):
    """`reason`: a code, such as `withdrawn` or `scope_changed`. `version`: the grant's, as you have
    seen it."""

    version: Version
    reason: Reason


class ApprovalView(Model):
    """Who approved it in which role, and when."""

    approver: str
    role: str
    approved_at: Instant


class GrantView(Model):
    """A grant. `grant` is exactly what is approved, and `nonce` its hash: compute it on your own
    machine from what you were shown. `missing`: the roles in which somebody must still approve it.
    `version` counts the changes of this grant."""

    grant_id: str
    version: int
    state: GrantState
    grant: ev.DisclosureGrant
    nonce: str
    missing: tuple[str, ...]
    approvals: tuple[ApprovalView, ...]
    approved_at: Instant | None = None
    revoked: GrantEnd | None = None


class CaseGrants(Model):
    """`version`: the case's."""

    case_id: str
    version: int
    grants: tuple[GrantView, ...]


def router(
    granting: Granting, desks: tuple[str, ...], approvers: tuple[str, ...], caller_of: CallerOf
) -> APIRouter:
    """All about grants. `desks`: the roles that prepare them; `approvers`: the roles that approve
    some."""
    api = APIRouter(prefix="/v1/cases/{case_id}/grants", tags=["grants"], responses=PROBLEMS)
    who = Depends(caller_of)
    both = tuple(dict.fromkeys((*desks, *approvers)))

    @api.get("", response_model_exclude_none=True)
    async def list_grants(
        case_id: Id, caller: Annotated[Caller, who], response: Response
    ) -> CaseGrants:
        """The grants of a case, oldest first, for its desk and for those who approve. Opens
        nothing."""
        require(caller, *both)
        response.headers["Cache-Control"] = "no-store"
        version, found = await granting.grants(caller, case_id)
        return CaseGrants(case_id=case_id, version=version, grants=tuple(map(_view, found)))

    @api.post("", status_code=201, response_model_exclude_none=True)
    async def prepare(case_id: Id, body: GrantOrder, caller: Annotated[Caller, who]) -> GrantView:
        """Prepare a grant. It opens nothing until others have approved it. The same call may be
        repeated."""
        require(caller, *desks)
        draft = GrantDraft.model_validate(body.model_dump(exclude={"version"}))
        return _view(await granting.prepare(caller, case_id, body.version, draft))

    @api.post("/{grant_id}/approve", response_model_exclude_none=True)
    async def approve(
        case_id: Id, grant_id: Id, body: GrantApproval, caller: Annotated[Caller, who]
    ) -> GrantView:
        """Approve a grant that somebody else prepared, with the ID token of a fresh sign-in. The
        last approval that it needs puts it into effect. May be repeated."""
        require(caller, *approvers)
        return _view(await granting.approve(caller, case_id, grant_id, body.version, body.id_token))

    @api.post("/{grant_id}/revoke", response_model_exclude_none=True)
    async def revoke(
        case_id: Id, grant_id: Id, body: GrantRevocation, caller: Annotated[Caller, who]
    ) -> GrantView:
        """End a grant at once. May be repeated."""
        require(caller, *both)
        return _view(await granting.revoke(caller, case_id, grant_id, body.version, body.reason))

    return api


def _view(shown: ShownGrant) -> GrantView:
    issued = shown.issued
    return GrantView(
        grant_id=issued.grant.grant_id,
        version=issued.version,
        state=shown.state,
        grant=issued.grant,
        nonce=shown.nonce,
        missing=shown.missing,
        approvals=tuple(
            ApprovalView(
                approver=each.approval.approver,
                role=each.role,
                approved_at=each.approval.approved_at,
            )
            for each in issued.approvals
        ),
        approved_at=issued.approved_at,
        revoked=issued.end,
    )
