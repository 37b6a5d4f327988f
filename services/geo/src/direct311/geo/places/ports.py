"""What resolving a place needs from outside, besides the boundaries."""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from direct311.geo.addresses.domain.gazetteer import KnownAddress
from direct311.geo.addresses.domain.grid import Estimate
from direct311.geo.addresses.domain.lines import NormalisedAddress
from direct311.geo.addresses.domain.readings import NearbyNames
from direct311.geo.places.domain import Difference, LocatedRequest


class Gazetteer(Protocol):
    """Addresses of known position."""

    def find(self, address: NormalisedAddress) -> KnownAddress | None:
        """The position of exactly this address, or of its neighbor on the same block."""
        ...


class Streets(Protocol):
    """Streets with known names."""

    def near(self, core: str, city: str | None, zip_code: str | None) -> Sequence[str]:
        """Cores of known names that this may be a misspelling of, most likely first."""
        ...

    def lines(self, core: str) -> Collection[str]:
        """The streets with exactly this core, as lines without a house number."""
        ...


class StreetNumbering(Protocol):
    """Positions from street numbering only."""

    def estimate(self, address: NormalisedAddress) -> Estimate | None: ...

    def confidence(self, border_m: float | None) -> float: ...


class Addresses(Protocol):
    """Normalizes an address line."""

    def normalise(self, text: str | None) -> NormalisedAddress: ...


class AllReadings(Protocol):
    """The short forms that identify a house however its address is written."""

    def of(
        self,
        texts: Sequence[str],
        city: str | None = None,
        zip_code: str | None = None,
        known: NearbyNames | None = None,
    ) -> tuple[str, ...]: ...

    def cores(self, street: str) -> tuple[str, ...]:
        """The cores of a street's name, longest first."""
        ...


class Differences(Protocol):
    """What proposed boundary sets would change about stored requests. It belongs to the requests'
    records: it is destroyed with them, and forgotten when one becomes protected."""

    async def put(self, differences: Sequence[Difference]) -> None:
        """Store or replace, by set and record."""
        ...

    async def of_set(self, set_id: str, after: str, limit: int) -> Sequence[Difference]:
        """The next differences of a set, by record id."""
        ...

    async def clear(self, set_id: str) -> None:
        """Forget all differences of a set."""
        ...

    async def forget(self, record_id: str) -> int:
        """Forget all about a record; returns how many there were."""
        ...


class StoredPlaces(Protocol):
    """Located requests, in the order of their ids."""

    async def after(self, record_id: str, limit: int) -> Sequence[LocatedRequest]:
        """The next requests that are not destroyed. An empty answer is the end."""
        ...


class Locations(Protocol):
    """What can be asked of all located requests."""

    async def count(self) -> Mapping[str, int]:
        """How many requests have which outcome."""
        ...
