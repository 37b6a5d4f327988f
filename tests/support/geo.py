"""Geo's ports in memory."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from direct311.geo.addresses.adapters import data_files
from direct311.geo.addresses.adapters.gazetteer import InMemoryGazetteer, known_streets
from direct311.geo.addresses.domain.gazetteer import KnownAddress
from direct311.geo.boundaries.domain import BoundarySet, ImportedSet
from direct311.geo.boundaries.ports import Boundaries
from direct311.geo.boundary_changes.domain import BoundaryVersion, Walk
from direct311.geo.places.domain import Difference, LocatedRequest
from direct311.geo.places.handlers.resolve import Resolver


def resolver_of(
    boundaries: Callable[[], Boundaries], known: Iterable[KnownAddress] = ()
) -> Resolver:
    """A resolver with the packaged data, which knows these addresses."""
    gazette = data_files.gazette()
    reader = data_files.address_reader(gazette)
    readings = data_files.readings(reader)
    grids = data_files.street_grids()
    known = list(known)
    return Resolver(
        boundaries,
        InMemoryGazetteer(known),
        grids,
        reader,
        gazette,
        readings,
        known_streets(known, grids.county.named, readings),
    )


@dataclass(frozen=True)
class At:
    """A clock that stands still."""

    instant: datetime

    def now(self) -> datetime:
        return self.instant


class InMemoryBoundarySets:
    """Implements `BoundarySets`."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], tuple[BoundarySet, str, datetime]] = {}
        self._in_force: dict[str, str] = {}
        self.loads = 0

    async def in_force(self) -> Mapping[str, str]:
        return dict(self._in_force)

    async def load(self, versions: Mapping[str, str]) -> Sequence[BoundarySet]:
        self.loads += 1
        return [self._kept[version][0] for version in sorted(versions.items())]

    async def put(self, one: BoundarySet, imported_by: str, at: datetime) -> None:
        self._kept[one.layer, one.version] = (one, imported_by, at)
        self._in_force[one.layer] = one.version

    async def keep(self, one: BoundarySet, imported_by: str, at: datetime) -> None:
        self._kept.setdefault((one.layer, one.version), (one, imported_by, at))

    async def known(self, layer: str, version: str) -> bool:
        return (layer, version) in self._kept

    async def swap(self, layer: str, before: str | None, after: str | None) -> bool:
        if self._in_force.get(layer) == before:
            self._in_force.pop(layer, None)
            if after is not None:
                self._in_force[layer] = after
        return self._in_force.get(layer) == after

    async def list(self) -> Sequence[ImportedSet]:
        found = [
            ImportedSet(
                layer=one.layer,
                version=one.version,
                source=one.source,
                licence=one.licence,
                approximate=one.approximate,
                agreement=one.agreement,
                features=len(one.features),
                repaired=one.repaired,
                imported_by=imported_by,
                imported_at=at,
                in_force=self._in_force.get(one.layer) == one.version,
            )
            for one, imported_by, at in self._kept.values()
        ]
        return sorted(found, key=lambda one: (one.layer, -one.imported_at.timestamp()))


class InMemoryBoundaryVersions:
    """Implements `BoundaryVersions`."""

    def __init__(self) -> None:
        self._kept: dict[str, BoundaryVersion] = {}

    async def get(self, set_id: str) -> BoundaryVersion | None:
        return self._kept.get(set_id)

    async def add(self, version: BoundaryVersion) -> bool:
        if version.set_id in self._kept:
            return False
        self._kept[version.set_id] = version
        return True

    async def replace(self, version: BoundaryVersion) -> bool:
        kept = self._kept.get(version.set_id)
        if kept is None or kept.revision != version.revision:
            return False
        self._kept[version.set_id] = version.rewritten()
        return True

    async def list(self) -> Sequence[BoundaryVersion]:
        return [self._kept[set_id] for set_id in sorted(self._kept)]


class InMemoryWalks:
    """Implements `Walks`."""

    def __init__(self) -> None:
        self._walk: Walk | None = None

    async def get(self) -> Walk | None:
        return self._walk

    async def put(self, walk: Walk) -> None:
        self._walk = walk


class InMemoryDifferences:
    """Implements `Differences`."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], Difference] = {}

    async def put(self, differences: Sequence[Difference]) -> None:
        self._kept |= {(each.set_id, each.record_id): each for each in differences}

    async def of_set(self, set_id: str, after: str, limit: int) -> Sequence[Difference]:
        found = sorted(key for key in self._kept if key[0] == set_id and key[1] > after)
        return [self._kept[key] for key in found[:limit]]

    async def clear(self, set_id: str) -> None:
        self._kept = {key: each for key, each in self._kept.items() if key[0] != set_id}

    async def forget(self, record_id: str) -> int:
        gone = [key for key in self._kept if key[1] == record_id]
        for key in gone:
            del self._kept[key]
        return len(gone)


class InMemoryStoredPlaces:
    """Implements `StoredPlaces`."""

    def __init__(self) -> None:
        self.kept: dict[str, LocatedRequest] = {}

    async def after(self, record_id: str, limit: int) -> Sequence[LocatedRequest]:
        found = sorted(each for each in self.kept if each > record_id)
        return [self.kept[each] for each in found[:limit]]


class InMemoryLocations:
    """Implements `Locations` with given counts."""

    def __init__(self, counts: Mapping[str, int]) -> None:
        self._counts = counts

    async def count(self) -> Mapping[str, int]:
        return self._counts
