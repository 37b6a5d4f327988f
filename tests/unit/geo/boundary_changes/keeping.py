"""Geo with its boundary sets on their way into force, on stores in memory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from direct311.geo.boundaries.adapters.checks import check
from direct311.geo.boundaries.adapters.shapes import ShapeBoundaries, read_boundary_set
from direct311.geo.boundaries.domain import BoundarySet
from direct311.geo.boundaries.handlers import Atlas
from direct311.geo.boundary_changes.adapters import layer_rules
from direct311.geo.boundary_changes.domain import BoundaryVersion
from direct311.geo.boundary_changes.handlers.deciding import Decisions
from direct311.geo.boundary_changes.handlers.following import Compare, ResolveAnew
from direct311.geo.places.domain import LocatedRequest
from direct311.geo.places.handlers.requests import LocateRequest
from direct311.runtime.errors import RefusedError
from direct311.schemas import Event
from direct311.schemas import events as ev
from tests.support.geo import (
    InMemoryBoundarySets,
    InMemoryBoundaryVersions,
    InMemoryDifferences,
    InMemoryStoredPlaces,
    InMemoryWalks,
    resolver_of,
)
from tests.support.runtime import NOW, SetClock
from tests.unit.geo.boundaries.test_boundaries import collection, county, square

HERE = {"latitude": 25.65, "longitude": -80.35}


def towns(name: str, west: float = -80.4, *, label: str = "") -> BoundarySet:
    document = collection(({"GEOID": "1", "NAME": name}, square(west, 25.6)))
    return read_boundary_set(document, layer="municipality", label=label)


@dataclass
class Acts:
    """Implements `ActLog`: what was written down, or nothing while the log is away."""

    said: list[tuple[str, Sequence[str]]] = field(default_factory=list)
    away: bool = False

    async def write(
        self, act: str, version: BoundaryVersion, people: Sequence[str], at: datetime
    ) -> None:
        if self.away:
            raise RefusedError("audit_unavailable", "away")
        self.said.append((act, tuple(people)))


class Keeping:
    """Geo with a county, and the set of municipalities in force."""

    def __init__(self) -> None:
        self.clock = SetClock()
        self.sets = InMemoryBoundarySets()
        self.versions = InMemoryBoundaryVersions()
        self.places = InMemoryStoredPlaces()
        self.differences = InMemoryDifferences()
        self.walks = InMemoryWalks()
        self.acts = Acts()
        self.told: list[ev.LocationResolved] = []
        self.atlas = Atlas(
            self.sets,
            lambda found: ShapeBoundaries(found, "Unincorporated Miami-Dade"),
            tuple,
            self.clock,
        )
        self.resolver = resolver_of(self.atlas.current)
        self.locate = LocateRequest(self.resolver, self.clock, self.differences.forget)
        self.decisions = Decisions(
            self.sets, self.versions, self.atlas, self.acts, layer_rules(), self.clock
        )
        self.compare = self.comparing()
        self.anew = ResolveAnew(
            self.sets, self.atlas, self.walks, self.places, self.relocate, self.clock
        )

    def comparing(self) -> Compare:
        return Compare(
            self.sets,
            self.versions,
            self.atlas,
            self.places,
            self.differences,
            self.resolver.again,
            self.clock,
        )

    async def begin(self) -> "Keeping":
        for one in (county(), towns("Old Town")):
            await self.sets.put(one, "packaged", self.clock.now())
        await self.atlas.refresh()
        await self.anew.step()
        return self

    async def relocate(self, causes: Mapping[str, str]) -> None:
        for record_id in causes:
            state = self.places.kept[record_id]
            change = await self.locate.by_other_boundaries(state)
            if change is not None:
                self.places.kept[record_id] = change.state.written(state.version + 1)
                for each in change.events:
                    assert isinstance(each.data, ev.LocationResolved)
                    self.told.append(each.data)

    async def request(self, record_id: str, **place: float | str) -> None:
        data = ev.RequestCreated(
            record_id=record_id,
            version=1,
            jurisdiction_id="miamidade",
            service_code="POTHOLE",
            received_at=NOW,
            place=ev.Place.model_validate(place),
            policy=ev.PolicyAgreement(version="1", agreed="accepted"),
        )
        event = Event("0b8f2f62-4d0c-5c9b-8a44-9a4d8a8f3a51", "/geo", record_id, NOW, data)
        change = await self.locate.created(LocatedRequest(record_id=record_id), event)
        assert change is not None
        self.places.kept[record_id] = change.state.written(1)

    async def updated(self, record_id: str, **said: object) -> None:
        state = self.places.kept[record_id]
        data = ev.RequestUpdated.model_validate(
            {
                "record_id": record_id,
                "version": 2,
                "changed": ("status",),
                "service_code": "POTHOLE",
                "status": "routed",
                "updated_at": NOW,
                "received_at": NOW,
                "place": {},
                **said,
            }
        )
        event = Event("0b8f2f62-4d0c-5c9b-8a44-9a4d8a8f3a52", "/intake", record_id, NOW, data)
        change = await self.locate.updated(state, event)
        if change is not None:
            self.places.kept[record_id] = change.state.written(state.version + 1)

    async def proposed(self, one: BoundarySet, by: str = "adam") -> BoundaryVersion:
        found = await self.decisions.propose(one, check(one), by)
        await self.compare.step()
        return await self.decisions.one(found.set_id)

    async def approved(
        self, found: BoundaryVersion, by: str = "olga", since: datetime | None = None
    ) -> BoundaryVersion:
        return await self.decisions.approve(found.set_id, found.hash or "", by, since)

    def municipality(self) -> str | None:
        return self.atlas.current().locate(**HERE).municipality
