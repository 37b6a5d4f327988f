"""Geo's reading of an address, for the protection registry."""

import math

from direct311.intake.indexes.ports import ReadAddress
from direct311.runtime.errors import TransientError
from direct311.runtime.peers import HttpError, Peer
from direct311.runtime.text import cleaned
from direct311.schemas.events import Place

MOST_READINGS = 32
"""The most readings that one of geo's events has."""

LONGEST_LINE = 2_000


class GeoAddresses:
    """`Addresses` through geo's `POST /internal/normalise`."""

    def __init__(self, geo: Peer) -> None:
        self._geo = geo

    async def normalise(self, address: str, given: Place | None = None) -> ReadAddress | None:
        place = given or Place()
        asked = {
            "address": address,
            "address_id": place.address_id,
            "city": place.municipality,
            "zip_code": place.zip_code,
            "latitude": place.latitude,
            "longitude": place.longitude,
        }
        sent = {name: value for name, value in asked.items() if value is not None}
        try:
            answer = await self._geo.post("/internal/normalise", sent)
        except HttpError as error:
            if error.status == 422:
                return None
            raise TransientError("geo does not answer") from None
        # This comes from another process, and some of it becomes public: it must have geo's
        # documented form.
        line = cleaned(answer.get("address") or "")[:LONGEST_LINE] or None
        readings = tuple(answer.get("readings", ()))[:MOST_READINGS]
        if not (line or readings):
            return None
        latitude, longitude = answer.get("latitude"), answer.get("longitude")
        point = None if latitude is None or longitude is None else (latitude, longitude)
        error_m = answer.get("error_m", math.inf) if point else 0.0
        return ReadAddress(line, point, error_m, readings, answer.get("known", False))
