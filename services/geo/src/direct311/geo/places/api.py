"""Lookup for staff, address lines for intake."""

import asyncio
import json
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from pydantic import Field

from direct311.geo.api import STAFF, CallerOf
from direct311.geo.boundaries.adapters.shapes import read_boundary_set
from direct311.geo.boundaries.api import _GEOJSON, ImportedView, SetsView, _body, _set
from direct311.geo.boundaries.domain import (
    LAYER_NAME,
    BoundaryError,
    BoundarySet,
    Located,
)
from direct311.geo.boundaries.handlers import Atlas
from direct311.geo.boundaries.ports import BoundarySets
from direct311.geo.places.handlers.resolve import Resolver
from direct311.geo.places.ports import Locations
from direct311.runtime.access.rules import Caller
from direct311.runtime.errors import RefusedError
from direct311.runtime.http.api import PROBLEMS, require
from direct311.runtime.text import Line, Title
from direct311.schemas import Model
from direct311.schemas.events import Place
from direct311.schemas.model import Latitude, Longitude


class LocatedView(Model):
    """What lies at a point. `border_m`: metres to the nearest municipal border, absent where it is
    far; `snapped_m`: how far outside the area the point is. `boundary_sets`: layer → version."""

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


class AddressLine(Model):
    """`address_id`, `city`, `zip_code`, `latitude` and `longitude`: what was given beside the line.
    With a point the address is `known` only where it lies near."""

    address: Annotated[str, Field(max_length=1000)]
    address_id: Annotated[str, Field(max_length=200)] | None = None
    city: Annotated[str, Field(max_length=200)] | None = None
    zip_code: Annotated[str, Field(max_length=20)] | None = None
    latitude: Annotated[Latitude, Field(strict=True)] | None = None
    longitude: Annotated[Longitude, Field(strict=True)] | None = None


class AddressView(Model):
    """`address`: the line in its one form, absent where the text is no address; `reason` says why.
    `known`: street and range are known, so that no word of it is only the writer's. `readings`: the
    short forms by which the house is known however it is written, also where the line is no address
    by the book; two addresses that share any mean the same house.

    `latitude` and `longitude` are the best point for it, within `error_m` metres; 0 where the
    position of this very address is known.
    """

    address: str | None = None
    known: bool = False
    readings: tuple[str, ...] = ()
    kind: str
    unit: str | None = None
    city: str | None = None
    zip_code: str | None = None
    confidence: float
    reason: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    error_m: float | None = None


class CountsView(Model):
    total: int
    counts: dict[str, int]


def router(
    atlas: Atlas,
    sets: BoundarySets,
    locations: Locations,
    resolver: Resolver,
    caller_of: CallerOf,
    max_import_bytes: int,
) -> APIRouter:
    """All that geo answers."""
    api = APIRouter(responses=PROBLEMS, tags=["geo"])
    who = Depends(caller_of)

    @api.get("/locate", response_model_exclude_none=True)
    async def locate(
        caller: Annotated[Caller, who],
        lat: Annotated[Latitude, Query(description="degrees north, WGS 84")],
        lon: Annotated[Longitude, Query(description="degrees east, WGS 84")],
    ) -> LocatedView:
        """What lies at a point, by the boundary sets in force."""
        require(caller, *STAFF)
        return _located(atlas.current().locate(lat, lon))

    @api.post("/internal/normalise", response_model_exclude_none=True)
    async def normalise(line: AddressLine, caller: Annotated[Caller, who]) -> AddressView:
        """An address line in its one form, and all readings by which addresses are compared.
        Nothing is kept."""
        require(caller, "service")
        return _address(resolver, line)

    @api.get("/boundaries")
    async def boundaries(caller: Annotated[Caller, who]) -> SetsView:
        """Every boundary set that was ever imported, and which are in force."""
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
        """Put a GeoJSON FeatureCollection in force as the layer `name`, in place of what it was.

        Requests that were located before keep their location and the version that they cite.
        """
        require(caller, "admin")
        body = await _body(request, max_import_bytes)

        def read() -> BoundarySet:
            return read_boundary_set(
                json.loads(body),
                layer=name,
                label=version,
                source=source,
                licence=licence,
                approximate=approximate,
                canonical=resolver.gazette.canonical,
            )

        try:
            one = await asyncio.to_thread(read)
        except BoundaryError as error:
            field = error.field or "body"
            place = field if error.feature is None else f"features.{error.feature}.{field}"
            raise RefusedError(422, "boundaries", str(error), field=place) from None
        except (ValueError, RecursionError):
            raise RefusedError(422, "boundaries", "The body is not JSON.", field="body") from None
        await atlas.take(one, caller.sub)
        return ImportedView(
            name=one.layer,
            version=one.version,
            approximate=one.approximate,
            features=len(one.features),
            repaired=one.repaired,
        )

    @api.get("/v1/counts")
    async def counts(caller: Annotated[Caller, who]) -> CountsView:
        """How many requests were resolved, and how many not."""
        require(caller, *STAFF)
        found = dict(await locations.count())
        return CountsView(total=sum(found.values()), counts=found)

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


def _address(resolver: Resolver, line: AddressLine) -> AddressView:
    place = Place(
        address=line.address,
        address_id=line.address_id,
        municipality=line.city,
        zip_code=line.zip_code,
        latitude=line.latitude,
        longitude=line.longitude,
    )
    read = resolver.read(place)
    said = resolver.resolve(place, read)
    found = read.address
    return AddressView(
        address=said.address,
        known=said.read.known,
        readings=said.read.readings,
        kind=found.kind,
        unit=found.unit,
        city=found.city,
        zip_code=found.zip_code,
        confidence=found.confidence,
        reason=found.reason,
        latitude=said.read.latitude,
        longitude=said.read.longitude,
        error_m=said.read.error_m,
    )
