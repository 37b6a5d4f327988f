"""Boundary sets over HTTP: which there are, and a new one."""

from typing import Any

from fastapi import Request

from direct311.geo.boundaries.domain import ImportedSet
from direct311.runtime.errors import RefusedError
from direct311.schemas import Instant, Model


class SetView(Model):
    """A boundary set. `agreement`: share of known points that it puts right."""

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
    """What was imported, and which features had to be repaired, by code."""

    name: str
    version: str
    approximate: bool
    features: int
    repaired: tuple[str, ...]


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
            raise RefusedError(413, "too_large", f"A set may have {limit} bytes.", field="body")
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
