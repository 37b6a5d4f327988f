"""Address lines for intake, and counts."""

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import Field

from direct311.geo.api import STAFF, CallerOf
from direct311.geo.places.handlers.resolve import Resolver
from direct311.geo.places.ports import Locations
from direct311.runtime.access.rules import Caller
from direct311.runtime.http.api import PROBLEMS, require
from direct311.schemas import Model
from direct311.schemas.events import Place
from direct311.schemas.model import Latitude, Longitude


class AddressLine(Model):
    """`address_id`, `city`, `zip_code`, `latitude` and `longitude`: what was given with the line.
    With a point, the address is `known` only if it is near."""

    address: Annotated[str, Field(max_length=1000)]
    address_id: Annotated[str, Field(max_length=200)] | None = None
    city: Annotated[str, Field(max_length=200)] | None = None
    zip_code: Annotated[str, Field(max_length=20)] | None = None
    latitude: Annotated[Latitude, Field(strict=True)] | None = None
    longitude: Annotated[Longitude, Field(strict=True)] | None = None


class AddressView(Model):
    """`address`: the normalized line, absent if the text is not an address; `reason` says why.
    `known`: street and range are known, so none of its words come only from the writer. `readings`:
    short forms that identify the house however its address is written, even if the line is not a
    proper address; two addresses that share any reading mean the same house.

    `latitude` and `longitude` are the best point for it, within `error_m` meters; 0 if the position
    of this exact address is known.
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


def router(resolver: Resolver, caller_of: CallerOf) -> APIRouter:
    """Address lines, for intake."""
    api = APIRouter(responses=PROBLEMS, tags=["geo"])
    who = Depends(caller_of)

    @api.post("/internal/normalise", response_model_exclude_none=True)
    async def normalise(line: AddressLine, caller: Annotated[Caller, who]) -> AddressView:
        """A normalized address line, and all readings used to compare addresses. Nothing is
        stored."""
        require(caller, "service")
        return _address(resolver, line)

    return api


def counts_router(locations: Locations, caller_of: CallerOf) -> APIRouter:
    """How requests were resolved."""
    api = APIRouter(responses=PROBLEMS, tags=["geo"])
    who = Depends(caller_of)

    @api.get("/v1/counts")
    async def counts(caller: Annotated[Caller, who]) -> CountsView:
        """How many requests were resolved, and how many not."""
        require(caller, *STAFF)
        found = dict(await locations.count())
        return CountsView(total=sum(found.values()), counts=found)

    return api


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
