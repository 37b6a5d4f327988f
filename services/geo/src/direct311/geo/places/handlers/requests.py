"""Follow a request: say where it is, and again whenever its place changes."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, fields

from direct311.geo.places.domain import FINISHED, LocatedRequest, Resolution, areas_of
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


async def _nothing(_: str) -> int:
    return 0


@dataclass(frozen=True, slots=True)
class LocateRequest:
    """Handlers of what intake says about a request. `forget`: the areas of a record that are stored
    beside it, as differences of proposed boundaries."""

    resolver: Resolver
    clock: Clock
    forget: Callable[[str], Awaitable[int]] = _nothing

    async def created(
        self, state: LocatedRequest, event: Event[RequestCreated]
    ) -> Change[LocatedRequest] | None:
        """A request came in: say where it is. A later place that is already known stays."""
        return None if state.place_version else self._say(state, event.data.place, 1)

    async def updated(
        self, state: LocatedRequest, event: Event[RequestUpdated]
    ) -> Change[LocatedRequest] | None:
        """A request changed: if its place did, say where it is now. Note whether somebody still
        works on it.

        For a protected request only the municipality is stored (section 119.071(4)(d), F.S.).
        """
        data = event.data
        finished = data.status in FINISHED
        newer = data.place_version > state.place_version
        after = state if finished == state.finished else state.worked_on(finished=finished)
        if not newer and data.protected and after.location is not None:
            after = after.protected(_municipality_alone(after.location))
        if data.protected and (newer or after != state):
            # Before the write: a repeat after a kill does it again.
            await self.forget(state.record_id)
        if newer:
            return self._say(after, data.place, data.place_version)
        return None if after == state else Change(after)

    async def by_other_boundaries(self, state: LocatedRequest) -> Change[LocatedRequest] | None:
        """Other boundary sets came into force: say again where the request is, if somebody still
        works on it and the answer is another one. A repeat changes nothing."""
        if state.lifecycle != "active" or state.finished or state.location is None:
            return None
        found = self.resolver.again(state.location, self.resolver.boundaries())
        if found is None or areas_of(found) == areas_of(state.location):
            return None
        said = located(
            state.record_id, state.version + 1, state.place_version, found, self.clock
        ).because_of_boundaries()
        return Change(state.relocated(said), (Outgoing(said),))

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
