"""Boundary sets are kept the same way in memory and in the database."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

import pytest

from deploy.local.stack import Stack
from direct311.geo.boundaries.adapters.mongo import MongoBoundarySets
from direct311.geo.boundaries.adapters.packaged import packaged_county
from direct311.geo.boundaries.domain import BoundarySet, Feature, Finding
from direct311.geo.boundaries.ports import BoundarySets
from direct311.geo.boundary_changes.adapters import MongoBoundaryVersions, MongoWalks
from direct311.geo.boundary_changes.domain import (
    BoundaryVersion,
    Comparison,
    HistoryEntry,
    Walk,
)
from direct311.geo.boundary_changes.ports import BoundaryVersions, Walks
from direct311.geo.places.adapters import MongoDifferences, MongoLocations, MongoStoredPlaces
from direct311.geo.places.domain import Areas, Difference, LocatedRequest
from direct311.geo.places.ports import Differences, StoredPlaces
from direct311.runtime.messaging.records import Write
from direct311.runtime.storage import database as mongo
from direct311.runtime.storage.database import Database, MongoRecords
from direct311.schemas.events import LocationResolved
from tests.support.geo import (
    InMemoryBoundarySets,
    InMemoryBoundaryVersions,
    InMemoryDifferences,
    InMemoryStoredPlaces,
    InMemoryWalks,
)

pytestmark = [pytest.mark.wire, pytest.mark.anyio]

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SQUARE = {"type": "Polygon", "coordinates": [[[-80, 25], [-79, 25], [-79, 26], [-80, 25]]]}


def of(layer: str, label: str, *names: str) -> BoundarySet:
    features = [Feature(name, name, SQUARE) for name in names]
    return BoundarySet.of(layer, label, features, source="test", licence="none", repaired=names[:1])


REQUESTS = [
    LocatedRequest(record_id=f"r-{number}", version=1, place_version=1) for number in range(3)
]


@dataclass(frozen=True)
class Stores:
    """Everything that the way into force keeps."""

    versions: BoundaryVersions
    walks: Walks
    differences: Differences
    places: StoredPlaces


@asynccontextmanager
async def opened(servers: Stack) -> AsyncIterator[Database]:
    """Geo's own database with geo's own rights, emptied."""
    lines = (servers.root / "env" / "geo.env").read_text().splitlines()
    settings = dict(line.removeprefix("GEO_").split("=", 1) for line in lines if "=" in line)
    database = mongo.connect(settings["DATABASE_URL"], settings["DATABASE_NAME"])
    for name in (
        "boundary_sets",
        "boundary_features",
        "boundaries_in_force",
        "boundary_versions",
        "boundary_walks",
        "boundary_differences",
        "records",
    ):
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


async def test_a_kept_set_comes_into_force_by_a_swap_alone(sets: BoundarySets) -> None:
    first, second = of("zip", "1", "33142"), of("zip", "2", "33142", "33143")
    await sets.keep(first, "admin-1", NOW)
    await sets.keep(second, "admin-2", NOW)
    await sets.keep(second, "somebody else", NOW)
    assert await sets.in_force() == {}
    assert await sets.known("zip", second.version)
    assert not await sets.known("zip", "another")
    assert not await sets.swap("zip", "another", first.version)
    assert await sets.in_force() == {}
    assert await sets.swap("zip", None, first.version)
    assert not await sets.swap("zip", None, second.version)
    assert await sets.swap("zip", first.version, second.version)
    assert await sets.swap("zip", first.version, second.version)
    assert await sets.in_force() == {"zip": second.version}
    assert {one.imported_by for one in await sets.list()} == {"admin-1", "admin-2"}
    assert await sets.swap("zip", second.version, None)
    assert await sets.in_force() == {}


@pytest.fixture(params=["memory", "database"])
async def stores(request: pytest.FixtureRequest) -> AsyncIterator[Stores]:
    if request.param == "memory":
        places = InMemoryStoredPlaces()
        places.kept = {each.record_id: each for each in REQUESTS}
        yield Stores(InMemoryBoundaryVersions(), InMemoryWalks(), InMemoryDifferences(), places)
        return
    async with opened(request.getfixturevalue("servers")) as database:
        differences = MongoDifferences(database["boundary_differences"])
        await differences.prepare()
        records: MongoRecords[LocatedRequest] = MongoRecords(database["records"], LocatedRequest)
        await records.commit([Write(0, state, (), NOW) for state in REQUESTS])
        yield Stores(
            MongoBoundaryVersions(database["boundary_versions"]),
            MongoWalks(database["boundary_walks"]),
            differences,
            MongoStoredPlaces(records),
        )


async def test_a_version_is_replaced_only_as_it_was_read(stores: Stores) -> None:
    one = BoundaryVersion(
        set_id="set-1",
        layer="zip",
        version="1+abc",
        checks=(Finding(kind="overlap", features=("1", "2"), area_m2=2.5),),
        comparison=Comparison(base={"zip": "1+a.b"}, by={"zip": 2}, compared_at=NOW),
        proposed_by="adam",
        history=(HistoryEntry(act="proposed", by="adam", at=NOW),),
    )
    assert await stores.versions.get("set-1") is None
    assert await stores.versions.add(one)
    assert not await stores.versions.add(one)
    assert await stores.versions.get("set-1") == one
    approved = one.approved("olga", NOW, NOW)
    assert await stores.versions.replace(approved)
    assert not await stores.versions.replace(one.rejected("olga", NOW, "for no reason"))
    assert await stores.versions.get("set-1") == approved.rewritten()
    assert list(await stores.versions.list()) == [approved.rewritten()]


async def test_a_walk_is_kept(stores: Stores) -> None:
    assert await stores.walks.get() is None
    walk = Walk(versions={"zip": "1+abc"}, not_before=NOW)
    for each in (walk, walk.past("r-7"), walk.finished()):
        await stores.walks.put(each)
        assert await stores.walks.get() == each


async def test_differences_are_listed_by_set_and_forgotten_by_record(stores: Stores) -> None:
    areas = Areas(outcome="resolved", municipality="Hialeah", layers={"beat": "4"})
    found = [
        Difference(set_id=set_id, record_id=record_id, open=True, before=areas, after=areas)
        for set_id in ("a", "b")
        for record_id in ("r-1", "r-2", "r-3")
    ]
    await stores.differences.put(found)
    await stores.differences.put(found[:2])
    assert list(await stores.differences.of_set("a", "", 2)) == found[:2]
    assert list(await stores.differences.of_set("a", "r-2", 2)) == found[2:3]
    assert await stores.differences.forget("r-1") == 2
    await stores.differences.clear("a")
    assert list(await stores.differences.of_set("a", "", 9)) == []
    assert list(await stores.differences.of_set("b", "", 9)) == found[4:]


async def test_stored_places_come_in_the_order_of_their_ids(stores: Stores) -> None:
    assert [each.record_id for each in await stores.places.after("", 2)] == ["r-0", "r-1"]
    assert list(await stores.places.after("r-1", 2)) == [REQUESTS[2]]
    assert list(await stores.places.after("r-2", 2)) == []


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
