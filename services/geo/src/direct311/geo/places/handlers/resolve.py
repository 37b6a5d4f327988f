"""Resolve a place.

Coordinates take precedence over an address, because the resident stood there or put the pin there;
an address that contradicts them lowers the confidence, and the answer says so. Without coordinates
an address is looked up, or else placed on the street grid, by its ZIP code, or by its city, each
with less confidence.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from direct311.geo.addresses.domain.lines import NormalisedAddress, Street
from direct311.geo.addresses.domain.municipalities import Gazette
from direct311.geo.addresses.domain.readings import MOST
from direct311.geo.boundaries.domain import Located, ZipArea
from direct311.geo.boundaries.ports import Boundaries
from direct311.geo.places.domain import Method, Resolution, metres_between
from direct311.geo.places.ports import Addresses, AllReadings, Gazetteer, StreetNumbering, Streets
from direct311.schemas.events import AddressRead, LocationResolved, Place

# An address this near to the coordinates counts as the same place: a lot, a park, a long block.
_SAME_PLACE_M = 500.0
_CONTRADICTED = 0.5
_OTHER_CITY = 0.7
# Neighbors on one block are almost always in one municipality.
_NEIGHBOUR = 0.95
# 84 % of 5,699 labeled requests are in the municipality that most of their ZIP area is in.
_BY_ZIP = 0.84
# 'Coral Gables' as a mailing address reaches beyond the city; so does every other.
_BY_CITY = 0.6
_STATED = 0.9


@dataclass(frozen=True, slots=True)
class Resolver:
    """Everything needed to resolve a place. `boundaries` returns the sets in force."""

    boundaries: Callable[[], Boundaries]
    gazetteer: Gazetteer
    grids: StreetNumbering
    addresses: Addresses
    gazette: Gazette
    readings: AllReadings
    streets: Streets

    def read(self, place: Place) -> "Read":
        """Reads the address of a place, corrected to a known street with nearly the same spelling,
        with all readings of it and of the address id: first those of geo's own form, which may be
        shown, then those of the typed text. The place's city and ZIP code count if the address
        names none."""
        typed = self.addresses.normalise(place.address)
        if place.zip_code and not typed.zip_code:
            typed = typed.placed(typed.unit, typed.city, place.zip_code[:5])
        where = (typed.city or self.gazette.canonical(place.municipality), typed.zip_code)
        address = self._corrected(typed, *where)
        own = [line for line in (address.canonical, address.own, typed.canonical) if line]
        texts = dict.fromkeys([*own, *(each for each in (place.address, place.address_id) if each)])
        found = self.readings.of(tuple(texts), *where, self.streets)
        return Read(address, tuple(dict.fromkeys([*own, *found]))[:MOST])

    def resolve(self, place: Place, read: "Read | None" = None) -> Resolution:
        """Where `place` is. Never raises: an unresolved place says why. `read`: its address, if
        already read."""
        boundaries = self.boundaries()
        read = read or self.read(place)
        found = self._place(place, read.address, boundaries)
        position = self.position(read.address) if read.address.canonical else None
        known = position is not None and self._is_own(read.address, position, found)
        said = AddressRead(
            known=known,
            readings=read.readings,
            latitude=position.latitude if position else None,
            longitude=position.longitude if position else None,
            error_m=position.error_m if position else None,
        )
        # Also for an unknown position, because readings identify protected homes.
        line = read.address.own if known else read.address.canonical
        return replace(found, address=line or None, read=said)

    def again(self, said: LocationResolved, boundaries: Boundaries) -> Resolution | None:
        """Where a place is by these boundaries, from what is stored of it. `None`: boundaries
        decide nothing about it, or too little is stored (a protected place has no point).

        An address that contradicted its coordinates still does, so the confidence does not rise.
        """
        if said.method == "zip":
            return self._zip_again(said, boundaries)
        if said.latitude is None or said.longitude is None:
            return None
        found = boundaries.locate(said.latitude, said.longitude)
        if found.where == "unknown":
            return None
        if found.where == "outside":
            return _outside_now(said, found)
        stated = said.zip_code if said.method != "point" else None
        doubted = said.reason is not None or said.method != "point"
        before = said.confidence if doubted and said.outcome == "resolved" else 1.0
        return Resolution(
            "resolved",
            reason=said.reason if said.outcome == "resolved" else None,
            latitude=said.latitude,
            longitude=said.longitude,
            address=said.address,
            municipality=found.municipality,
            unincorporated=found.where == "unincorporated",
            zip_code=stated or found.zip_code,
            commission_district=found.commission_district,
            layers=found.layers,
            confidence=round(min(found.confidence, before), 3),
            method=said.method,
            approximate=found.approximate,
            boundary_sets=found.boundary_sets,
        )

    def _zip_again(self, said: LocationResolved, boundaries: Boundaries) -> Resolution | None:
        area = boundaries.zip_area(said.zip_code) if said.zip_code else None
        if area is None or said.latitude is None:
            return None
        located = boundaries.locate(area.latitude, area.longitude)
        return _by_zip(area, located, said.address)

    def _is_own(self, address: NormalisedAddress, position: "Position", found: Resolution) -> bool:
        """Whether street and range are known: such an address is at the place found, and none of
        its words come only from the resident."""
        if found.outcome != "resolved" or found.latitude is None or found.longitude is None:
            return False
        if not (address.is_plain or position.method == "gazetteer"):
            return False
        if found.method == "point":
            apart = metres_between(
                found.latitude, found.longitude, position.latitude, position.longitude
            )
            return apart <= _reach(position)
        return found.method == position.method

    def _corrected(
        self, address: NormalisedAddress, city: str | None, zip_code: str | None
    ) -> NormalisedAddress:
        """The address on the known street with nearly the same spelling; unchanged if its street is
        known, or if no street or several streets may be meant."""
        street = address.street
        if address.kind != "address" or street is None or street.number is not None:
            return address
        cores = self.readings.cores(street.line)
        near = self.streets.near(cores[0], city, zip_code) if cores else ()
        lines = self.streets.lines(near[0]) if near else ()
        if street.line in lines:
            return address
        known = (self.addresses.normalise(f"1 {line}").street for line in lines)
        meant = {
            _merged(street, other).line for other in known if other and _may_mean(street, other)
        }
        if len(meant) != 1:
            return address
        found = self.addresses.normalise(f"{address.number} {meant.pop()}")
        if found.kind != "address":
            return address
        return found.placed(address.unit, address.city, address.zip_code)

    def _place(
        self, place: Place, address: NormalisedAddress, boundaries: Boundaries
    ) -> Resolution:
        if place.latitude and place.longitude:
            return self._at(place.latitude, place.longitude, place, address, boundaries)
        if (place.latitude is None) != (place.longitude is None):
            half = "latitude and longitude: one of them is missing"
        else:
            half = None
        found = (
            self._known(address, place, boundaries)
            or self._on_grid(address, place, boundaries)
            or self._in_zip(address, boundaries)
            or self._in_city(address, place)
            or Resolution("unresolved", reason=_why(place, address))
        )
        return replace(found, reason=found.reason or half)

    def position(self, address: NormalisedAddress) -> "Position | None":
        """The best point for an address on its own: published, or estimated from the grid."""
        if known := self.gazetteer.find(address):
            return Position(known.latitude, known.longitude, known.error_m, "gazetteer")
        if estimate := self.grids.estimate(address):
            return Position(estimate.latitude, estimate.longitude, estimate.error_m, "grid")
        return None

    def _at(
        self,
        latitude: float,
        longitude: float,
        place: Place,
        address: NormalisedAddress,
        boundaries: Boundaries,
    ) -> Resolution:
        located = boundaries.locate(latitude, longitude)
        if located.where == "unknown":
            return Resolution("unresolved", reason="no boundaries are loaded")
        if located.where == "outside":
            return self._outside(latitude, longitude, located, boundaries)
        found = _resolution(located, latitude, longitude, address, "point", located.confidence)
        by_address = self.position(address)
        if by_address:
            apart = metres_between(latitude, longitude, by_address.latitude, by_address.longitude)
            if apart > _reach(by_address):
                return replace(
                    found,
                    confidence=round(found.confidence * _CONTRADICTED, 3),
                    reason=f"address and coordinates are {apart / 1000:.1f} km apart",
                )
        return self._against_stated(found, place, address)

    def _outside(
        self, latitude: float, longitude: float, located: Located, boundaries: Boundaries
    ) -> Resolution:
        exchanged = -90 <= longitude <= 90 and boundaries.locate(longitude, latitude).where in (
            "municipality",
            "unincorporated",
        )
        if exchanged:
            return Resolution("unresolved", reason="latitude and longitude look exchanged")
        return Resolution(
            "outside",
            reason="the coordinates lie outside the county",
            latitude=latitude,
            longitude=longitude,
            method="point",
            confidence=located.confidence,
            approximate=located.approximate,
            boundary_sets=located.boundary_sets,
        )

    def _known(
        self, address: NormalisedAddress, place: Place, boundaries: Boundaries
    ) -> Resolution | None:
        known = self.gazetteer.find(address)
        if known is None:
            return None
        located = boundaries.locate(known.latitude, known.longitude)
        if located.where not in ("municipality", "unincorporated"):
            return None
        confidence = located.confidence * (_NEIGHBOUR if known.error_m else 1.0)
        found = _resolution(
            located, known.latitude, known.longitude, address, "gazetteer", confidence
        )
        return self._against_stated(found, place, address)

    def _on_grid(
        self, address: NormalisedAddress, place: Place, boundaries: Boundaries
    ) -> Resolution | None:
        estimate = self.grids.estimate(address)
        if estimate is None:
            return None
        area = boundaries.zip_area(address.zip_code) if address.zip_code else None
        if area is not None:
            apart = metres_between(
                estimate.latitude, estimate.longitude, area.latitude, area.longitude
            )
            if apart > area.radius_m + _SAME_PLACE_M + estimate.error_m:
                return None
        located = boundaries.locate(estimate.latitude, estimate.longitude)
        if located.where not in ("municipality", "unincorporated"):
            return None
        confidence = min(self.grids.confidence(located.border_m), located.confidence)
        found = _resolution(
            located, estimate.latitude, estimate.longitude, address, "grid", confidence
        )
        return self._against_stated(found, place, address)

    def _in_zip(self, address: NormalisedAddress, boundaries: Boundaries) -> Resolution | None:
        area = boundaries.zip_area(address.zip_code) if address.zip_code else None
        if area is None:
            return None
        located = boundaries.locate(area.latitude, area.longitude)
        return _by_zip(area, located, address.canonical or None)

    def _in_city(self, address: NormalisedAddress, place: Place) -> Resolution | None:
        stated = self.gazette.canonical(place.municipality)
        name = stated or address.city
        if name is None or (stated is None and self.gazette.is_postal_only(name)):
            return None
        return Resolution(
            "resolved",
            reason="placed by the city alone",
            address=address.canonical or None,
            municipality=None if name == self.gazette.unincorporated else name,
            unincorporated=name == self.gazette.unincorporated,
            zip_code=address.zip_code,
            confidence=_STATED if stated else _BY_CITY,
            method="city",
        )

    def _against_stated(
        self, found: Resolution, place: Place, address: NormalisedAddress
    ) -> Resolution:
        """Less certain if the place names a different municipality than the one found."""
        named = self.gazette.canonical(place.municipality)
        if named is None and address.city and not self.gazette.is_postal_only(address.city):
            named = address.city
        if named in (None, found.municipality or self.gazette.unincorporated):
            return found
        return replace(
            found,
            confidence=round(found.confidence * _OTHER_CITY, 3),
            reason="the municipality named is not the one at this position",
        )


@dataclass(frozen=True, slots=True)
class Read:
    """An address line as geo reads it: the address, and all its readings, with the line's own
    first."""

    address: NormalisedAddress
    readings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Position:
    """A point in degrees of WGS 84; `error_m` is 0 if it was published for this address."""

    latitude: float
    longitude: float
    error_m: float
    method: Method


def _resolution(
    located: Located,
    latitude: float,
    longitude: float,
    address: NormalisedAddress,
    method: Method,
    confidence: float,
) -> Resolution:
    return Resolution(
        "resolved",
        latitude=round(latitude, 6),
        longitude=round(longitude, 6),
        address=address.canonical or None,
        municipality=located.municipality,
        unincorporated=located.where == "unincorporated",
        zip_code=located.zip_code if method == "point" else address.zip_code or located.zip_code,
        commission_district=located.commission_district,
        layers=located.layers,
        confidence=round(confidence, 3),
        method=method,
        approximate=located.approximate,
        boundary_sets=located.boundary_sets,
    )


def _by_zip(area: ZipArea, located: Located, address: str | None) -> Resolution:
    return Resolution(
        "resolved",
        reason="placed by the ZIP code alone",
        latitude=area.latitude,
        longitude=area.longitude,
        address=address,
        municipality=area.municipality,
        unincorporated=area.municipality is None,
        zip_code=area.zip_code,
        confidence=round(_BY_ZIP * area.share, 3),
        method="zip",
        approximate=located.approximate,
        boundary_sets=located.boundary_sets,
    )


def _outside_now(said: LocationResolved, found: Located) -> Resolution:
    """A place that the boundaries in force leave out. Only coordinates were given as they are; an
    address may be the county's all the same, so people decide."""
    given = said.method == "point"
    return Resolution(
        "outside" if given else "unresolved",
        reason="the coordinates lie outside the county"
        if given
        else "address: it lies outside the boundaries in force now",
        latitude=said.latitude,
        longitude=said.longitude,
        address=said.address,
        confidence=found.confidence if given else 0.0,
        method=said.method,
        approximate=found.approximate,
        boundary_sets=found.boundary_sets,
    )


def _reach(position: Position) -> float:
    """The most meters between an address's point and coordinates that count as the same place."""
    return max(_SAME_PLACE_M, 3 * position.error_m)


def _may_mean(typed: Street, known: Street) -> bool:
    """Whether street words and directions are the same, as far as both have them."""
    return all(
        mine is None or theirs is None or mine == theirs
        for mine, theirs in (
            (typed.predirectional, known.predirectional),
            (typed.suffix, known.suffix),
            (typed.postdirectional, known.postdirectional),
        )
    )


def _merged(typed: Street, known: Street) -> Street:
    """The known name, with the typed street word and directions or, if none, its own."""
    return Street(
        predirectional=typed.predirectional or known.predirectional,
        name=known.name,
        suffix=typed.suffix or known.suffix,
        postdirectional=typed.postdirectional or known.postdirectional,
    )


def _why(place: Place, address: NormalisedAddress) -> str:
    if address.kind in ("address", "intersection"):
        return "address: neither the grid nor a ZIP code says where it is"
    if address.zip_code:
        return "address: the ZIP code is not one of the county's"
    if place.address:
        return f"address: {address.reason}"
    return "neither coordinates nor an address were given"
