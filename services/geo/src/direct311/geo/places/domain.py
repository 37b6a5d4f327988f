"""The outcome of resolving a place, and what a record stores of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import cos, hypot, radians
from typing import Literal

from direct311.runtime.messaging.state import RecordState
from direct311.schemas import Instant, Model, replaced
from direct311.schemas.events import AddressRead, LocationResolved, RequestStatus

Method = Literal["point", "gazetteer", "grid", "zip", "city", "none"]


FINISHED: frozenset[RequestStatus] = frozenset(
    {"duplicate", "fixed", "closed", "closed_unfounded", "withdrawn"}
)
"""The states in which nobody works on a request; it stays where it was."""

MOST_EARLIER = 20
"""How many earlier answers are kept with a request."""


class Areas(Model):
    """In which areas a place is: what other boundaries can change of an answer."""

    outcome: Literal["resolved", "unresolved", "outside"]
    municipality: str | None = None
    unincorporated: bool = False
    zip_code: str | None = None
    commission_district: str | None = None
    layers: Mapping[str, str] = {}


class EarlierAnswer(Model):
    """What geo said before other boundaries came into force. `boundary_sets`: layer → version."""

    areas: Areas
    boundary_sets: dict[str, str]
    resolved_at: Instant
    until: Instant


class LocatedRequest(RecordState):
    """What geo stores about a request: the last thing geo said about it.

    `place_version` is intake's version of the place that was resolved last. `finished`: nobody
    works on the request any more, as far as intake has said. `earlier`: the answers that other
    boundaries replaced, oldest first. `expired`: retention has announced that the record is
    eligible for disposition; nothing follows from it here.
    """

    place_version: int = 0
    location: LocationResolved | None = None
    finished: bool = False
    earlier: tuple[EarlierAnswer, ...] = ()
    expired: bool = False

    def located(self, place_version: int, location: LocationResolved) -> "LocatedRequest":
        """A copy with what was said about this version of its place. Only intake compares readings:
        words that only the resident knows are not stored here."""
        return replaced(self, place_version=place_version, location=location.without_readings())

    def relocated(self, location: LocationResolved) -> "LocatedRequest":
        """A copy with what other boundaries say about the same place, and what was said before."""
        before = self.location
        if before is None:
            return self
        replaced_answer = EarlierAnswer(
            areas=areas_of(before),
            boundary_sets=dict(before.boundary_sets),
            resolved_at=before.resolved_at,
            until=location.resolved_at,
        )
        earlier = (*self.earlier, replaced_answer)[-MOST_EARLIER:]
        return replaced(self, location=location, earlier=earlier)

    def worked_on(self, *, finished: bool) -> "LocatedRequest":
        """A copy of which intake said whether somebody still works on it."""
        return replaced(self, finished=finished)

    def protected(self, municipality_alone: LocationResolved) -> "LocatedRequest":
        """A copy with only what may be stored about a protected place."""
        return replaced(self, location=municipality_alone, earlier=())

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


class Difference(Model):
    """What a boundary set would change about a stored request. `open`: somebody works on it."""

    set_id: str
    record_id: str
    open: bool
    before: Areas
    after: Areas


def areas_of(said: "LocationResolved | Resolution") -> Areas:
    """The areas in an answer."""
    return Areas(
        outcome=said.outcome,
        municipality=said.municipality,
        unincorporated=said.unincorporated,
        zip_code=said.zip_code,
        commission_district=said.commission_district,
        layers=dict(said.layers),
    )


def metres_between(
    latitude: float, longitude: float, other_latitude: float, other_longitude: float
) -> float:
    """The distance in meters between two points at most a few tens of kilometers apart, within 1
    %."""
    north = (other_latitude - latitude) * 110_900.0
    east = (other_longitude - longitude) * 111_400.0 * cos(radians(latitude))
    return hypot(north, east)
