"""Clients, quotas and counts on the real database, with two copies at work on them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import timedelta

import pytest

from deploy.local.stack import Stack
from direct311.intake.clients.adapters.mongo import (
    MongoClients,
    MongoCounts,
    MongoQuotas,
    MongoSalts,
)
from direct311.intake.clients.domain.clients import Client, Quota, hashed, new_key
from direct311.intake.clients.handlers.quotas import Quotas
from direct311.intake.clients.ports import KnownClients, QuotaStore, SharedCounts
from direct311.runtime.storage.database import Database
from tests.support.quotas import InMemoryClients, InMemoryCounts, InMemoryQuotas
from tests.support.runtime import NOW, SetClock, database_of_its_own

pytestmark = pytest.mark.anyio


@pytest.fixture
async def database(servers: Stack) -> AsyncIterator[Database]:
    async with database_of_its_own(servers) as database:
        yield database


BOTH = ["memory", pytest.param("database", marks=pytest.mark.wire)]


@pytest.fixture(params=BOTH)
def quotas(request: pytest.FixtureRequest) -> QuotaStore:
    if request.param == "memory":
        return InMemoryQuotas()
    return MongoQuotas(request.getfixturevalue("database")["quotas"])


@pytest.fixture(params=BOTH)
def counts(request: pytest.FixtureRequest) -> Callable[[], SharedCounts]:
    """The counts, as another copy of the service sees them."""
    if request.param == "memory":
        kept = InMemoryCounts()
        return lambda: kept
    database: Database = request.getfixturevalue("database")
    return lambda: MongoCounts(database["reads"])


Known = Callable[[Sequence[Client]], Awaitable[KnownClients]]


@pytest.fixture(params=BOTH)
def known(request: pytest.FixtureRequest) -> Known:
    """What a copy of the service knows of these clients."""

    async def in_memory(clients: Sequence[Client]) -> KnownClients:
        return InMemoryClients(clients)

    if request.param == "memory":
        return in_memory
    database: Database = request.getfixturevalue("database")

    async def stored(clients: Sequence[Client]) -> KnownClients:
        found = MongoClients(database["clients"], database["uses"], SetClock())
        for each in clients:
            assert await found.add(each)
        return found

    return stored


def _client(name: str = "c") -> tuple[str, Client]:
    key, kept = new_key("test", f"{name}-1", NOW, None)
    return key, Client(
        client_id=name, name="C", environment="test", created_at=NOW, keys=(kept,), origins=("o",)
    )


async def test_a_client_is_known_by_its_keys_and_its_origins(known: Known) -> None:
    (key, one), (other_key, other) = _client("one"), _client("other")
    revoked = other.model_copy(update={"revoked_at": NOW, "origins": ("https://gone.example",)})
    clients = await known([one, revoked])
    assert clients.by_key(hashed(key)) == one
    # Whether its key is still good is decided by who asks.
    assert clients.by_key(hashed(other_key)) == revoked
    assert clients.by_key(hashed("no such key")) is None
    assert clients.has_origin("o")
    assert not clients.has_origin("https://gone.example")
    assert not clients.has_origin("https://elsewhere.example")
    clients.note_use("k-1")


@pytest.mark.wire
async def test_a_change_reaches_the_other_copy_with_its_next_look(database: Database) -> None:
    clock = SetClock()
    one, two = (MongoClients(database["clients"], database["uses"], clock) for _ in range(2))
    await two.refresh()
    key, client = _client()
    assert await one.add(client)
    assert not await one.add(client)
    assert one.by_key(hashed(key)) == client
    assert two.by_key(hashed(key)) is None
    assert await two.refresh()
    assert not await two.refresh()
    assert two.by_key(hashed(key)) == client
    assert two.has_origin("o")

    revoked = client.model_copy(update={"revoked_at": NOW, "version": 2})
    assert await one.replace(revoked)
    # Whoever had looked before is told that somebody else was faster.
    assert not await two.replace(revoked)
    await two.refresh()
    found = two.by_key(hashed(key))
    assert found is not None
    assert found.revoked_at == NOW
    assert not two.has_origin("o")
    assert [each.client_id for each in await two.all()] == ["c"]


@pytest.mark.wire
async def test_a_change_whose_count_was_lost_is_found_all_the_same(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    clients = MongoClients(database["clients"], database["uses"], SetClock())
    key, client = _client()
    await clients.add(client)
    await database["clients"].update_one({"_id": "c"}, {"$set": {"name": "D"}})
    assert not await clients.refresh()
    monkeypatch.setattr(MongoClients, "WHOLE_SECONDS", 0.0)
    assert await clients.refresh()
    found = clients.by_key(hashed(key))
    assert found is not None
    assert found.name == "D"


@pytest.mark.wire
async def test_uses_are_written_together_and_never_backwards(database: Database) -> None:
    clock = SetClock()
    clients = MongoClients(database["clients"], database["uses"], clock)
    for _ in range(100):
        clients.note_use("k-1")
    clients.note_use("k-2")
    await clients.settle()
    clock.at -= timedelta(hours=1)
    clients.note_use("k-1")
    await clients.settle()
    await clients.settle()
    assert await clients.used() == {"k-1": NOW, "k-2": NOW}


@pytest.mark.wire
async def test_two_copies_and_a_third_after_them_never_exceed_the_quota(
    database: Database,
) -> None:
    clock = SetClock()
    store = MongoQuotas(database["quotas"])
    quota = Quota(minute=300, day=None)

    async def calls(copy: Quotas, count: int) -> int:
        return sum([await copy.take("c", quota) is None for _ in range(count)])

    copies = [Quotas(store, clock) for _ in range(2)]
    # Many callers of each copy, at once.
    let_in = sum(await asyncio.gather(*(calls(copy, 60) for copy in copies for _ in range(4))))
    assert let_in <= 300
    taken = await database["quotas"].find_one({})
    assert taken is not None
    assert taken["taken"] == 300
    for copy in copies:
        await copy.close()
    clock.at += timedelta(seconds=1)
    # What they had not used up is there for the one that comes after a restart: all of it.
    let_in += await calls(Quotas(store, clock), 300)
    assert let_in == 300

    await store.forget(clock.at)
    assert await database["quotas"].count_documents({}) == 1
    await store.forget(clock.at + timedelta(days=1))
    assert await database["quotas"].count_documents({}) == 0


async def test_many_copies_that_ask_at_once_get_together_what_there_is(quotas: QuotaStore) -> None:
    until = NOW + timedelta(minutes=1)

    async def ask() -> int:
        return sum([(await quotas.take("w", 1, 100, until))[0] for _ in range(30)])

    assert sum(await asyncio.gather(*(ask() for _ in range(6)))) == 100


async def test_a_limit_that_was_lowered_takes_nothing_back(quotas: QuotaStore) -> None:
    until = NOW + timedelta(minutes=1)
    assert await quotas.take("w", 30, 100, until) == (30, 70)
    assert await quotas.take("w", 30, 20, until) == (0, 0)
    assert await quotas.take("w", 99, 100, until) == (70, 0)
    await quotas.give_back("w", 500)
    assert await quotas.take("w", 1, 100, until) == (0, 0)
    await quotas.give_back("w", 5)
    assert await quotas.take("w", 9, 100, until) == (5, 0)


async def test_copies_add_to_the_same_counts(counts: Callable[[], SharedCounts]) -> None:
    one, two = counts(), counts()
    assert await one.add({"a": 3, "b": 1}, NOW) == {"a": 3, "b": 1}
    assert await two.add({"a": 4}, NOW) == {"a": 7}


@pytest.mark.wire
async def test_counts_are_forgotten_with_time(database: Database) -> None:
    one = MongoCounts(database["reads"])
    await one.add({"a": 3, "b": 1}, NOW)
    await one.forget(NOW + timedelta(hours=1))
    assert await database["reads"].count_documents({}) == 0


@pytest.mark.wire
async def test_copies_share_a_days_salt_and_it_goes_with_the_day(database: Database) -> None:
    one, two = MongoSalts(database["salts"]), MongoSalts(database["salts"])
    salts = await asyncio.gather(one.of("2026-03-02", b"a" * 32), two.of("2026-03-02", b"b" * 32))
    assert salts[0] == salts[1]
    assert await two.of("2026-03-03", b"c" * 32) == b"c" * 32
    assert [each["_id"] async for each in database["salts"].find()] == ["2026-03-03"]
