"""Wrapped keys are kept the same way in memory and in the database."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import cast

import pytest
from pymongo.errors import OperationFailure
from uuid_utils import compat

from deploy.local.stack import Stack
from direct311.runtime.storage.database import Collection, Database
from direct311.runtime.vault.keystore import MongoKeys
from direct311.runtime.vault.vault import KeyFetch, KeyStore, RecordKey
from tests.support.keys import InMemoryKeys
from tests.support.runtime import NOW, database_of_its_own

pytestmark = [pytest.mark.wire, pytest.mark.anyio]

DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def database(servers: Stack) -> AsyncIterator[Database]:
    async with database_of_its_own(servers) as database:
        await MongoKeys(database["keys"]).prepare()
        yield database


@pytest.fixture(params=["memory", "database"])
def keys(request: pytest.FixtureRequest) -> KeyStore:
    if request.param == "memory":
        return InMemoryKeys()
    return MongoKeys(request.getfixturevalue("database")["keys"])


def key(record_id: str, at: datetime = NOW, wrapped: bytes = b"wrapped") -> RecordKey:
    return RecordKey(record_id, "kek-1", wrapped + record_id.encode(), at)


async def test_a_key_is_fetched_as_it_was_inserted(keys: KeyStore) -> None:
    assert await keys.insert([key("a"), key("b")]) == set()
    assert await keys.fetch("a", "event-1", NOW) == key("a")
    assert await keys.fetch("nowhere", "event-2", NOW) is None


async def test_a_second_key_of_a_record_is_refused_and_the_first_one_stays(keys: KeyStore) -> None:
    await keys.insert([key("a")])
    refused = await keys.insert([key("a", wrapped=b"other"), key("b")])
    assert refused == {"a"}
    assert await keys.fetch("a", "event-1", NOW) == key("a")
    assert await keys.fetch("b", "event-2", NOW) == key("b")


async def test_no_keys_are_no_work(keys: KeyStore) -> None:
    assert await keys.insert([]) == set()


async def test_every_fetch_leaves_its_event_on_the_key(keys: KeyStore) -> None:
    await keys.insert([key("a"), key("b")])
    await keys.fetch("a", "event-1", NOW)
    await keys.fetch("b", "event-2", NOW + timedelta(seconds=1))
    await keys.fetch("a", "event-3", NOW + timedelta(seconds=2))
    assert list(await keys.fetches_after(NOW - DAY, 100)) == [
        KeyFetch("a", "event-1", NOW),
        KeyFetch("b", "event-2", NOW + timedelta(seconds=1)),
        KeyFetch("a", "event-3", NOW + timedelta(seconds=2)),
    ]
    assert list(await keys.fetches_after(NOW, 100)) == [
        KeyFetch("b", "event-2", NOW + timedelta(seconds=1)),
        KeyFetch("a", "event-3", NOW + timedelta(seconds=2)),
    ]
    assert list(await keys.fetches_after(NOW + DAY, 100)) == []


async def test_fetches_at_the_same_time_get_each_its_own_key_and_leave_each_its_event(
    keys: KeyStore,
) -> None:
    ids = [f"record-{number}" for number in range(5)]
    await keys.insert([key(record_id) for record_id in ids])
    wanted = [*ids, *ids, "nowhere"]
    found = await asyncio.gather(
        *(keys.fetch(record_id, f"event-{n}", NOW) for n, record_id in enumerate(wanted))
    )
    assert list(found) == [*(key(record_id) for record_id in wanted[:-1]), None]
    fetches = await keys.fetches_after(NOW - DAY, 100)
    assert sorted((each.record_id, each.event_id) for each in fetches) == sorted(
        (record_id, f"event-{n}") for n, record_id in enumerate(wanted[:-1])
    )


class Meeting:
    """A collection in which a statement over many documents meets another writer."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection

    def __getattr__(self, name: str) -> object:
        return getattr(self._collection, name)

    async def update_many(self, *_: object) -> None:
        raise OperationFailure("write conflict", 112)


async def test_fetches_that_meet_another_writer_are_marked_one_by_one(database: Database) -> None:
    keys = MongoKeys(database["keys"])
    await keys.insert([key("a"), key("b")])
    keys.collection = cast("Collection", Meeting(keys.collection))
    found = await asyncio.gather(
        keys.fetch("a", "one", NOW), keys.fetch("b", "two", NOW), keys.fetch("a", "three", NOW)
    )
    assert list(found) == [key("a"), key("b"), key("a")]
    fetches = await keys.fetches_after(NOW - DAY, 100)
    assert {(each.record_id, each.event_id) for each in fetches} == {
        ("a", "one"),
        ("b", "two"),
        ("a", "three"),
    }


async def test_a_fetch_of_no_key_leaves_nothing(keys: KeyStore) -> None:
    await keys.fetch("nowhere", "event-1", NOW)
    assert list(await keys.fetches_after(NOW - DAY, 100)) == []


async def test_a_destroyed_key_is_gone_and_its_fetches_stay(keys: KeyStore) -> None:
    await keys.insert([key("a")])
    await keys.fetch("a", "event-1", NOW)
    assert await keys.destroy("a")
    assert await keys.fetch("a", "event-2", NOW) is None
    assert list(await keys.fetches_after(NOW - DAY, 100)) == [KeyFetch("a", "event-1", NOW)]


async def test_a_destruction_that_is_repeated_gives_the_same_answer(keys: KeyStore) -> None:
    await keys.insert([key("a")])
    assert await keys.destroy("a")
    assert await keys.destroy("a")
    assert not await keys.destroy("nowhere")


async def test_a_destroyed_key_cannot_be_replaced_by_another(keys: KeyStore) -> None:
    await keys.insert([key("a")])
    await keys.destroy("a")
    assert await keys.insert([key("a", wrapped=b"other")]) == {"a"}
    assert await keys.fetch("a", "event-1", NOW) is None


async def test_pages_of_fetches_leave_none_out(keys: KeyStore) -> None:
    """Whoever asks again after the latest of a page that was full sees every fetch."""
    names = [f"record-{number:02}" for number in range(12)]
    await keys.insert([key(name) for name in names])
    wanted = set()
    for turn in range(3):
        for place, name in enumerate(names):
            at = NOW + timedelta(seconds=turn * 100 + place // 3)
            await keys.fetch(name, f"{name}/{turn}", at)
            wanted.add(f"{name}/{turn}")
    seen: list[KeyFetch] = []
    after = NOW - DAY
    for _ in range(40):
        page = await keys.fetches_after(after, 5)
        seen += page
        if len(page) < 5:
            break
        after = page[-1].at
    assert {fetch.event_id for fetch in seen} == wanted
    assert [fetch.at for fetch in seen] == sorted(fetch.at for fetch in seen)


# ---------------------------------------------------------------- the sweep, on the database alone


def id_of(at: datetime) -> str:
    """A UUIDv7 of that time."""
    return str(compat.uuid7(nanoseconds=int(at.timestamp()) * 10**9))


async def test_keys_that_no_record_ever_used_are_swept_after_a_day(database: Database) -> None:
    keys = MongoKeys(database["keys"])
    old = NOW - DAY - timedelta(minutes=1)
    used, orphan, young = id_of(old), id_of(old), id_of(NOW)
    await keys.insert([key(used, old), key(orphan, old), key(young)])
    await database["records"].insert_one({"_id": used})
    assert await keys.forget_unused(NOW - DAY, database["records"]) == 1
    assert await keys.fetch(orphan, "event", NOW) is None
    assert await keys.fetch(used, "event", NOW) == key(used, old)
    assert await keys.fetch(young, "event", NOW) == key(young)


async def test_a_new_key_of_an_older_record_is_left_to_who_seals_with_it(
    database: Database,
) -> None:
    keys = MongoKeys(database["keys"])
    late = id_of(NOW - DAY * 2)
    await keys.insert([key(late, NOW)])
    assert await keys.forget_unused(NOW - DAY, database["records"]) == 0
    assert await keys.forget_unused(NOW, database["records"]) == 0
    assert await keys.fetch(late, "event", NOW) == key(late, NOW)


async def test_a_new_key_of_an_older_record_is_swept_once_it_is_a_day_old(
    database: Database,
) -> None:
    keys = MongoKeys(database["keys"])
    orphan = id_of(NOW - DAY * 2)
    await keys.insert([key(orphan, NOW - DAY - timedelta(minutes=1))])
    assert await keys.forget_unused(NOW - DAY, database["records"]) == 1


async def test_a_key_that_was_fetched_is_kept_for_its_fetches(database: Database) -> None:
    keys = MongoKeys(database["keys"])
    old = NOW - DAY - timedelta(minutes=1)
    orphan = id_of(old)
    await keys.insert([key(orphan, old)])
    await keys.fetch(orphan, "event-1", NOW)
    assert await keys.forget_unused(NOW - DAY, database["records"]) == 0
    assert list(await keys.fetches_after(NOW - DAY, 10)) == [KeyFetch(orphan, "event-1", NOW)]


async def test_an_orphan_behind_thousands_of_used_keys_is_swept_too(database: Database) -> None:
    keys = MongoKeys(database["keys"])
    old = NOW - DAY * 3
    used = [id_of(old) for _ in range(2500)]
    await keys.insert([key(name, old) for name in used])
    await database["records"].insert_many([{"_id": name} for name in used])
    orphan = id_of(old + timedelta(seconds=1))
    await keys.insert([key(orphan, old)])
    assert await keys.forget_unused(NOW - DAY, database["records"]) == 1
    assert await keys.forget_unused(NOW - DAY, database["records"]) == 0
