"""Geo's ports in memory."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from direct311.geo.addresses.adapters import data_files
from direct311.geo.addresses.adapters.gazetteer import InMemoryGazetteer, known_streets
from direct311.geo.addresses.domain.gazetteer import KnownAddress
from direct311.geo.boundaries.domain import BoundarySet, ImportedSet
from direct311.geo.boundaries.ports import Boundaries
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
                in_force=self._in_force[one.layer] == one.version,
            )
            for one, imported_by, at in self._kept.values()
        ]
        return sorted(found, key=lambda one: (one.layer, -one.imported_at.timestamp()))


class InMemoryLocations:
    """Implements `Locations` with given counts."""

    def __init__(self, counts: Mapping[str, int]) -> None:
        self._counts = counts

    async def count(self) -> Mapping[str, int]:
        return self._counts
