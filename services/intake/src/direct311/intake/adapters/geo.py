"""Geo's reading of an address, for the protection registry."""

from direct311.runtime.errors import TransientError
from direct311.runtime.peers import HttpError, Peer


class GeoAddresses:
    """`Addresses` through `POST /internal/normalise` of geo."""

    def __init__(self, geo: Peer) -> None:
        self._geo = geo

    async def normalise(self, address: str) -> str | None:
        try:
            answer = await self._geo.post("/internal/normalise", {"address": address})
        except HttpError as error:
            if error.status == 422:
                return None
            raise TransientError("geo does not answer") from None
        line: str | None = answer.get("address")
        return line
