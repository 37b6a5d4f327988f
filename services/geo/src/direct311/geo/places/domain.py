"""The outcome of resolving a place, and what a record keeps of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import cos, hypot, radians
from typing import Literal

from direct311.runtime.messaging.state import RecordState
from direct311.schemas import replaced
from direct311.schemas.events import AddressRead, LocationResolved

Method = Literal["point", "gazetteer", "grid", "zip", "city", "none"]


class LocatedRequest(RecordState):
    """What geo keeps of a request: the last thing that it said about it.

    `place_version` is intake's version of the place that was resolved last. `expired`: retention
    has announced that the record is eligible for disposition; nothing follows from it here.
    """

    place_version: int = 0
    location: LocationResolved | None = None
    expired: bool = False

    def located(self, place_version: int, location: LocationResolved) -> "LocatedRequest":
        """With what was said of this version of its place. Readings are intake's to compare: words
        that only the resident knows are not kept here."""
        return replaced(self, place_version=place_version, location=location.without_readings())

    def protected(self, municipality_alone: LocationResolved) -> "LocatedRequest":
        """With no more of its place than may be kept of a protected one."""
        return replaced(self, location=municipality_alone)

    def eligible(self) -> "LocatedRequest":
        """Announced as eligible for disposition."""
        return replaced(self, expired=True)


@dataclass(frozen=True, slots=True)
class Resolution:
    """Where a place lies, or why that is not known: the content of `location.resolved`.

    Degrees of WGS 84. `address` is the normalised line, never the text that was typed; whether all
    of its words are geo's own is said by `read`. `reason` is for people, names the field at fault
    and repeats nothing of what it held.
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
    """Distance in metres of two points at most a few tens of kilometres apart, within 1 %."""
    north = (other_latitude - latitude) * 110_900.0
    east = (other_longitude - longitude) * 111_400.0 * cos(radians(latitude))
    return hypot(north, east)
