"""The boundary sets in force: taken, replaced, noticed."""

from collections.abc import Iterable
from datetime import UTC, datetime

import pytest

from direct311.geo.boundaries.adapters.packaged import packaged_county
from direct311.geo.boundaries.adapters.shapes import ShapeBoundaries
from direct311.geo.boundaries.domain import BoundarySet
from direct311.geo.boundaries.handlers import Atlas
from tests.support.geo import At, InMemoryBoundarySets
from tests.unit.geo.boundaries.test_boundaries import county, towns

pytestmark = pytest.mark.anyio
CLOCK = At(datetime(2026, 3, 1, 12, tzinfo=UTC))


def build(sets: Iterable[BoundarySet]) -> ShapeBoundaries:
    return ShapeBoundaries(sets, "Unincorporated Miami-Dade")


def atlas(sets: InMemoryBoundarySets) -> Atlas:
    return Atlas(sets, build, packaged_county, CLOCK)


async def test_a_new_database_gets_the_packaged_county() -> None:
    sets = InMemoryBoundarySets()
    world = atlas(sets)
    assert world.current().locate(25.87, -80.303).where == "unknown"
    await world.prepare()
    found = world.current().locate(25.87, -80.303)
    assert (found.municipality, found.approximate) == ("Hialeah", True)
    assert set(world.loaded()) == {
        "municipality", "unincorporated", "county", "zip", "commission_district"
    }  # fmt: skip
    assert {one.imported_by for one in await sets.list()} == {"packaged"}


async def test_a_newer_packaged_set_replaces_an_older_one() -> None:
    sets = InMemoryBoundarySets()
    old = Atlas(sets, build, lambda: [towns()], CLOCK)
    await old.prepare()
    assert old.current().locate(25.65, -80.35).municipality == "West"
    world = atlas(sets)
    await world.prepare()
    assert world.current().locate(25.65, -80.35).where == "unincorporated"


async def test_what_was_imported_is_not_replaced_by_what_is_packaged() -> None:
    sets = InMemoryBoundarySets()
    await atlas(sets).take(towns(), "admin-1")
    again = atlas(sets)
    await again.prepare()
    assert again.loaded()["municipality"] == towns().version
    assert again.current().locate(25.65, -80.35).municipality == "West"


async def test_an_import_shows_at_once_here_and_at_the_next_look_elsewhere() -> None:
    sets = InMemoryBoundarySets()
    here, elsewhere = atlas(sets), atlas(sets)
    await here.prepare()
    await elsewhere.prepare()
    await here.take(towns(), "admin-1")
    assert here.current().locate(25.65, -80.35).municipality == "West"
    assert elsewhere.current().locate(25.65, -80.35).municipality != "West"
    await elsewhere.refresh()
    assert elsewhere.current().locate(25.65, -80.35).municipality == "West"


async def test_nothing_is_loaded_twice() -> None:
    sets = InMemoryBoundarySets()
    world = Atlas(sets, build, tuple, CLOCK)
    await world.take(county(), "admin-1")
    for _ in range(3):
        await world.refresh()
    assert sets.loads == 1
