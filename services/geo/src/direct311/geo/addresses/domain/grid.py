"""The position of a house number on a street grid, from its address alone.

In Miami-Dade County streets are numbered from Flagler Street and avenues from Miami Avenue, which
divide the county into quadrants; streets, terraces and lanes run east and west, avenues, courts and
places north and south. The hundreds of a house number are the number of the cross street: 9967 SW
153RD ST is two thirds of a block beyond SW 99TH AVE. Some cities have their own grids. A grid is a
few fitted numbers; its error was measured and is part of the data.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

from direct311.geo.addresses.domain.lines import NormalisedAddress, Street
from direct311.schemas import Model


class Curve(Model):
    """Degrees along one axis of a grid.

    `at`: (block, degrees), rising, linear between. `bend`: degrees for each block along the other
    axis, for its square / 100, and for the product of the two / 100.
    """

    at: tuple[tuple[float, float], ...]
    bend: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def degrees(self, block: float, other: float) -> float:
        blocks = [knot for knot, _ in self.at]
        index = min(max(bisect_right(blocks, block), 1), len(blocks) - 1)
        (low, start), (high, end) = self.at[index - 1], self.at[index]
        straight = start + (end - start) * (block - low) / (high - low)
        linear, square, product = self.bend
        return straight + other * (linear + other * square / 100 + block * product / 100)

    def reaches(self, block: float, slack: float = 8.0) -> bool:
        return self.at[0][0] - slack <= block <= self.at[-1][0] + slack


class Measured(Model):
    """Distances in meters from the published position that include half, and nine tenths, of the
    addresses."""

    sample: int
    half_within_m: float
    nine_tenths_within_m: float


class NamedStreet(Model):
    """A named street that is also a numbered one. `toward`: the direction in which house numbers
    rise."""

    street: float | None = None
    avenue: float | None = None
    toward: str


class Grid(Model):
    """One numbering. `quadrants`: direction → sign of avenues (east) and of streets (north).

    `offsets`: how many blocks beyond its number a terrace, a court … is. With `zip_codes` or
    `cities` the grid is used only there, for street numbers up to `street_limit`. If the address
    has neither, it is used if the county's grid has no such direction.
    """

    name: str
    quadrants: dict[str, tuple[int, int]]
    east_west: tuple[str, ...]
    north_south: tuple[str, ...]
    offsets: dict[str, float]
    named: dict[str, NamedStreet]
    cities: tuple[str, ...] = ()
    zip_codes: tuple[str, ...] = ()
    street_limit: int | None = None
    latitude: Curve
    longitude: Curve
    measured: Measured

    def blocks(self, address: NormalisedAddress) -> tuple[float, float] | None:
        """(avenue, street) in blocks east and north of the origin, or `None` if not on it."""
        if address.street is None:
            return None
        first = self._line(address.street)
        if address.cross is not None:
            return _crossing(first, self._line(address.cross))
        if first is None or address.number is None:
            return None
        avenue, street, (east, north) = first
        along = address.number / 100
        if street is not None:
            return along * east, street
        return (avenue, along * north) if avenue is not None else None

    def _line(self, street: Street) -> "_Line | None":
        """Which avenue or street this is, and in which direction house numbers rise."""
        known = self.named.get(f"{street.name} {street.suffix or ''}".rstrip())
        if known is not None:
            side = self._side(street.predirectional) or self._side(known.toward)
            return (known.avenue, known.street, side) if side else None
        side = self.quadrants.get(street.predirectional or "")
        if street.number is None or street.kind is None or side is None:
            return None
        block = street.number + self.offsets.get(street.kind, 0.0)
        if street.kind in self.east_west:
            return None, block * side[1], side
        if street.kind in self.north_south:
            return block * side[0], None, side
        return None

    def _side(self, direction: str | None) -> tuple[int, int] | None:
        if direction in self.quadrants:
            return self.quadrants[direction]
        return {"N": (1, 1), "S": (-1, -1), "E": (1, 1), "W": (-1, 1)}.get(direction or "")

    def serves(self, address: NormalisedAddress, county: "Grid") -> bool:
        """Whether the address means this grid, which is a city's own."""
        street = address.street
        if street is None or street.number is None or street.predirectional not in self.quadrants:
            return False
        if self.street_limit is not None and street.number > self.street_limit:
            return False
        if address.zip_code:
            return address.zip_code in self.zip_codes
        if address.city:
            return address.city in self.cities
        return street.predirectional not in county.quadrants


_Line = tuple[float | None, float | None, tuple[int, int]]


class StreetGrids(Model):
    """The content of `grid.yaml`: the county's grid, and those of cities with their own.

    `agreement`: of estimates at least this many meters from a municipal border, the share in the
    municipality that the county names.
    """

    version: str
    citation: str
    effective_on: date
    fitted_on: str
    county: Grid
    own: tuple[Grid, ...] = ()
    agreement: tuple[tuple[float, float], ...] = ()

    def estimate(self, address: NormalisedAddress) -> "Estimate | None":
        """The position of an address or intersection, or `None` if no grid gives it."""
        grid = next((grid for grid in self.own if grid.serves(address, self.county)), self.county)
        blocks = grid.blocks(address)
        if blocks is None:
            return None
        avenue, street = blocks
        if not (grid.longitude.reaches(avenue) and grid.latitude.reaches(street)):
            return None
        return Estimate(
            latitude=grid.latitude.degrees(street, avenue),
            longitude=grid.longitude.degrees(avenue, street),
            error_m=grid.measured.nine_tenths_within_m,
            grid=grid.name,
        )

    def confidence(self, border_m: float | None) -> float:
        """How often an estimate this far from a border names the right municipality."""
        share = 0.5
        for distance, measured in self.agreement:
            if border_m is None or border_m >= distance:
                share = measured
        return share


@dataclass(frozen=True, slots=True)
class Estimate:
    """Degrees of WGS 84; nine of ten estimates are within `error_m` meters."""

    latitude: float
    longitude: float
    error_m: float
    grid: str


def _crossing(first: _Line | None, second: _Line | None) -> tuple[float, float] | None:
    if first is None or second is None:
        return None
    avenue = first[0] if first[0] is not None else second[0]
    street = first[1] if first[1] is not None else second[1]
    return None if avenue is None or street is None else (avenue, street)


def rising(knots: Sequence[tuple[float, float]]) -> bool:
    """Whether the blocks of a curve rise, as interpolation needs."""
    return len(knots) > 1 and all(low < high for (low, _), (high, _) in pairwise(knots))
