"""The case desk over HTTP."""

from dataclasses import asdict
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import Field

from direct311.retention.api import CallerOf, Id, Limit, only_intake
from direct311.retention.cases.domain import (
    CaseChannel,
    CaseContact,
    CaseDocument,
    CaseFile,
    CaseKind,
    CaseOutcome,
    CaseState,
    CaseStep,
    DocumentKind,
)
from direct311.retention.cases.handlers import CaseDesk, OpenedCase, PublicSubmissions
from direct311.retention.cases.wire import BoundsScope
from direct311.runtime.access.rules import Caller
from direct311.runtime.http.api import PROBLEMS, require
from direct311.runtime.parameters import GivenInstant
from direct311.runtime.text import Line, Lines
from direct311.schemas import Instant, Model, RecordId
from direct311.schemas.model import Code

LARGEST_DOCUMENT: Final = 25 * 1024**2
"""In bytes."""
BYTES: Final[dict[str, Any]] = {
    "application/octet-stream": {"schema": {"type": "string", "format": "binary"}}
}
Sha256 = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$", description="Of the bytes, in hex")]


class RequesterContact(CaseContact, extra="forbid"):
    """How to reach the requester, if the requester said so. It is sealed, and used for this case
    only. `badge`, `agency`: of an officer, as they say."""

    name: Annotated[str, Field(min_length=1, max_length=200), Line] | None = None
    badge: Annotated[str, Field(min_length=1, max_length=60), Line] | None = None
    agency: Annotated[str, Field(min_length=1, max_length=200), Line] | None = None
    email: Annotated[str, Field(min_length=1, max_length=320), Line] | None = None
    phone: Annotated[str, Field(min_length=1, max_length=40), Line] | None = None
    address: Annotated[str, Field(min_length=1, max_length=300), Line] | None = None


class CaseOrder(Model, extra="forbid"):
    """`request`: in the requester's own words. `received_at`: when it was received; now, if it is
    left out. `bounds`: within what the case stops destruction; without them it stops all. Nobody
    has to say who they are, or why they ask."""

    kind: CaseKind
    request: Annotated[str, Field(min_length=1, max_length=20_000), Lines]
    contact: RequesterContact | None = None
    received_at: GivenInstant | None = None
    bounds: BoundsScope | None = None


class PublicOrder(Model, extra="forbid"):
    """A request that somebody submitted at the gateway. `key`: random, chosen by the sender."""

    key: Annotated[str, Field(min_length=16, max_length=200)]
    request: Annotated[str, Field(min_length=1, max_length=20_000), Lines]
    contact: RequesterContact | None = None


class SubmittedView(Model):
    """`token` opens the state of this case, for its requester. It is not stored here. `repeated`:
    the case was opened before."""

    case_id: str
    received_at: Instant
    token: str
    repeated: bool


class TokenQuestion(Model, extra="forbid"):
    """Any text: what cannot be a token gets the answer of a wrong one."""

    token: str


class ProgressView(Model):
    """Nothing that was sealed, and nobody's name. `age_days`, `days_without_act`: whole days since
    the receipt, and since `last_step`."""

    case_id: str
    state: CaseState
    outcome: CaseOutcome | None = None
    received_at: Instant
    age_days: int
    days_without_act: int
    last_step: CaseStep
    last_step_at: Instant


class CaseClosing(Model, extra="forbid"):
    """`withdrawn`: the requester took the request back. `unclear`: a question back has no answer.
    `no_records`: none was found where was searched. `unpaid`: what was to be paid was not. `full`,
    `part`, `denied`: all, some or none of what was found was released."""

    outcome: CaseOutcome


class CaseReopening(Model, extra="forbid"):
    """`reason`: a code, such as `requester_wrote`. `bounds`: within what the case stops destruction
    from now on; without them, within its earlier ones. The records of its holds are always in
    them."""

    reason: Annotated[Code, Field(examples=["requester_wrote"])]
    bounds: BoundsScope | None = None


class CaseView(Model):
    """A case without anything that was sealed. `documents`: letters and instruments, by the
    SHA-256 of the bytes that came. `channel`: `public` if it came through the gateway."""

    case_id: str
    kind: CaseKind
    state: CaseState
    outcome: CaseOutcome | None = None
    version: int
    received_at: Instant
    closed_at: Instant | None = None
    opened_by: str
    channel: CaseChannel | None = None
    documents: tuple[CaseDocument, ...]


class GrantLine(Model):
    """A grant of the case; `GET …/grants` shows all of it."""

    grant_id: str
    valid_until: Instant
    approved_at: Instant | None = None
    revoked_at: Instant | None = None


class OpenedCaseView(CaseView):
    """`request`: in the requester's own words. `contact`: absent if the requester left none."""

    request: str
    contact: CaseContact | None = None
    grants: tuple[GrantLine, ...]


class CasePage(Model):
    cases: tuple[CaseView, ...]
    next: str | None = None


def router(desk: CaseDesk, desks: tuple[str, ...], caller_of: CallerOf) -> APIRouter:
    """All about cases. `desks`: the roles that have one."""
    api = APIRouter(prefix="/v1/cases", tags=["cases"], responses=PROBLEMS)
    who = Depends(caller_of)

    @api.post("", status_code=201, response_model_exclude_none=True)
    async def open_case(body: CaseOrder, caller: Annotated[Caller, who]) -> CaseView:
        """Open a case for a request that was received. What the requester wrote is sealed under a
        key of this case. It stops the destruction of records until its records are identified."""
        require(caller, *desks)
        bounds = body.bounds.bounds() if body.bounds else None
        return _view(
            await desk.open_case(
                caller, body.kind, body.request, body.contact, body.received_at, bounds=bounds
            )
        )

    @api.get("", response_model_exclude_none=True)
    async def list_cases(
        caller: Annotated[Caller, who],
        cursor: Annotated[RecordId | None, Query()] = None,
        limit: Limit = 100,
    ) -> CasePage:
        """The cases at your desk, oldest first. Opens nothing."""
        require(caller, *desks)
        found = await desk.list_cases(caller, cursor, limit + 1)
        page = found[:limit]
        return CasePage(
            cases=tuple(_view(each) for each in page),
            next=page[-1].record_id if len(found) > limit else None,
        )

    @api.get("/{case_id}", response_model_exclude_none=True)
    async def read_case(
        case_id: Id, caller: Annotated[Caller, who], response: Response
    ) -> OpenedCaseView:
        """A case with what its requester wrote. The access is recorded, with the number of the case
        as its reference, before anything is opened."""
        require(caller, *desks)
        response.headers["Cache-Control"] = "no-store"
        return _opened(await desk.read_case(caller, case_id))

    @api.put(
        "/{case_id}/documents/{sha256}",
        max_body_size=LARGEST_DOCUMENT,
        response_model_exclude_none=True,
        openapi_extra={"requestBody": {"required": True, "content": BYTES}},
    )
    async def deposit(
        case_id: Id,
        sha256: Sha256,
        kind: Annotated[DocumentKind, Query()],
        request: Request,
        caller: Annotated[Caller, who],
    ) -> CaseView:
        """Put a letter or an instrument into a case file: its bytes as they came, at most 25 MB.
        They are sealed and never parsed. May be repeated."""
        require(caller, *desks)
        return _view(await desk.deposit(caller, case_id, kind, sha256, await request.body()))

    @api.get(
        "/{case_id}/documents/{sha256}",
        response_class=Response,
        responses={200: {"content": BYTES}},
    )
    async def read_document(
        case_id: Id, sha256: Sha256, caller: Annotated[Caller, who]
    ) -> Response:
        """A letter or an instrument as it came. The access is recorded before it is opened."""
        require(caller, *desks)
        return Response(
            await desk.read_document(caller, case_id, sha256),
            media_type="application/octet-stream",
            headers={
                "Cache-Control": "no-store",
                "Content-Disposition": f'attachment; filename="{sha256}"',
                "X-Content-Type-Options": "nosniff",
            },
        )

    @api.post("/{case_id}/close", response_model_exclude_none=True)
    async def close(case_id: Id, body: CaseClosing, caller: Annotated[Caller, who]) -> CaseView:
        """Close a case. May be repeated. Except for `withdrawn`, `unclear` and `no_records`, the
        records that were asked for must have their hold."""
        require(caller, *desks)
        return _view(await desk.close(caller, case_id, body.outcome))

    @api.post("/{case_id}/reopening", response_model_exclude_none=True)
    async def reopen(case_id: Id, body: CaseReopening, caller: Annotated[Caller, who]) -> CaseView:
        """Open a closed case again, at its scope. It stops the destruction of records from then on,
        as a new case does. May be repeated."""
        require(caller, *desks)
        bounds = body.bounds.bounds() if body.bounds else None
        return _view(await desk.reopen(caller, case_id, body.reason, bounds))

    return api


def public_router(submissions: PublicSubmissions, caller_of: CallerOf) -> APIRouter:
    """What the public asks at the gateway; only for intake, which passes it on."""
    api = APIRouter(prefix="/internal/cases", tags=["internal"], responses=PROBLEMS)
    who = Depends(caller_of)

    @api.post(
        "",
        status_code=201,
        responses={200: {"model": SubmittedView, "description": "It was opened before"}},
    )
    async def submit(
        body: PublicOrder, caller: Annotated[Caller, who], response: Response
    ) -> SubmittedView:
        """Open a public-records case and acknowledge it, in one write. What the requester wrote is
        sealed. The same request under the same key opens one case (200), and each answer has a
        token of its own."""
        only_intake(caller)
        done = await submissions.submit(caller, body.key, body.request, body.contact)
        response.headers["Cache-Control"] = "no-store"
        if done.repeated:
            response.status_code = 200
        return SubmittedView(**asdict(done))

    @api.post("/status", response_model_exclude_none=True)
    async def status(
        body: TokenQuestion, caller: Annotated[Caller, who], response: Response
    ) -> ProgressView:
        """The state of the case that has this token. Opens nothing. A wrong token and a case that
        does not exist any more get the same answer."""
        only_intake(caller)
        response.headers["Cache-Control"] = "no-store"
        return ProgressView(**asdict(await submissions.progress(body.token)))

    return api


def _view(file: CaseFile) -> CaseView:
    return CaseView(
        case_id=file.record_id,
        **file.model_dump(exclude={"sealed", "grants", "charges", "denials"}),
    )


def _opened(case: OpenedCase) -> OpenedCaseView:
    return OpenedCaseView(
        **_view(case.file).model_dump(),
        request=case.request,
        contact=case.contact,
        grants=tuple(
            GrantLine(
                grant_id=each.grant.grant_id,
                valid_until=each.grant.valid_until,
                approved_at=each.approved_at,
                revoked_at=each.end.revoked_at if each.end else None,
            )
            for each in case.file.grants
        ),
    )
