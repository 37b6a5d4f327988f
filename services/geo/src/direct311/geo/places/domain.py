"""The outcome of resolving a place, and what a record stores of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import cos, hypot, radians
from typing import Literal

from direct311.runtime.messaging.state import RecordState
from direct311.schemas import replaced
from direct311.schemas.events import AddressRead, LocationResolved

Method = Literal["point", "gazetteer", "grid", "zip", "city", "none"]


class LocatedRequest(RecordState):
    """What geo stores about a request: the last thing geo said about it.

    `place_version` is intake's version of the place that was resolved last. `expired`: retention
    has announced that the record is eligible for disposition; nothing follows from it here.
    """

    place_version: int = 0
    location: LocationResolved | None = None
    expired: bool = False

    def located(self, place_version: int, location: LocationResolved) -> "LocatedRequest":
        """A copy with what was said about this version of its place. Only intake compares readings:
        words that only the resident knows are not stored here."""
        return replaced(self, place_version=place_version, location=location.without_readings())

    def protected(self, municipality_alone: LocationResolved) -> "LocatedRequest":
        """A copy with only what may be stored about a protected place."""
        return replaced(self, location=municipality_alone)

    def eligible(self) -> "LocatedRequest":
        """A copy announced as eligible for disposition."""
        return replaced(self, expired=True)


@dataclass(frozen=True, slots=True)
class Resolution:
    """Where a place is, or why that is not known: the content of `location.resolved`.

    Degrees of WGS 84. `address` is the normalized line, never the typed text; `read` says whether
    all of its words are geo's own. `reason` is for people, names the field at fault and repeats
    nothing from it.
    """

    outcome: Literal["resolved", "unresolved", "outside"]
    reason: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    address: str | None = None
    municipality: str | None = None
    unincorporated: bool = False
    zip_code: str | None = None
    commission_district: str | None = None
    layers: Mapping[str, str] = field(default_factory=dict)
    confidence: float = 0.0
    method: Method = "none"
    approximate: bool = False
    boundary_sets: Mapping[str, str] = field(default_factory=dict)
    read: AddressRead = field(default_factory=AddressRead)


def metres_between(
    latitude: float, longitude: float, other_latitude: float, other_longitude: float
) -> float:
    """The distance in meters between two points at most a few tens of kilometers apart, within 1
    %."""
    north = (other_latitude - latitude) * 110_900.0
    east = (other_longitude - longitude) * 111_400.0 * cos(radians(latitude))
    return hypot(north, east)
