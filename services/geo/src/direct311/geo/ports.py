"""What the use cases need from outside."""

from typing import Protocol

from direct311.geo.domain.addresses import NormalisedAddress
from direct311.geo.domain.boundaries import Located, ZipArea
from direct311.geo.domain.gazetteer import KnownAddress
from direct311.geo.domain.grid import Estimate


class Boundaries(Protocol):
    """The boundary sets in force, all layers at once."""

    def locate(self, latitude: float, longitude: float) -> Located:
        """What lies at a point in degrees of WGS 84. The same point gives the same answer, on a
        border too."""
        ...

    def zip_area(self, zip_code: str) -> ZipArea | None:
        """The area of a ZIP code, or `None` if no loaded set has it."""
        ...


class Gazetteer(Protocol):
    """Addresses of known position."""

    def find(self, address: NormalisedAddress) -> KnownAddress | None:
        """The position of exactly this address, or of its neighbour on the same block."""
        ...


class StreetNumbering(Protocol):
    """Position from numbering alone."""

    def estimate(self, address: NormalisedAddress) -> Estimate | None: ...

    def confidence(self, border_m: float | None) -> float: ...


class Addresses(Protocol):
    """Brings an address line to its one form."""

    def normalise(self, text: str | None) -> NormalisedAddress: ...
