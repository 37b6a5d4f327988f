"""Follow a request: say where it is, and again whenever its place changes."""

from dataclasses import dataclass, fields

from direct311.geo.places.domain import LocatedRequest, Resolution
from direct311.geo.places.handlers.resolve import Resolver
from direct311.runtime.clock import Clock
from direct311.runtime.messaging.state import Change, Outgoing
from direct311.schemas import Event
from direct311.schemas.events import (
    LocationResolved,
    Place,
    RecordExpired,
    RequestCreated,
    RequestUpdated,
)


@dataclass(frozen=True, slots=True)
class LocateRequest:
    """Handlers of what intake says about a request."""

    resolver: Resolver
    clock: Clock

    async def created(
        self, state: LocatedRequest, event: Event[RequestCreated]
    ) -> Change[LocatedRequest] | None:
        """A request came in: say where it is. A later place that is already known stays."""
        return None if state.place_version else self._say(state, event.data.place, 1)

    async def updated(
        self, state: LocatedRequest, event: Event[RequestUpdated]
    ) -> Change[LocatedRequest] | None:
        """A request changed: if its place did, say where it is now.

        For a protected request only the municipality is stored (section 119.071(4)(d), F.S.).
        """
        data = event.data
        if data.place_version > state.place_version:
            return self._say(state, data.place, data.place_version)
        if data.protected and state.location is not None:
            alone = _municipality_alone(state.location)
            if alone != state.location:
                return Change(state.protected(alone))
        return None

    def _say(
        self, state: LocatedRequest, place: Place, place_version: int
    ) -> Change[LocatedRequest]:
        found = self.resolver.resolve(place)
        event = located(state.record_id, state.version + 1, place_version, found, self.clock)
        return Change(state.located(place_version, event), (Outgoing(event),))


async def expired(state: LocatedRequest, _: Event[RecordExpired]) -> Change[LocatedRequest] | None:
    """The record is eligible for disposition. Only an order destroys it."""
    return Change(state.eligible())


def _municipality_alone(location: LocationResolved) -> LocationResolved:
    return LocationResolved(
        record_id=location.record_id,
        version=location.version,
        place_version=location.place_version,
        outcome=location.outcome,
        municipality=location.municipality,
        unincorporated=location.unincorporated,
        confidence=location.confidence,
        method=location.method,
        approximate=location.approximate,
        boundary_sets=location.boundary_sets,
        resolved_at=location.resolved_at,
    )


def located(
    record_id: str, version: int, place_version: int, found: Resolution, clock: Clock
) -> LocationResolved:
    """The event that says what was found."""
    return LocationResolved(
        record_id=record_id,
        version=version,
        place_version=place_version,
        resolved_at=clock.now(),
        **{each.name: getattr(found, each.name) for each in fields(found)},
    )
