"""Keys wrapped anew, jobs that go on, keys that are known again: on a real database."""

import asyncio
import os
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from deploy.local.stack import Stack
from direct311.runtime.storage.database import Database
from direct311.runtime.storage.jobs import Batch, Job
from direct311.runtime.vault.keys import FileKeyProvider, KeyProviderError
from direct311.runtime.vault.keystore import MongoKeys
from direct311.runtime.vault.rotation import KeyChecks, Rewrapping
from direct311.runtime.vault.vault import RecordKey
from tests.support.keys import InMemoryKeys
from tests.support.runtime import NOW, SetClock, database_of_its_own

pytestmark = [pytest.mark.wire, pytest.mark.anyio]
KEKS = {"kek-1": os.urandom(32), "kek-2": os.urandom(32)}
OLD = FileKeyProvider("kek-1", KEKS)
NEW = FileKeyProvider("kek-2", KEKS)


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def database(servers: Stack) -> AsyncIterator[Database]:
    async with database_of_its_own(servers) as database:
        await MongoKeys(database["keys"]).prepare()
        yield database


@pytest.fixture(params=["memory", "database"])
def keys(request: pytest.FixtureRequest) -> InMemoryKeys | MongoKeys:
    if request.param == "memory":
        return InMemoryKeys()
    return MongoKeys(request.getfixturevalue("database")["keys"])


async def key(
    record_id: str, provider: FileKeyProvider = OLD, plain: bytes = bytes(32)
) -> RecordKey:
    kek_id, wrapped = await provider.wrap(plain, record_id)
    return RecordKey(record_id, kek_id, wrapped, NOW)


Keys = InMemoryKeys | MongoKeys


async def test_those_under_another_key_are_found_by_id_in_pages(keys: Keys) -> None:
    await keys.insert([await key("c"), await key("a"), await key("b", NEW), await key("d")])
    await keys.destroy("d")
    first = await keys.not_under("kek-2", "", 1)
    assert [each.record_id for each in first] == ["a"]
    assert [each.record_id for each in await keys.not_under("kek-2", "a", 10)] == ["c"]
    assert await keys.not_under("kek-2", "c", 10) == []
    assert dict(await keys.counts()) == {"kek-1": 2, "kek-2": 1}
    found = await keys.under("kek-2")
    assert found is not None
    assert found.record_id == "b"
    assert await keys.under("kek-3") is None


async def test_a_key_is_replaced_only_where_the_old_one_stands(keys: Keys) -> None:
    old = {name: await key(name) for name in "abc"}
    await keys.insert(list(old.values()))
    await keys.fetch("a", "event-1", NOW)
    await keys.destroy("b")
    new = {name: await key(name, NEW) for name in "abc"}
    moved = await key("c")
    await keys.rewrap([(old["c"], moved)])
    assert await keys.rewrap([(old[name], new[name]) for name in "abc"]) == 1
    assert await keys.fetch("a", "event-2", NOW) == new["a"]
    assert await keys.fetch("b", "event-3", NOW) is None
    assert await keys.fetch("c", "event-4", NOW) == moved
    fetches = await keys.fetches_after(NOW - timedelta(days=1), 10)
    assert [each.event_id for each in fetches] == ["event-1", "event-2", "event-4"]
    assert await keys.destroy("b")
    assert await keys.insert([old["b"]]) == {"b"}


async def test_a_copy_under_keys_of_records_is_no_business_of_a_rotation(
    database: Database,
) -> None:
    """Audit's key of an entry about several records: each of their keys wraps a copy."""
    copies = [{"of": "a", "wrapped": b"copy"}]
    await database["keys"].insert_one({"_id": "entry:1", "created_at": NOW, "copies": copies})
    keys = MongoKeys(database["keys"])
    assert await keys.not_under("kek-2", "", 10) == []
    assert dict(await keys.counts()) == {}
    assert await keys.under("kek-1") is None


# ---------------------------------------------------------------- a job, on the database alone


async def always() -> bool:
    return True


async def nothing_left() -> int:
    return 0


class Counting:
    """Work on the numbers from 1 on, ten a batch; each is done once."""

    def __init__(self, most: int) -> None:
        self.open = {f"{number:04}" for number in range(1, most + 1)}
        self.batches = 0

    async def batch(self, after: str, _: str) -> Batch:
        self.batches += 1
        found = sorted(each for each in self.open if each > after)[:10]
        self.open -= set(found)
        return Batch(found[-1], len(found)) if found else Batch()

    async def left(self) -> int:
        return len(self.open)


async def test_a_job_that_nobody_started_does_nothing(database: Database) -> None:
    work = Counting(10)
    job = Job("count", database["key_jobs"], work.batch, work.left, SetClock())
    await job.step(always)
    assert (work.batches, (await job.progress()).state) == (0, "never")


async def test_a_job_goes_on_where_it_was_stopped_in_whatever_process(database: Database) -> None:
    work = Counting(35)
    first = Job("count", database["key_jobs"], work.batch, work.left, SetClock())
    assert (await first.start("T-1")).total == 35

    async def once() -> bool:
        return False

    await first.step(once)
    await first.step(once)
    stopped = await first.stop()
    assert (stopped.state, stopped.done, stopped.total) == ("stopped", 20, 35)
    await first.step(always)
    assert (await first.progress()).done == 20
    second = Job("count", database["key_jobs"], work.batch, work.left, SetClock())
    resumed = await second.start("T-2")
    assert (resumed.state, resumed.done, resumed.total) == ("running", 20, 35)
    work.open.add("0001")  # Behind where it is: the next pass finds it.
    await second.step(always)
    ended = await second.progress()
    assert (ended.state, ended.done, ended.failed, work.open) == ("done", 36, 0, set())
    assert (await second.stop()).state == "done"


async def test_two_that_run_at_once_leave_nothing_out(database: Database) -> None:
    work = Counting(200)
    jobs = [Job("count", database["key_jobs"], work.batch, work.left, SetClock()) for _ in range(2)]
    await jobs[0].start("T-1")
    await asyncio.gather(*(job.step(always) for job in jobs))
    ended = await jobs[0].progress()
    assert (ended.state, ended.done, work.open) == ("done", 200, set())


async def test_what_cannot_be_done_is_said_and_ends_the_job(database: Database) -> None:
    async def batch(after: str, _: str) -> Batch:
        return Batch() if after else Batch("0009", 0, 3, "three have no key")

    job = Job("count", database["key_jobs"], batch, nothing_left, SetClock())
    await job.start("T-1")
    await job.step(always)
    ended = await job.progress()
    assert (ended.state, ended.failed, ended.reason) == ("incomplete", 3, "three have no key")


async def test_a_whole_collection_is_wrapped_anew(database: Database) -> None:
    keys = MongoKeys(database["keys"])
    plain = {f"r{number:04}": os.urandom(32) for number in range(450)}
    await keys.insert([await key(name, OLD, value) for name, value in plain.items()])
    work = Rewrapping(keys, NEW)
    job = Job("rewrap", database["key_jobs"], work.batch, work.left, SetClock())
    assert (await job.start("T-1")).total == 450
    await job.step(always)
    ended = await job.progress()
    assert (ended.state, ended.done) == ("done", 450)
    alone = FileKeyProvider("kek-2", {"kek-2": KEKS["kek-2"]})
    for name in ("r0000", "r0200", "r0449"):
        found = await keys.fetch(name, "event", NOW)
        assert found is not None
        assert await alone.unwrap(found.kek_id, found.wrapped, name) == plain[name]


# ---------------------------------------------------------------- which keys are the right ones


def checks(database: Database, provider: FileKeyProvider) -> KeyChecks:
    keys = MongoKeys(database["keys"])
    return KeyChecks(database["key_checks"], keys, provider, SetClock())


async def test_a_key_that_is_still_needed_is_missed_at_the_start(database: Database) -> None:
    keys = MongoKeys(database["keys"])
    await checks(database, OLD).check()
    await keys.insert([await key("a"), await key("b")])
    await checks(database, NEW).check()
    alone = FileKeyProvider("kek-2", {"kek-2": KEKS["kek-2"]})
    with pytest.raises(
        KeyProviderError, match=r"2 data keys need kek-1, .* is not in the key file"
    ):
        await checks(database, alone).check()
    await keys.rewrap([(await _standing(keys, name), await key(name, NEW)) for name in "ab"])
    await checks(database, alone).check()
    await checks(database, alone).check()


async def _standing(keys: MongoKeys, name: str) -> RecordKey:
    found = await keys.fetch(name, "event", NOW)
    assert found is not None
    return found


async def test_another_key_with_the_same_id_is_told_from_the_right_one(database: Database) -> None:
    await checks(database, OLD).check()
    await MongoKeys(database["keys"]).insert([await key("a")])
    wrong = FileKeyProvider("kek-1", {"kek-1": os.urandom(32)})
    with pytest.raises(KeyProviderError, match="1 data keys need kek-1"):
        await checks(database, wrong).check()
    await checks(database, OLD).check()


async def test_keys_of_before_there_were_checks_are_tried_by_one_of_their_own(
    database: Database,
) -> None:
    keys = MongoKeys(database["keys"])
    await keys.insert([await key("a"), await key("b", NEW)])
    alone = FileKeyProvider("kek-2", {"kek-2": KEKS["kek-2"]})
    with pytest.raises(KeyProviderError, match="1 data keys need kek-1"):
        await checks(database, alone).check()
    await checks(database, NEW).check()
    with pytest.raises(KeyProviderError, match="1 data keys need kek-1"):
        await checks(database, alone).check()
    # No wrapped key of a record is kept anywhere else: it would outlive the record.
    kept = [document async for document in database["key_checks"].find({})]
    stored = [document["wrapped"] async for document in database["keys"].find({})]
    assert {document["_id"] for document in kept} == {"kek-1", "kek-2"}
    assert not [document for document in kept if document["wrapped"] in stored]


async def test_what_nothing_needs_any_more_is_forgotten(database: Database) -> None:
    await checks(database, OLD).check()
    await checks(database, NEW).check()
    await checks(database, NEW).forget_unused()
    kept = [document["_id"] async for document in database["key_checks"].find({})]
    assert kept == ["kek-2"]
