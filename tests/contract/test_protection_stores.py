"""How an entry of the protection registry ends: the fake and the real database."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import timedelta

import pytest

from deploy.local.stack import Stack
from direct311.intake.indexes.ports import Protections
from direct311.intake.protection.adapters.mongo import MongoProtections
from direct311.intake.protection.domain import Ending, Protection
from direct311.intake.protection.handlers.protect import ProtectionStore
from tests.support.intake import InMemoryRegistry
from tests.support.protections import InMemoryProtections
from tests.support.runtime import NOW, database_of_its_own

pytestmark = pytest.mark.anyio

WEEK = timedelta(days=7)
PROPOSED = Ending(ending_id="e-1", reference="PR-7", proposed_at=NOW, proposed_by="carla")
CONFIRMED = PROPOSED.model_copy(
    update={"confirmed_at": NOW, "confirmed_by": "otto", "ends_at": NOW + WEEK}
)
ENTRY = Protection(
    protection_id="p-1",
    reference="PR-1",
    citation="section 119.071(4)(d)2.a., F.S.",
    kinds=("phone",),
    hashes=("1:a", "1:b"),
    received_at=NOW,
)


@pytest.fixture(params=["memory", pytest.param("database", marks=pytest.mark.wire)])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[ProtectionStore]:
    if request.param == "memory":
        yield InMemoryProtections()
        return
    servers: Stack = request.getfixturevalue("servers")
    async with database_of_its_own(servers) as database:
        yield MongoProtections(database["protections"])


async def _ending(store: ProtectionStore) -> Ending | None:
    found = await store.get("p-1")
    assert found is not None
    return found.ending


async def test_the_first_who_proposes_and_the_first_who_confirms_count(
    store: ProtectionStore,
) -> None:
    await store.add(ENTRY)
    assert await _ending(store) is None
    await store.propose_ending("p-1", PROPOSED)
    other = PROPOSED.model_copy(update={"ending_id": "e-2", "proposed_by": "berta"})
    await store.propose_ending("p-1", other)
    assert await _ending(store) == PROPOSED
    await store.confirm_ending("p-1", CONFIRMED.model_copy(update={"ending_id": "e-2"}))
    assert await _ending(store) == PROPOSED
    await store.confirm_ending("p-1", CONFIRMED)
    later = {"confirmed_by": "olga", "ends_at": NOW}
    await store.confirm_ending("p-1", CONFIRMED.model_copy(update=later))
    assert await _ending(store) == CONFIRMED


async def test_an_entry_ends_when_it_is_due_and_once(store: ProtectionStore) -> None:
    await store.add(ENTRY)
    await store.propose_ending("p-1", PROPOSED)
    late = NOW + timedelta(days=400)
    assert await store.due_endings(late) == []
    assert await store.end("p-1", "e-1", late) is None
    await store.confirm_ending("p-1", CONFIRMED)
    early = NOW + WEEK - timedelta(milliseconds=1)
    assert await store.due_endings(early) == []
    assert await store.end("p-1", "e-1", early) is None
    assert await store.end("p-1", "e-2", NOW + WEEK) is None
    assert [each.protection_id for each in await store.due_endings(NOW + WEEK)] == ["p-1"]
    assert await store.end("p-1", "e-1", NOW + WEEK) == ("1:a", "1:b")
    assert await store.end("p-1", "e-1", NOW + WEEK) is None
    assert await store.due_endings(NOW + WEEK) == []
    found = await store.get("p-1")
    assert found is not None
    assert (found.withdrawn_at, found.withdrawn_by, found.hashes) == (NOW + WEEK, "carla", ())
    assert found.ending == CONFIRMED
    # What has ended is not proposed, confirmed or undone any more.
    await store.undo_ending("p-1", "e-1")
    await store.propose_ending("p-1", PROPOSED.model_copy(update={"ending_id": "e-3"}))
    assert await _ending(store) == CONFIRMED


async def test_what_is_undone_is_not_due(store: ProtectionStore) -> None:
    await store.add(ENTRY)
    await store.propose_ending("p-1", PROPOSED)
    await store.confirm_ending("p-1", CONFIRMED)
    await store.undo_ending("p-1", "e-2")
    assert await _ending(store) == CONFIRMED
    await store.undo_ending("p-1", "e-1")
    assert await _ending(store) is None
    assert await store.end("p-1", "e-1", NOW + WEEK) is None
    await store.propose_ending("p-1", PROPOSED)
    assert await _ending(store) == PROPOSED


@pytest.mark.parametrize("turn", range(5))
async def test_of_an_undoing_and_the_end_at_once_one_wins(
    store: ProtectionStore, turn: int
) -> None:
    await store.add(ENTRY)
    await store.propose_ending("p-1", PROPOSED)
    await store.confirm_ending("p-1", CONFIRMED)

    ending = store.end("p-1", "e-1", NOW + WEEK)
    undoing = store.undo_ending("p-1", "e-1")
    if turn % 2:
        hashes, _ = await asyncio.gather(ending, undoing)
    else:
        _, hashes = await asyncio.gather(undoing, ending)
    ended = hashes is not None
    found = await store.get("p-1")
    assert found is not None
    assert (found.withdrawn_at is not None) == ended == (found.hashes == ())
    assert (found.ending is None) != ended


@pytest.mark.wire
async def test_an_entry_of_before_loads_and_ends(servers: Stack) -> None:
    async with database_of_its_own(servers) as database:
        store = MongoProtections(database["protections"])
        before = ENTRY.model_dump(mode="python", exclude={"ending", "protection_id"})
        await database["protections"].insert_one({**before, "_id": "p-1"})
        assert await _ending(store) is None
        await store.propose_ending("p-1", PROPOSED)
        await store.confirm_ending("p-1", CONFIRMED)
        assert await store.end("p-1", "e-1", NOW + WEEK) == ("1:a", "1:b")


Registered = Callable[[Sequence[str]], Awaitable[Protections]]


@pytest.fixture(params=["memory", pytest.param("database", marks=pytest.mark.wire)])
async def registered(request: pytest.FixtureRequest) -> AsyncIterator[Registered]:
    """A copy of the service that has read a registry with these hashes."""

    async def in_memory(hashes: Sequence[str]) -> Protections:
        return InMemoryRegistry(*hashes)

    if request.param == "memory":
        yield in_memory
        return
    servers: Stack = request.getfixturevalue("servers")
    async with database_of_its_own(servers) as database:

        async def stored(hashes: Sequence[str]) -> Protections:
            registry = MongoProtections(database["protections"])
            await registry.add(ENTRY.model_copy(update={"hashes": tuple(hashes)}))
            await registry.refresh()
            return registry

        yield stored


async def test_a_person_matches_by_one_of_their_hashes(registered: Registered) -> None:
    registry = await registered(["1:a", "1:b"])
    assert registry.version == 1
    assert registry.matches(["1:x", "1:b"])
    assert registry.matches(iter(["1:a"]))
    assert not registry.matches(["1:x", "2:a"])
    assert not registry.matches([])
