"""Boundary sets over HTTP: what is at a point, which sets exist, and importing a new one."""

import asyncio
import json
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request

from direct311.geo.api import STAFF, CallerOf
from direct311.geo.boundaries.domain import (
    LAYER_NAME,
    BoundaryError,
    BoundarySet,
    ImportedSet,
    Located,
)
from direct311.geo.boundaries.handlers import Atlas
from direct311.geo.boundaries.ports import BoundarySets, ReadBoundarySet
from direct311.runtime.access.rules import Caller
from direct311.runtime.errors import RefusedError
from direct311.runtime.http.api import PROBLEMS, require
from direct311.runtime.http.problem_codes import UNREADABLE
from direct311.runtime.text import Line, Title
from direct311.schemas import Instant, Model
from direct311.schemas.model import Latitude, Longitude


class LocatedView(Model):
    """What is at a point. `border_m`: meters to the nearest municipal border, absent if it is far;
    `snapped_m`: how far outside the area the point is. `boundary_sets`: layer → version."""

    where: str
    municipality: str | None = None
    zip_code: str | None = None
    commission_district: str | None = None
    layers: dict[str, str]
    border_m: float | None = None
    snapped_m: float = 0.0
    confidence: float
    approximate: bool
    boundary_sets: dict[str, str]


class SetView(Model):
    """A boundary set. `agreement`: the share of known points that it places correctly."""

    name: str
    version: str
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


class ImportedView(Model):
    """What was imported, and the codes of features that had to be repaired."""

    name: str
    version: str
    approximate: bool
    features: int
    repaired: tuple[str, ...]


def router(atlas: Atlas, caller_of: CallerOf) -> APIRouter:
    """Points over HTTP."""
    api = APIRouter(responses=PROBLEMS, tags=["geo"])
    who = Depends(caller_of)

    @api.get("/locate", response_model_exclude_none=True)
    async def locate(
        caller: Annotated[Caller, who],
        lat: Annotated[Latitude, Query(description="degrees north, WGS 84")],
        lon: Annotated[Longitude, Query(description="degrees east, WGS 84")],
    ) -> LocatedView:
        """What is at a point, according to the boundary sets in force."""
        require(caller, *STAFF)
        return _located(atlas.current().locate(lat, lon))

    return api


def sets_router(
    atlas: Atlas,
    sets: BoundarySets,
    read_set: ReadBoundarySet,
    caller_of: CallerOf,
    max_import_bytes: int,
) -> APIRouter:
    """Lists the sets, and imports one."""
    api = APIRouter(responses=PROBLEMS, tags=["geo"])
    who = Depends(caller_of)

    @api.get("/boundaries")
    async def boundaries(caller: Annotated[Caller, who]) -> SetsView:
        """Every boundary set ever imported, and which sets are in force."""
        require(caller, *STAFF)
        return SetsView(sets=tuple(_set(one) for one in await sets.list()))

    @api.post("/boundaries", status_code=201, openapi_extra=_GEOJSON)
    async def import_boundaries(
        request: Request,
        caller: Annotated[Caller, who],
        name: Annotated[
            str, Query(pattern=f"^{LAYER_NAME.pattern}$", description="municipality, zip, …")
        ],
        source: Annotated[str, Query(max_length=300), Title],
        version: Annotated[str, Query(max_length=60, pattern=r"^[A-Za-z0-9_.-]*$")] = "",
        licence: Annotated[str, Query(max_length=300), Line] = "",
        approximate: bool = False,
    ) -> ImportedView:
        """Put a GeoJSON FeatureCollection in force as the layer `name`, replacing the previous one.

        Requests located earlier keep their location and the version that they cite.
        """
        require(caller, "admin")
        body = await _body(request, max_import_bytes)

        def read() -> BoundarySet:
            try:
                collection = json.loads(body)
            except (ValueError, RecursionError):
                raise RefusedError("unreadable", UNREADABLE) from None
            return read_set(
                collection,
                layer=name,
                label=version,
                source=source,
                licence=licence,
                approximate=approximate,
            )

        try:
            one = await asyncio.to_thread(read)
        except BoundaryError as error:
            place = error.field or ""
            if error.feature is not None:
                place = f"features.{error.feature}.{place}".removesuffix(".")
            raise RefusedError("boundaries", str(error), field=place) from None
        except (ValueError, RecursionError):
            raise RefusedError("boundaries", "This is not a set of polygons.") from None
        await atlas.take(one, caller.sub)
        return ImportedView(
            name=one.layer,
            version=one.version,
            approximate=one.approximate,
            features=len(one.features),
            repaired=one.repaired,
        )

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
            }
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


def _set(one: ImportedSet) -> SetView:
    return SetView(
        name=one.layer,
        version=one.version,
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


def _located(found: Located) -> LocatedView:
    return LocatedView(
        where=found.where,
        municipality=found.municipality,
        zip_code=found.zip_code,
        commission_district=found.commission_district,
        layers=dict(found.layers),
        border_m=None if found.border_m is None else round(found.border_m, 1),
        snapped_m=round(found.snapped_m, 1),
        confidence=found.confidence,
        approximate=found.approximate,
        boundary_sets=dict(found.boundary_sets),
    )
