"""What is at a point, over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from direct311.geo.api import STAFF, CallerOf
from direct311.geo.boundaries.domain import Located
from direct311.geo.boundaries.handlers import Atlas
from direct311.runtime.access.rules import Caller
from direct311.runtime.http.api import PROBLEMS, require
from direct311.schemas import Model
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
