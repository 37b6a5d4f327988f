"""What the use cases need from outside."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from direct311.geo.domain.addresses import NormalisedAddress
from direct311.geo.domain.boundaries import BoundarySet, ImportedSet, Located, ZipArea
from direct311.geo.domain.gazetteer import KnownAddress
from direct311.geo.domain.grid import Estimate
from direct311.geo.domain.readings import NearbyNames


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


class Streets(Protocol):
    """Streets whose names are known."""

    def near(self, core: str, city: str | None, zip_code: str | None) -> Sequence[str]:
        """Cores of known names that this may be a slip of, the likeliest first."""
        ...

    def lines(self, core: str) -> Collection[str]:
        """The streets with just this core, as lines without a house number."""
        ...


class StreetNumbering(Protocol):
    """Position from numbering alone."""

    def estimate(self, address: NormalisedAddress) -> Estimate | None: ...

    def confidence(self, border_m: float | None) -> float: ...


class Addresses(Protocol):
    """Brings an address line to its one form."""

    def normalise(self, text: str | None) -> NormalisedAddress: ...


class AllReadings(Protocol):
    """The short forms by which a house is known however its address is written."""

    def of(
        self,
        texts: Sequence[str],
        city: str | None = None,
        zip_code: str | None = None,
        known: NearbyNames | None = None,
    ) -> tuple[str, ...]: ...

    def cores(self, street: str) -> tuple[str, ...]:
        """The cores of a street's name, the fullest first."""
        ...


class BoundarySets(Protocol):
    """Every version of every layer that was imported, and which is in force."""

    async def in_force(self) -> Mapping[str, str]:
        """Layer → version."""
        ...

    async def load(self, versions: Mapping[str, str]) -> Sequence[BoundarySet]:
        """These sets, whole. Versions stay loadable after others have replaced them."""
        ...

    async def put(self, one: BoundarySet, imported_by: str, at: datetime) -> None:
        """Keep a set, then put it in force, in one step for who looks. May be repeated."""
        ...

    async def list(self) -> Sequence[ImportedSet]:
        """All that were imported, by layer, the newest first."""
        ...


class Locations(Protocol):
    """What can be asked of all located requests."""

    async def count(self) -> Mapping[str, int]:
        """How many requests have which outcome."""
        ...
