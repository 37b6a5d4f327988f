"""The boundary sets in force: taken, replaced, noticed."""

import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from direct311.geo.boundaries.adapters.packaged import packaged_county
from direct311.geo.boundaries.adapters.shapes import ShapeBoundaries, read_boundary_set
from direct311.geo.boundaries.domain import BoundarySet
from direct311.geo.boundaries.handlers import Atlas
from tests.support.geo import At, InMemoryBoundarySets
from tests.unit.geo.boundaries.test_boundaries import collection, county, square, towns

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
    await sets.put(towns(), "admin-1", CLOCK.now())
    again = atlas(sets)
    await again.prepare()
    assert again.loaded()["municipality"] == towns().version
    assert again.current().locate(25.65, -80.35).municipality == "West"


async def test_a_swap_shows_at_once_here_and_at_the_next_look_elsewhere() -> None:
    sets = InMemoryBoundarySets()
    here, elsewhere = atlas(sets), atlas(sets)
    await here.prepare()
    await elsewhere.prepare()
    await sets.keep(towns(), "admin-1", CLOCK.now())
    packaged = here.loaded()["municipality"]
    assert await here.swap("municipality", packaged, towns().version)
    assert here.current().locate(25.65, -80.35).municipality == "West"
    assert elsewhere.current().locate(25.65, -80.35).municipality != "West"
    await elsewhere.refresh()
    assert elsewhere.current().locate(25.65, -80.35).municipality == "West"


async def test_nothing_is_loaded_twice() -> None:
    sets = InMemoryBoundarySets()
    world = Atlas(sets, build, tuple, CLOCK)
    await sets.put(county(), "admin-1", CLOCK.now())
    for _ in range(3):
        await world.refresh()
    assert sets.loads == 1


async def test_a_swap_needs_the_version_that_is_in_force() -> None:
    sets = InMemoryBoundarySets()
    world = Atlas(sets, build, tuple, CLOCK)
    await sets.put(county(), "admin-1", CLOCK.now())
    await sets.keep(towns(), "admin-1", CLOCK.now())
    assert not await world.swap("municipality", "another", towns().version)
    assert "municipality" not in world.loaded()
    assert await world.swap("municipality", None, towns().version)
    assert await world.swap("municipality", towns().version, None)
    assert "municipality" not in world.loaded()


class MixedError(Exception):
    """An answer names areas of two editions."""


async def test_boundaries_swapped_under_load_give_no_mixed_answer() -> None:
    """Two editions of every layer name their areas after themselves. Threads ask all the time while
    the editions change places; each answer is of the edition whose version it gives."""
    sets = InMemoryBoundarySets()
    editions = {name: edition(name) for name in ("old", "new")}
    for one in editions["old"]:
        await sets.put(one, "admin-1", CLOCK.now())
    for one in editions["new"]:
        await sets.keep(one, "admin-1", CLOCK.now())
    names = {one.version: name for name, ones in editions.items() for one in ones}
    world = Atlas(sets, build, tuple, CLOCK)
    await world.prepare()
    stop = threading.Event()

    def ask() -> int:
        asked = 0
        while not stop.is_set():
            said = world.current().locate(25.65, -80.35)
            given = {layer: names[version] for layer, version in said.boundary_sets.items()}
            told = {
                "municipality": said.municipality,
                "ward": said.layers["ward"],
                "beat": said.layers["beat"],
            }
            if any(given[layer] != name for layer, name in told.items()):
                raise MixedError
            asked += 1
        return asked

    with ThreadPoolExecutor(3) as threads:
        asking = [threads.submit(ask) for _ in range(3)]
        for turn in range(60):
            layer = ("municipality", "ward", "beat")[turn % 3]
            version = {one.layer: one.version for one in editions["new" if turn % 6 < 3 else "old"]}
            assert await world.swap(layer, world.loaded()[layer], version[layer])
        stop.set()
        assert sum(each.result() for each in asking) > 100


def edition(name: str) -> list[BoundarySet]:
    ring = square(-80.4, 25.6)
    return [
        read_boundary_set(collection(({"code": "1", "name": name}, ring)), layer=layer)
        for layer in ("municipality", "ward", "beat")
    ]
