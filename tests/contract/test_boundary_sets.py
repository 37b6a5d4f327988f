"""Boundary sets are kept the same way in memory and in the database."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Literal

import pytest

from deploy.local.stack import Stack
from direct311.geo.boundaries.adapters.mongo import MongoBoundarySets
from direct311.geo.boundaries.adapters.packaged import packaged_county
from direct311.geo.boundaries.domain import BoundarySet, Feature
from direct311.geo.boundaries.ports import BoundarySets
from direct311.geo.places.adapters import MongoLocations
from direct311.geo.places.domain import LocatedRequest
from direct311.runtime.messaging.records import Write
from direct311.runtime.storage import database as mongo
from direct311.runtime.storage.database import Database, MongoRecords
from direct311.schemas.events import LocationResolved
from tests.support.geo import InMemoryBoundarySets

pytestmark = [pytest.mark.wire, pytest.mark.anyio]

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SQUARE = {"type": "Polygon", "coordinates": [[[-80, 25], [-79, 25], [-79, 26], [-80, 25]]]}


def of(layer: str, label: str, *names: str) -> BoundarySet:
    features = [Feature(name, name, SQUARE) for name in names]
    return BoundarySet.of(layer, label, features, source="test", licence="none", repaired=names[:1])


@asynccontextmanager
async def opened(servers: Stack) -> AsyncIterator[Database]:
    """Geo's own database with geo's own rights, emptied."""
    lines = (servers.root / "env" / "geo.env").read_text().splitlines()
    settings = dict(line.removeprefix("GEO_").split("=", 1) for line in lines if "=" in line)
    database = mongo.connect(settings["DATABASE_URL"], settings["DATABASE_NAME"])
    for name in ("boundary_sets", "boundary_features", "boundaries_in_force", "records"):
        await database[name].delete_many({})
    yield database
    mongo.disconnect(database)


@pytest.fixture(params=["memory", "database"])
async def sets(request: pytest.FixtureRequest) -> AsyncIterator[BoundarySets]:
    if request.param == "memory":
        yield InMemoryBoundarySets()
        return
    async with opened(request.getfixturevalue("servers")) as database:
        kept = MongoBoundarySets(database)
        await kept.prepare()
        yield kept


async def test_nothing_is_in_force_at_first(sets: BoundarySets) -> None:
    assert await sets.in_force() == {}
    assert list(await sets.list()) == []
    assert list(await sets.load({})) == []


async def test_a_set_comes_back_as_it_was_put(sets: BoundarySets) -> None:
    one, other = of("parks_district", "2026", "A", "B", "C"), of("zip", "", "33142")
    await sets.put(one, "admin-1", NOW)
    await sets.put(other, "admin-1", NOW)
    in_force = await sets.in_force()
    assert in_force == {"parks_district": one.version, "zip": other.version}
    assert list(await sets.load(in_force)) == [one, other]


async def test_the_packaged_county_survives_the_way(sets: BoundarySets) -> None:
    for one in packaged_county():
        await sets.put(one, "packaged", NOW)
    found = await sets.load(await sets.in_force())
    assert [one.version for one in found] == [one.version for one in packaged_county()]
    assert [BoundarySet.of(
        one.layer, one.label, one.features, source=one.source, licence=one.licence,
        approximate=one.approximate, agreement=one.agreement, repaired=one.repaired,
    ) for one in found] == list(found)  # fmt: skip


async def test_a_later_set_replaces_and_the_earlier_stays_loadable(sets: BoundarySets) -> None:
    first, second = of("zip", "1", "33142"), of("zip", "2", "33142", "33143")
    await sets.put(first, "admin-1", NOW)
    await sets.put(second, "admin-2", NOW + timedelta(minutes=1))
    assert await sets.in_force() == {"zip": second.version}
    assert list(await sets.load({"zip": first.version})) == [first]
    listed = [
        (one.version, one.in_force, one.imported_by, one.features) for one in await sets.list()
    ]
    assert listed == [
        (second.version, True, "admin-2", 2),
        (first.version, False, "admin-1", 1),
    ]


async def test_the_same_set_again_is_the_same_set(sets: BoundarySets) -> None:
    one = of("zip", "1", "33142", "33143")
    for _ in range(2):
        await sets.put(one, "admin-1", NOW)
    assert len(await sets.list()) == 1
    assert list(await sets.load(await sets.in_force())) == [one]


async def test_located_requests_are_counted_by_outcome(servers: Stack) -> None:
    located = []
    outcomes: tuple[Literal["resolved", "unresolved"], ...] = ("resolved", "resolved", "unresolved")
    for number, outcome in enumerate(outcomes):
        location = LocationResolved(
            record_id=f"r-{number}",
            version=1,
            place_version=1,
            outcome=outcome,
            layers={"place": "Kendall"},
            boundary_sets={"zip": "1+abc"},
            resolved_at=NOW,
        )
        located.append(LocatedRequest(record_id=f"r-{number}", version=1, location=location))
    async with opened(servers) as database:
        records: MongoRecords[LocatedRequest] = MongoRecords(database["records"], LocatedRequest)
        await records.prepare(MongoLocations.INDEXES)
        assert await records.commit([Write(0, state, (), NOW) for state in located]) == set()
        counts = await MongoLocations(records.collection).count()
        assert counts == {"resolved": 2, "unresolved": 1}
        assert (await records.load(["r-0"]))["r-0"].state == located[0]
