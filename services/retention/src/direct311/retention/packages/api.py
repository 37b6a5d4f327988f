"""Collecting, building, approving and releasing over HTTP."""

from collections.abc import Sequence
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Request, Response
from pydantic import Field

from direct311.retention.api import CallerOf, Id
from direct311.retention.case_file.packages import PackageState
from direct311.retention.cases.domain import CaseFile, CaseRules, CaseState
from direct311.retention.packages.handlers.building import Building
from direct311.retention.packages.handlers.collecting import Collecting
from direct311.retention.packages.handlers.releasing import (
    FetchedPackage,
    Releasing,
    ShownPackage,
)
from direct311.runtime.access.rules import Caller
from direct311.runtime.errors import RefusedError
from direct311.runtime.http.api import PROBLEMS, require
from direct311.runtime.http.downloads import Download
from direct311.schemas import Instant, Model, RecordId

LONGEST_ID_TOKEN: Final = 8_000
ZIP: Final[dict[str, Any]] = {"application/zip": {"schema": {"type": "string", "format": "binary"}}}
INTAKE: Final = "svc:intake"
"""The gateway, the only service that the public calls."""
Sha256 = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$", description="Of the package, in hex")]
Version = Annotated[int, Field(ge=1, le=2**53 - 1)]


class CollectionOrder(Model, extra="forbid"):
    """`after`: go on after this record; the answer before has it as `next`. `again`: ask also for
    those that were collected before and have not gone out."""

    after: RecordId | None = None
    # Strict, as a 1 is no decision.
    again: Annotated[bool, Field(strict=True)] = False


class NotCollectedView(Model):
    """`reason`: `not_reviewed` (an item or a file is undecided), `changed` (after its review),
    `not_granted`, `unknown_record`, `files_arriving` (media has not said yet whether it keeps a
    file), `marks` (they do not agree with the exemption log) or `unavailable` (an owner does not
    answer now)."""

    record_id: str
    reason: str


class CollectionView(Model):
    """What one call did: it `asked` for so many records, and has something new (`fresh`) of so
    many. `collected` and `remaining` count all records of the case. While there is a `next`, call
    again with it as `after`."""

    case_id: str
    version: int
    state: CaseState
    asked: int
    fresh: int
    collected: int
    remaining: int
    next: str | None = None
    not_collected: tuple[NotCollectedView, ...]


class PackageOrder(Model, extra="forbid"):
    """`version`: the case's, as you have seen it. `partial`: also if not everything is
    collected."""

    version: Version
    partial: Annotated[bool, Field(strict=True)] = False


class PackageApprovalOrder(Model, extra="forbid"):
    """`id_token`: of a sign-in within the last five minutes, with the package's `nonce`, for the
    client for approvals."""

    id_token: Annotated[str, Field(min_length=1, max_length=LONGEST_ID_TOKEN)]


class PackageApprovalView(Model):
    """Who approved it in which role, and when."""

    approver: str
    role: str
    approved_at: Instant


class PackageView(Model):
    """A package. `sha256`: of its bytes, which is what others approve; fetch it and compute the
    hash on your own machine. `nonce` follows from the case and that hash. `missing`: the roles in
    which somebody must still approve it. `state`: `replaced` if something was collected or built
    after it. `withheld`: how many items are withheld in it. `cleared`: how many leaks that were
    found in it were cleared."""

    sha256: str
    size: int
    state: PackageState
    partial: bool
    records: int
    withheld: int
    cleared: int = 0
    built_by: str
    built_at: Instant
    nonce: str
    missing: tuple[str, ...]
    approvals: tuple[PackageApprovalView, ...]
    released_by: str | None = None
    released_at: Instant | None = None


class CasePackagesView(Model):
    """`version`, `state`: the case's. Packages are oldest first."""

    case_id: str
    version: int
    state: CaseState
    packages: tuple[PackageView, ...]


class PackageQuestion(Model, extra="forbid"):
    """`token`: any text; what cannot be a token gets the answer of a wrong one. `number`: which of
    the released packages, from 1; the newest if it is left out."""

    token: str
    number: Annotated[int, Field(ge=1, le=1_000)] | None = None


def router(
    collecting: Collecting,
    building: Building,
    releasing: Releasing,
    rules: CaseRules,
    caller_of: CallerOf,
) -> APIRouter:
    """All about packages, for desks and for those who approve."""
    api = APIRouter(prefix="/v1/cases/{case_id}", tags=["packages"], responses=PROBLEMS)
    who = Depends(caller_of)
    both = tuple(dict.fromkeys((*rules.desks, *rules.releasers, *rules.handing_out)))

    @api.post("/collection", response_model_exclude_none=True)
    async def collect(
        case_id: Id, body: CollectionOrder, request: Request, caller: Annotated[Caller, who]
    ) -> CollectionView:
        """Collect the next records of the case, up to 50, from their owners, who check your grant
        again. May be repeated: what was collected is not asked for again."""
        require(caller, *rules.desks)
        done = await collecting(
            caller,
            request.headers.get("authorization", ""),
            case_id,
            after=body.after,
            again=body.again,
        )
        return CollectionView(
            case_id=case_id,
            version=done.case.version,
            state=done.case.state,
            asked=done.asked,
            fresh=done.fresh,
            collected=done.collected,
            remaining=done.remaining,
            next=done.next,
            not_collected=tuple(
                NotCollectedView(record_id=each.record_id, reason=each.reason)
                for each in done.not_collected
            ),
        )

    @api.get("/packages", response_model_exclude_none=True)
    async def list_packages(
        case_id: Id, caller: Annotated[Caller, who], response: Response
    ) -> CasePackagesView:
        """The packages of a case, oldest first. Opens nothing."""
        require(caller, *both)
        response.headers["Cache-Control"] = "no-store"
        return _packages(*await releasing.packages(caller, case_id))

    @api.post("/packages", status_code=201, response_model_exclude_none=True)
    async def build(
        case_id: Id, body: PackageOrder, request: Request, caller: Annotated[Caller, who]
    ) -> CasePackagesView:
        """Build the package of all that was collected and has not gone out. The same decisions give
        the same bytes. What the owners withhold is looked for in all of it first. The same call may
        be repeated."""
        require(caller, *rules.desks)
        await building(
            caller,
            request.headers.get("authorization", ""),
            case_id,
            body.version,
            partial=body.partial,
        )
        return _packages(*await releasing.packages(caller, case_id))

    @api.post("/packages/{sha256}/approve", response_model_exclude_none=True)
    async def approve(
        case_id: Id, sha256: Sha256, body: PackageApprovalOrder, caller: Annotated[Caller, who]
    ) -> PackageView:
        """Approve the package that has this hash and that somebody else built, with the ID token of
        a fresh sign-in. May be repeated."""
        require(caller, *rules.releasers)
        return _view((await releasing.approve(caller, case_id, sha256, body.id_token))[1])

    @api.post("/packages/{sha256}/release", response_model_exclude_none=True)
    async def release(case_id: Id, sha256: Sha256, caller: Annotated[Caller, who]) -> PackageView:
        """Release the approved package to its recipient. For law enforcement a third person does
        that, after the desk has encrypted it. May be repeated; it goes out once."""
        require(caller, *rules.handing_out)
        return _view((await releasing.release(caller, case_id, sha256))[1])

    @api.get("/packages/{sha256}", response_class=Response, responses={200: {"content": ZIP}})
    async def fetch(case_id: Id, sha256: Sha256, caller: Annotated[Caller, who]) -> Response:
        """The bytes of a package. The access is recorded before it is opened."""
        require(caller, *both)
        return _zip(await releasing.fetch(caller, case_id, sha256))

    return api


def public_router(releasing: Releasing, caller_of: CallerOf) -> APIRouter:
    """What the public fetches at the gateway; only for intake, which passes it on."""
    api = APIRouter(prefix="/internal/cases", tags=["internal"], responses=PROBLEMS)
    who = Depends(caller_of)

    @api.post("/package", response_class=Response, responses={200: {"content": ZIP}})
    async def fetch(body: PackageQuestion, caller: Annotated[Caller, who]) -> Response:
        """The bytes of a package that was released to the requester with this token. The access is
        recorded before it is opened. A wrong token and a case that does not exist any more get the
        same answer."""
        require(caller, "service")
        if caller.sub != INTAKE or caller.via is not None:
            raise RefusedError(
                "caller", "Only the intake service may pass on the public's requests."
            )
        found = await releasing.fetch_by_token(caller, body.token, body.number)
        answer = _zip(found)
        answer.headers["X-Package-Number"] = str(found.number)
        answer.headers["X-Packages"] = str(found.of)
        return answer

    return api


def _zip(found: FetchedPackage) -> Response:
    return Download(
        found.content,
        media_type="application/zip",
        headers={
            "Cache-Control": "no-store",
            "Content-Length": str(found.size),
            "Content-Disposition": f'attachment; filename="{found.sha256}.zip"',
            "X-Content-Type-Options": "nosniff",
            "X-Package-SHA256": found.sha256,
        },
    )


def _packages(state: CaseFile, found: Sequence[ShownPackage]) -> CasePackagesView:
    return CasePackagesView(
        case_id=state.record_id,
        version=state.version,
        state=state.state,
        packages=tuple(map(_view, found)),
    )


def _view(shown: ShownPackage) -> PackageView:
    package = shown.package
    return PackageView(
        sha256=package.sha256,
        size=package.size,
        state=shown.state,
        partial=package.partial,
        records=package.records,
        withheld=package.withheld,
        cleared=package.cleared,
        built_by=package.built_by,
        built_at=package.built_at,
        nonce=shown.nonce,
        missing=shown.missing,
        approvals=tuple(
            PackageApprovalView(
                approver=each.approval.approver,
                role=each.role,
                approved_at=each.approval.approved_at,
            )
            for each in package.approvals
        ),
        released_by=package.released_by,
        released_at=package.released_at,
    )
