"""Submissions that share their writes: each caller has its own result, whatever happens."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from pymongo.errors import AutoReconnect, BulkWriteError, OperationFailure
from uuid_utils import compat

from deploy.local.stack import Stack
from direct311.intake.lifecycle.adapters import MongoRequests
from direct311.intake.request import ServiceRequest
from direct311.intake.submission.adapters import inserts
from direct311.intake.submission.adapters.inserts import TRIES, BatchedSubmissions
from direct311.runtime.errors import TransientError
from direct311.runtime.messaging.records import Write
from direct311.runtime.micro_batch import MicroBatcher
from direct311.runtime.storage.database import (
    Document,
    MongoRecords,
    connect_directly,
    disconnect_directly,
)
from direct311.runtime.vault.keystore import MongoKeys
from direct311.runtime.vault.vault import RecordKey
from tests.support.runtime import NOW, database_of_its_own, entry

pytestmark = [pytest.mark.wire, pytest.mark.anyio]


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


class Unsure:
    """A collection whose inserts fail as they are told, before or after they happened.

    `inserting`: through which they go, where that is another client's.
    """

    def __init__(self, collection: Any, inserting: Any = None) -> None:
        self._collection = collection
        self._inserting = collection if inserting is None else inserting
        self.before: list[Exception] = []
        self.after: list[Exception] = []
        self.inserts: list[int] = []
        self.read = 0

    def find(self, *arguments: Any, **options: Any) -> "_Counted":
        return _Counted(self, self._collection.find(*arguments, **options))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._collection, name)

    async def insert_many(self, documents: Sequence[Document], **options: Any) -> Any:
        self.inserts.append(len(documents))
        if self.before:
            raise self.before.pop()
        result: Any = None
        try:
            result = await self._inserting.insert_many(documents, **options)
        except BulkWriteError:
            if not self.after:
                raise
        if self.after:
            raise self.after.pop()
        return result


class _Counted:
    """A cursor that counts what is read of it."""

    def __init__(self, unsure: Unsure, cursor: Any) -> None:
        self._unsure = unsure
        self._cursor = cursor

    def limit(self, most: int) -> "_Counted":
        return _Counted(self._unsure, self._cursor.limit(most))

    async def to_list(self, most: int) -> list[Document]:
        documents: list[Document] = await self._cursor.to_list(most)
        self._unsure.read += len(documents)
        return documents

    async def __aiter__(self) -> AsyncIterator[Document]:
        async for document in self._cursor:
            self._unsure.read += 1
            yield document


@dataclass(frozen=True)
class Gateway:
    """What the gateway has of the database."""

    submissions: BatchedSubmissions
    requests: Unsure
    keys: Unsure

    async def send(self, write: Write[ServiceRequest]) -> str:
        await self.submissions.keep([key_of(write)])
        return await self.submissions.insert(write)

    async def stored(self) -> dict[str, Document]:
        return {document["_id"]: document async for document in self.requests.find({})}


def key_of(write: Write[ServiceRequest]) -> RecordKey:
    return RecordKey(write.state.record_id, "kek-1", b"wrapped", NOW)


@pytest.fixture
async def gateway(servers: Stack) -> AsyncIterator[Gateway]:
    async with database_of_its_own(servers) as database:
        records = MongoRecords(database["requests"], ServiceRequest)
        await records.prepare(MongoRequests.INDEXES)
        keys = MongoKeys(database["keys"])
        await keys.prepare()
        direct = connect_directly(servers.dev["database"]["url"], database.name)
        requests, kept = Unsure(records.collection, direct["requests"]), Unsure(keys.collection)
        records.collection = requests  # type: ignore[assignment]
        keys.collection = kept  # type: ignore[assignment]
        submissions = BatchedSubmissions(keys, records, requests)  # type: ignore[arg-type]
        try:
            yield Gateway(submissions, requests, kept)
        finally:
            await disconnect_directly(direct)


def new(idempotency: str | None = None, **fields: Any) -> Write[ServiceRequest]:
    state = ServiceRequest(
        record_id=str(compat.uuid7()),
        version=1,
        idempotency=idempotency,
        **{"fingerprint": "content", "received_at": NOW, **fields},
    )
    return Write(0, state, (entry(),), NOW)


async def test_many_at_once_are_all_stored_in_a_few_writes(gateway: Gateway) -> None:
    writes = [new() for _ in range(700)]
    await gateway.submissions.keep([key_of(write) for write in writes])
    outcomes = await asyncio.gather(*(gateway.submissions.insert(write) for write in writes))
    assert outcomes == ["new"] * 700
    stored = await gateway.stored()
    assert stored.keys() == {write.state.record_id for write in writes}
    assert all(document["pending"] == 1 for document in stored.values())
    assert len(gateway.requests.inserts) <= 5
    assert max(gateway.requests.inserts) <= MicroBatcher.LARGEST


async def test_each_has_a_key_before_it_has_a_document(gateway: Gateway) -> None:
    gateway.keys.before = [AutoReconnect()] * TRIES
    with pytest.raises(TransientError):
        await gateway.send(new())
    assert gateway.requests.inserts == []
    write = new()
    await gateway.send(write)
    assert await gateway.keys.count_documents({"_id": write.state.record_id}) == 1


FULL = {
    "a full disk": BulkWriteError(
        {"writeErrors": [{"index": 0, "code": 14031, "errmsg": "x"}], "writeConcernErrors": []}
    ),
    "a full disk, for the command": OperationFailure("x", 14031),
    "a majority without room": BulkWriteError(
        {"writeErrors": [], "writeConcernErrors": [{"code": 64, "errmsg": "x"}]}
    ),
    "no answer": AutoReconnect(),
}


@pytest.mark.parametrize("error", FULL.values(), ids=FULL)
async def test_a_database_that_is_full_takes_nothing_and_keeps_what_it_has(
    gateway: Gateway, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = new("app:kept")
    await gateway.send(kept)
    assert await gateway.submissions.refused() is None
    gateway.requests.before = [error] * TRIES
    refused = new("app:refused")
    with pytest.raises(TransientError):
        await gateway.send(refused)
    # Who sends people here sends them elsewhere, for a while; then somebody must try again.
    await gateway.submissions.keep([key_of(refused)])
    assert await gateway.submissions.refused() == "the database does not take them"
    with monkeypatch.context() as later:
        later.setattr(inserts, "REFUSED_SECONDS", 0.0)
        assert await gateway.submissions.refused() is None
    assert (await gateway.stored()).keys() == {kept.state.record_id}
    # There is room again: the client sends it once more, and it is the only one.
    again = new("app:refused")
    assert await gateway.send(again) == "new"
    assert await gateway.submissions.refused() is None
    assert (await gateway.stored()).keys() == {kept.state.record_id, again.state.record_id}


async def test_of_equal_idempotency_keys_one_is_stored_and_the_others_are_told(
    gateway: Gateway,
) -> None:
    writes = [new("app:1") for _ in range(20)] + [new("app:2") for _ in range(20)] + [new()]
    outcomes = await asyncio.gather(*(gateway.send(write) for write in writes))
    assert sorted(outcomes) == ["new"] * 3 + ["repeat"] * 38
    won = {w.state.record_id for w, o in zip(writes, outcomes, strict=True) if o == "new"}
    assert (await gateway.stored()).keys() == won
    assert await gateway.send(new("app:1")) == "repeat"
    winner = await gateway.submissions.by_idempotency("app:1")
    assert winner is not None
    assert winner.record_id in won
    assert await gateway.submissions.by_idempotency("app:3") is None


async def test_a_write_whose_result_is_unknown_is_repeated_and_stored_once(
    gateway: Gateway,
) -> None:
    """The same ids again: a duplicate id then means that it had worked."""
    gateway.requests.after = [AutoReconnect(), AutoReconnect()]
    gateway.keys.after = [AutoReconnect()]
    writes = [new(f"app:{number}") for number in range(5)] + [new()]
    outcomes = await asyncio.gather(*(gateway.send(write) for write in writes))
    assert outcomes == ["new"] * 6
    assert (await gateway.stored()).keys() == {write.state.record_id for write in writes}


async def test_who_had_lost_before_an_unknown_result_is_still_told(gateway: Gateway) -> None:
    await gateway.send(new("app:1"))
    gateway.requests.after = [AutoReconnect()]
    outcomes = await asyncio.gather(gateway.send(new("app:1")), gateway.send(new("app:2")))
    assert list(outcomes) == ["repeat", "new"]


async def test_a_write_that_a_majority_may_not_have_is_repeated(gateway: Gateway) -> None:
    unsure = BulkWriteError({"writeErrors": [], "writeConcernErrors": [{"code": 91}]})
    gateway.requests.before = [unsure]
    gateway.keys.before = [unsure]
    write = new()
    assert await gateway.send(write) == "new"
    assert await gateway.keys.count_documents({"_id": write.state.record_id}) == 1
    assert write.state.record_id in await gateway.stored()


async def test_a_database_that_stays_away_is_said_and_the_next_ones_are_stored(
    gateway: Gateway,
) -> None:
    gateway.requests.before = [AutoReconnect()] * TRIES
    with pytest.raises(TransientError):
        await gateway.send(new())
    assert await gateway.send(new()) == "new"


async def test_what_cannot_be_written_at_all_leaves_the_others_alone(gateway: Gateway) -> None:
    """Whatever a request may be, the gateway goes on."""
    with pytest.raises(TransientError):
        await gateway.send(new(text="\ud800"))
    assert await gateway.send(new()) == "new"


async def test_a_caller_that_has_gone_does_not_stop_the_others(gateway: Gateway) -> None:
    gone = asyncio.create_task(gateway.send(new()))
    asked = asyncio.create_task(gateway.submissions.first_under(["app:1"], NOW))
    await asyncio.sleep(0)
    gone.cancel()
    asked.cancel()
    assert await gateway.send(new()) == "new"
    assert await gateway.submissions.first_under(["app:2"], NOW) is None


async def test_the_first_request_under_one_of_some_keys_is_found_since_an_instant(
    gateway: Gateway,
) -> None:
    early, late = new("app:1"), new("app:2", received_at=NOW + timedelta(hours=1))
    await asyncio.gather(*(gateway.send(each) for each in (early, late, new("other:1"), new())))
    ask = gateway.submissions.first_under
    found = await asyncio.gather(
        ask(["app:2", "app:1"], NOW),
        ask(["app:1", "app:2"], NOW + timedelta(minutes=1)),
        ask(["app:1"], NOW + timedelta(minutes=1)),
        ask(["app:1", "app:2"], NOW + timedelta(hours=2)),
        ask(["app:3"], NOW),
        ask([], NOW),
    )
    ids = [each.record_id if each else None for each in found]
    assert ids == [early.state.record_id, late.state.record_id, None, None, None, None]


async def test_a_content_that_came_in_thousands_costs_those_who_repeat_no_more(
    gateway: Gateway,
) -> None:
    await asyncio.gather(*(gateway.send(new(f"other:{number}")) for number in range(2000)))
    mine = new("app:1")
    await gateway.send(mine)
    gateway.requests.read = 0
    ask = gateway.submissions.first_under
    found = await asyncio.gather(*(ask(["app:1", "app:2"], NOW) for _ in range(20)))
    assert {each.record_id if each else None for each in found} == {mine.state.record_id}
    assert gateway.requests.read <= 20


async def test_more_than_can_wait_are_sent_away_at_once(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MicroBatcher, "MOST_WAITING", 10)
    results = await asyncio.gather(
        *(gateway.submissions.insert(new()) for _ in range(300)), return_exceptions=True
    )
    refused = [result for result in results if isinstance(result, TransientError)]
    # Two groups are under way, of one each, and ten wait.
    assert len(refused) >= 300 - 12
    assert len(await gateway.stored()) == 300 - len(refused)
