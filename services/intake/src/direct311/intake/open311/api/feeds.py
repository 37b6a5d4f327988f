"""Open requests of an area, for everybody: near a place, as GeoJSON, as an Atom feed.

No cache may keep the answers, just as no cache may keep the lists: a protection takes effect as
soon as its call is answered, and a cached answer would still show the place.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Header, Query, Response
from pydantic import Field

from direct311.intake.catalogue.domain.types import Catalogue
from direct311.intake.language import Language, preferred
from direct311.intake.open311.domain import Box, RequestQuery
from direct311.intake.open311.ports import PublicRequests
from direct311.intake.open311.wire import feeds, views
from direct311.intake.open311.wire.queries import OPEN
from direct311.intake.open311.wire.render import Tree
from direct311.intake.request import ServiceRequest
from direct311.intake.settings import IntakeSettings
from direct311.intake.submission.handlers.agreement import Agreement
from direct311.runtime.clock import Clock
from direct311.runtime.errors import FieldProblem, MalformedError
from direct311.runtime.http.api import PROBLEMS
from direct311.runtime.pacing import paced
from direct311.runtime.parameters import read_number
from direct311.schemas import Instant, Model, OnDate

NEAR = 150.0
"""Metres."""
MOST_NEAR = 20
WIDEST = 0.1
"""The longest side of a box, in degrees: about 11 km by 10 km."""
OLDEST = timedelta(days=366)
"""The oldest open requests that are shown, by when they were received."""
MOST_ROWS = 500
GEOJSON_ROWS = 200
ATOM_ROWS = 100
"""For feeds if no `limit` is sent."""
MOST_CODES = 50


class NearbyRequest(Model):
    """An open request near the place. `metres`: how far away it is. `description`: only for types
    whose text is public. `due_on`: the day by which it should be done."""

    service_request_id: str
    service_code: str
    service_name: str | None
    status_notes: str | None
    description: str | None
    address: str | None
    lat: float
    long: float
    metres: Annotated[int, Field(ge=0)]
    received_at: Instant
    due_on: OnDate | None
    media_url: str | None


class NearbyAnswer(Model):
    """The nearest first."""

    requests: tuple[NearbyRequest, ...]


Area = Annotated[
    str,
    Query(
        max_length=200,
        description=f"west,south,east,north in degrees; at most {WIDEST} wide and high",
        examples=["-80.40,25.60,-80.35,25.65"],
    ),
]
Codes = Annotated[
    str | None, Query(max_length=2200, description="Service codes, separated by commas")
]
Limit = Annotated[int, Query(ge=1, le=MOST_ROWS)]


def feeds_router(
    settings: IntakeSettings,
    requests: PublicRequests,
    catalogues: Mapping[Language, Catalogue],
    agreement: Agreement,
    clock: Clock,
) -> APIRouter:
    api = APIRouter(
        prefix="/v1",
        responses={status: PROBLEMS[status] for status in (422, 429, 503)},
        tags=["open requests"],
    )
    catalogue = catalogues["en"]
    address = settings.public_url.rstrip("/")

    async def open_in(
        box: Box, codes: tuple[str, ...], limit: int, language: Language = "en"
    ) -> list[tuple[ServiceRequest, Tree]]:
        now = clock.now()
        query = RequestQuery(
            start=now - OLDEST,
            end=now,
            service_codes=codes,
            statuses=OPEN,
            bbox=box,
            page_size=limit,
        )
        return [
            (
                each,
                views.request(
                    each,
                    catalogues[language].by_code(each.service_code),
                    each.department,
                    extensions=False,
                    language=language,
                ),
            )
            async for each in paced(await requests.listed(query))
        ]

    @api.get("/requests/nearby")
    async def nearby(
        service_code: Annotated[str, Query(max_length=40)],
        lat: Annotated[float, Query(ge=-89, le=89, allow_inf_nan=False)],
        long: Annotated[float, Query(ge=-180, le=180, allow_inf_nan=False)],
        answer: Response,
        accept_language: Annotated[str | None, Header()] = None,
    ) -> NearbyAnswer:
        """Open requests of the same type within 150 m, to show before another one is submitted."""
        codes = _codes(service_code, catalogue)
        language = preferred(accept_language)
        rows = await open_in(feeds.around(lat, long, NEAR), codes, MOST_ROWS, language)
        answer.headers["Content-Language"], answer.headers["Vary"] = language, "Accept-Language"
        found = [near for each in rows if (near := _near(*each, lat, long)) is not None]
        found.sort(key=lambda each: (each.metres, each.service_request_id))
        return NearbyAnswer(requests=tuple(found[:MOST_NEAR]))

    @api.get(
        "/requests.geojson",
        response_class=Response,
        responses={200: {"content": {"application/geo+json": {"schema": {"type": "object"}}}}},
    )
    async def geojson(
        bbox: Area, service_code: Codes = None, limit: Limit = GEOJSON_ROWS
    ) -> Response:
        """Open requests of an area as GeoJSON (RFC 7946): the newest `limit` of them."""
        box = _box(bbox)
        found = await open_in(box, _codes(service_code, catalogue), limit)
        shown = [row for _, row in found]
        return Response(feeds.geojson(shown, box), media_type="application/geo+json")

    @api.get(
        "/requests.atom",
        response_class=Response,
        responses={200: {"content": {"application/atom+xml": {"schema": {"type": "object"}}}}},
    )
    async def atom(bbox: Area, service_code: Codes = None, limit: Limit = ATOM_ROWS) -> Response:
        """Open requests of an area as an Atom feed (RFC 4287): the newest `limit` of them."""
        box, codes = _box(bbox), _codes(service_code, catalogue)
        found = await open_in(box, codes, limit)
        policy = agreement.in_force()
        query = "bbox=" + ",".join(f"{degrees:g}" for degrees in box)
        query += "&service_code=" + ",".join(codes) if codes else ""
        body = feeds.atom(
            [row for _, row in found],
            address=f"{address}/v1/requests.atom?{query}",
            page=settings.request_page,
            author=policy.contact.name if policy else "311",
            title="Open 311 requests",
            now=clock.now(),
        )
        return Response(body, media_type="application/atom+xml")

    return api


def _near(
    request: ServiceRequest, row: Tree, latitude: float, longitude: float
) -> NearbyRequest | None:
    lat, long = row["lat"], row["long"]
    if not isinstance(lat, float) or not isinstance(long, float):
        return None
    away = feeds.metres(latitude, longitude, lat, long)
    if away > NEAR:
        return None
    return NearbyRequest.model_validate(
        {
            **{name: row[name] for name in _SAME},
            "lat": lat,
            "long": long,
            "metres": round(away),
            "received_at": row["requested_datetime"],
            "due_on": request.due_on,
        }
    )


_SAME = (
    "service_request_id",
    "service_code",
    "service_name",
    "status_notes",
    "description",
    "address",
    "media_url",
)
"""The fields that have the same name in `nearby` and in a row of Open311."""


def _box(text: str) -> Box:
    try:
        west, south, east, north = (read_number(part) for part in text.split(","))
    except ValueError:
        west = south = east = north = float("nan")
    if not (-180 <= west <= east <= 180 and -90 <= south <= north <= 90):
        raise _wrong("bbox", "bbox must be west,south,east,north in degrees")
    # A box of exactly a tenth of a degree may come out a little wider.
    if max(east - west, north - south) > WIDEST + 1e-9:
        raise _wrong("bbox", f"bbox may be at most {WIDEST} degrees wide and high")
    return west, south, east, north


def _codes(text: str | None, catalogue: Catalogue) -> tuple[str, ...]:
    codes = tuple(dict.fromkeys(part.strip() for part in (text or "").split(",") if part.strip()))
    if len(codes) > MOST_CODES:
        raise _wrong("service_code", f"service_code may name at most {MOST_CODES} types")
    if any(catalogue.by_code(code) is None for code in codes):
        raise _wrong("service_code", "service_code must be one of those in GET /services")
    return codes


def _wrong(field: str, detail: str) -> MalformedError:
    return MalformedError([FieldProblem(field=field, detail=detail)])
