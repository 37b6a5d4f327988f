"""Boundary sets over HTTP: proposing, looking, approving, rejecting, rolling back."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request

from direct311.geo.api import APPROVERS, PROPOSERS, STAFF, CallerOf
from direct311.geo.boundaries.domain import (
    LAYER_NAME,
    BoundaryError,
    BoundarySet,
    Finding,
    ImportedSet,
    SourceFile,
)
from direct311.geo.boundaries.ports import BoundarySets, CheckBoundarySet, ReadBoundarySet, ReadFile
from direct311.geo.boundary_changes.domain import (
    BoundaryVersion,
    Comparison,
    HistoryEntry,
    State,
    set_id_of,
)
from direct311.geo.boundary_changes.handlers.deciding import Decisions
from direct311.geo.boundary_changes.ports import BoundaryVersions
from direct311.geo.places.domain import Areas
from direct311.geo.places.ports import Differences
from direct311.runtime.access import reasons
from direct311.runtime.access.rules import Caller
from direct311.runtime.errors import RefusedError
from direct311.runtime.http.api import PROBLEMS, require
from direct311.runtime.http.problem_codes import UNREADABLE
from direct311.runtime.parameters import GivenInstant
from direct311.runtime.text import Line, Title
from direct311.schemas import Instant, Model, RecordId
from direct311.schemas.model import Sha256

MOST_LISTED = 500
Id = Annotated[RecordId, Path()]


class SetView(Model):
    """A boundary set. `agreement`: the share of known points that it places correctly. `state`: how
    far it is on its way into force; a set from before there were proposals is `in_force` or
    `superseded`."""

    set_id: str
    name: str
    version: str
    state: State
    source: str
    licence: str
    approximate: bool
    agreement: float
    features: int
    repaired: tuple[str, ...]
    imported_by: str
    imported_at: Instant
    in_force: bool


class SetsView(Model):
    sets: tuple[SetView, ...]


class VersionView(Model):
    """A set on its way into force. `checks`: what was found wrong with it. `comparison`: what it
    would change about the stored requests, absent until that was counted. `hash`: what a second
    person approves; it covers the content, the checks and the comparison. `replaces`: the version
    in force before it."""

    set_id: str
    name: str
    version: str
    state: State
    format: str
    projection: str
    checks: tuple[Finding, ...]
    comparison: Comparison | None = None
    hash: Sha256 | None = None
    replaces: str | None = None
    proposed_by: str
    approved_by: str | None = None
    in_force_from: Instant | None = None
    in_force_at: Instant | None = None
    history: tuple[HistoryEntry, ...]


class ProposedView(VersionView):
    """What was proposed, and the codes of features that had to be repaired."""

    approximate: bool
    features: int
    repaired: tuple[str, ...]


class DifferenceView(Model):
    """A stored request that would be in another area."""

    record_id: str
    open: bool
    before: Areas
    after: Areas


class DifferencesView(Model):
    """`next`: give it as `after` for the next page; absent at the end."""

    differences: tuple[DifferenceView, ...]
    next: str | None = None


class Approval(Model, extra="forbid"):
    """`hash`: of the set as it was shown. `in_force_from`: when it comes into force; absent: at
    once."""

    hash: Sha256
    in_force_from: GivenInstant | None = None


class Because(Model, extra="forbid"):
    reason: reasons.Reason


def router(
    decisions: Decisions,
    versions: BoundaryVersions,
    sets: BoundarySets,
    differences: Differences,
    read_file: ReadFile,
    read_set: ReadBoundarySet,
    check: CheckBoundarySet,
    caller_of: CallerOf,
    max_import_bytes: int,
) -> APIRouter:
    """The way of a set into force."""
    api = APIRouter(responses=PROBLEMS, tags=["geo"])
    who = Depends(caller_of)

    @api.get("/boundaries")
    async def boundaries(caller: Annotated[Caller, who]) -> SetsView:
        """Every boundary set ever proposed, and which sets are in force."""
        require(caller, *STAFF)
        states = {each.set_id: each.state for each in await versions.list()}
        return SetsView(sets=tuple(_set(one, states) for one in await sets.list()))

    @api.post("/boundaries", status_code=201, openapi_extra=_GEOJSON)
    async def propose(
        request: Request,
        caller: Annotated[Caller, who],
        name: Annotated[
            str, Query(pattern=f"^{LAYER_NAME.pattern}$", description="municipality, zip, …")
        ],
        source: Annotated[str, Query(max_length=300), Title],
        version: Annotated[str, Query(max_length=60, pattern=r"^[A-Za-z0-9_.-]*$")] = "",
        licence: Annotated[str, Query(max_length=300), Line] = "",
        approximate: bool = False,
        projection: Annotated[
            str | None,
            Query(
                pattern=r"^EPSG:[0-9]{4,6}$",
                description="in place of what the file says, such as EPSG:2236",
            ),
        ] = None,
        table: Annotated[
            str | None, Query(max_length=200, description="the layer of a GeoPackage to read")
        ] = None,
    ) -> ProposedView:
        """Propose a GeoJSON FeatureCollection, a zipped shapefile or a GeoPackage as the layer
        `name`. It is checked, and kept beside the set in force, which stays until another person
        has approved this one. What it would change is counted afterwards. The same file again is
        the same set."""
        require(caller, *PROPOSERS)
        body = await _body(request, max_import_bytes)

        def read() -> tuple[BoundarySet, Sequence[Finding], SourceFile]:
            try:
                file = read_file(body, projection=projection, table=table)
            except BoundaryError:
                raise
            except (ValueError, RecursionError):
                raise RefusedError("unreadable", UNREADABLE) from None
            one = read_set(
                file.document,
                layer=name,
                label=version,
                source=source,
                licence=licence,
                approximate=approximate,
            )
            return one, check(one), file

        try:
            one, findings, file = await asyncio.to_thread(read)
        except BoundaryError as error:
            place = error.field or ""
            if error.feature is not None:
                place = f"features.{error.feature}.{place}".removesuffix(".")
            raise RefusedError("boundaries", f"{name}: {error}", field=place) from None
        except (ValueError, RecursionError):
            raise RefusedError("boundaries", f"{name}: This is not a set of polygons.") from None
        found = await decisions.propose(one, findings, caller.sub, file.format, file.projection)
        return ProposedView(
            **_fields(found),
            approximate=one.approximate,
            features=len(one.features),
            repaired=one.repaired,
        )

    @api.get("/boundaries/{set_id}", response_model_exclude_none=True)
    async def version(set_id: Id, caller: Annotated[Caller, who]) -> VersionView:
        """A set with what the checks found, what it would change, and its history."""
        require(caller, *STAFF)
        return VersionView(**_fields(await decisions.one(set_id)))

    @api.get("/boundaries/{set_id}/differences", response_model_exclude_none=True)
    async def which(
        set_id: Id,
        caller: Annotated[Caller, who],
        after: Annotated[str, Query(max_length=64, pattern=r"^[A-Za-z0-9_-]*$")] = "",
        limit: Annotated[int, Query(ge=1, le=MOST_LISTED)] = 100,
    ) -> DifferencesView:
        """Which stored requests the set puts into another area, by id. Areas only, no position."""
        require(caller, *dict.fromkeys((*PROPOSERS, *APPROVERS)))
        await decisions.one(set_id)
        found = await differences.of_set(set_id, after, limit)
        return DifferencesView(
            differences=tuple(
                DifferenceView(
                    record_id=each.record_id, open=each.open, before=each.before, after=each.after
                )
                for each in found
            ),
            next=found[-1].record_id if len(found) == limit else None,
        )

    @api.post("/boundaries/{set_id}/approval", response_model_exclude_none=True)
    async def approve(
        set_id: Id, approval: Approval, caller: Annotated[Caller, who]
    ) -> VersionView:
        """Approve exactly what was shown, as another person than the one who proposed it. The set
        comes into force at once, or when `in_force_from` has come. Open requests are then resolved
        anew. A repeat by the same person changes nothing."""
        require(caller, *APPROVERS)
        return VersionView(
            **_fields(
                await decisions.approve(set_id, approval.hash, caller.sub, approval.in_force_from)
            )
        )

    @api.post("/boundaries/{set_id}/rejection", response_model_exclude_none=True)
    async def reject(set_id: Id, because: Because, caller: Annotated[Caller, who]) -> VersionView:
        """A set that is not in force yet does not come into force. A repeat changes nothing."""
        require(caller, *APPROVERS)
        return VersionView(**_fields(await decisions.reject(set_id, caller.sub, because.reason)))

    @api.post("/boundaries/{set_id}/rollback", response_model_exclude_none=True)
    async def roll_back(
        set_id: Id, because: Because, caller: Annotated[Caller, who]
    ) -> VersionView:
        """Take the set out of force. The set that it replaced is in force again, at once. A repeat
        changes nothing."""
        require(caller, *APPROVERS)
        return VersionView(**_fields(await decisions.roll_back(set_id, caller.sub, because.reason)))

    return api


_GEOJSON: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/geo+json": {
                "schema": {
                    "type": "object",
                    "description": "FeatureCollection of polygons, RFC 7946",
                    "required": ["type", "features"],
                }
            },
            "application/zip": {
                "schema": {
                    "type": "string",
                    "format": "binary",
                    "description": "a shapefile: .shp, .dbf and .prj",
                }
            },
            "application/geopackage+sqlite3": {"schema": {"type": "string", "format": "binary"}},
        },
    }
}


async def _body(request: Request, limit: int) -> bytes:
    found = bytearray()
    async for part in request.stream():
        found += part
        if len(found) > limit:
            raise RefusedError("too_large", f"A boundary set may have at most {limit} bytes.")
    return bytes(found)


def _set(one: ImportedSet, states: Mapping[str, State]) -> SetView:
    set_id = set_id_of(one.layer, one.version)
    return SetView(
        set_id=set_id,
        name=one.layer,
        version=one.version,
        state="in_force" if one.in_force else states.get(set_id, "superseded"),
        source=one.source,
        licence=one.licence,
        approximate=one.approximate,
        agreement=one.agreement,
        features=one.features,
        repaired=one.repaired,
        imported_by=one.imported_by,
        imported_at=one.imported_at,
        in_force=one.in_force,
    )


def _fields(one: BoundaryVersion) -> dict[str, Any]:
    return {
        "set_id": one.set_id,
        "name": one.layer,
        "version": one.version,
        "state": one.state,
        "format": one.format,
        "projection": one.projection,
        "checks": one.checks,
        "comparison": one.comparison,
        "hash": one.hash,
        "replaces": one.replaces,
        "proposed_by": one.proposed_by,
        "approved_by": one.approved_by,
        "in_force_from": one.in_force_from,
        "in_force_at": one.in_force_at,
        "history": one.history,
    }
