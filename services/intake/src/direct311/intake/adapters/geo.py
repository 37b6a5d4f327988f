"""Geo's reading of an address, for the protection registry."""

import math

from direct311.intake.ports import ReadAddress
from direct311.runtime.errors import TransientError
from direct311.runtime.peers import HttpError, Peer


class GeoAddresses:
    """`Addresses` through `POST /internal/normalise` of geo."""

    def __init__(self, geo: Peer) -> None:
        self._geo = geo

    async def normalise(self, address: str) -> ReadAddress | None:
        try:
            answer = await self._geo.post("/internal/normalise", {"address": address})
        except HttpError as error:
            if error.status == 422:
                return None
            raise TransientError("geo does not answer") from None
        if not (line := answer.get("address")):
            return None
        latitude, longitude = answer.get("latitude"), answer.get("longitude")
        if latitude is None or longitude is None:
            return ReadAddress(line)
        return ReadAddress(line, (latitude, longitude), answer.get("error_m", math.inf))
