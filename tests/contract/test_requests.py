"""Stored requests and submissions: the fakes and the real database."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from deploy.local.stack import Stack
from direct311.intake.lifecycle.adapters import MongoRequests
from direct311.intake.request import READINGS, ServiceRequest
from direct311.intake.submission.adapters.inserts import BatchedSubmissions
from direct311.runtime.messaging.records import Records, Write
from direct311.runtime.storage.database import MongoRecords, connect_directly, disconnect_directly
from direct311.runtime.vault.keystore import MongoKeys
from tests.support.intake_stores import InMemoryRequests, InMemorySubmissions
from tests.support.keys import InMemoryKeys
from tests.support.memory import InMemoryRecords
from tests.support.runtime import NOW, database_of_its_own

pytestmark = pytest.mark.anyio

HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Stores:
    """What intake keeps of its requests."""

    records: Records[ServiceRequest]
    requests: InMemoryRequests | MongoRequests
    submissions: InMemorySubmissions | BatchedSubmissions

    async def store(self, record_id: str, **fields: Any) -> ServiceRequest:
        state = ServiceRequest(
            **{"record_id": record_id, "version": 1, "received_at": NOW, **fields}
        )
        assert not await self.records.commit([Write(0, state, (), NOW)])
        return state

    async def send(self, record_id: str, idempotency: str | None = None, **fields: Any) -> str:
        state = ServiceRequest(
            record_id=record_id,
            version=1,
            idempotency=idempotency,
            **{"received_at": NOW, **fields},
        )
        return await self.submissions.insert(Write(0, state, (), NOW))


@pytest.fixture(params=["memory", pytest.param("database", marks=pytest.mark.wire)])
async def stores(request: pytest.FixtureRequest) -> AsyncIterator[Stores]:
    if request.param == "memory":
        kept: InMemoryRecords[ServiceRequest] = InMemoryRecords()
        submissions = InMemorySubmissions(kept, InMemoryKeys())
        yield Stores(kept, InMemoryRequests(kept), submissions)
        return
    servers: Stack = request.getfixturevalue("servers")
    async with database_of_its_own(servers) as database:
        records = MongoRecords(database["requests"], ServiceRequest)
        await records.prepare(MongoRequests.INDEXES)
        keys = MongoKeys(database["keys"])
        await keys.prepare()
        direct = connect_directly(servers.dev["database"]["url"], database.name)
        batched = BatchedSubmissions(keys, records, direct["requests"])
        try:
            yield Stores(records, MongoRequests(records), batched)
        finally:
            await disconnect_directly(direct)


async def test_a_request_is_found_while_it_is_active(stores: Stores) -> None:
    there = await stores.store("r-1")
    await stores.store("r-2", lifecycle="destroying")
    assert await stores.requests.get("r-1") == there
    assert await stores.requests.get("r-2") is None
    assert await stores.requests.get("r-3") is None


async def test_requests_are_found_by_their_index_values(stores: Stores) -> None:
    await stores.store("r-1", indexes={"phone": ("a", "b"), "email": ("c",)})
    await stores.store("r-2", indexes={"phone": ("b",)})
    await stores.store("r-3", indexes={"phone": ("d",)})
    found = stores.requests.with_index
    assert sorted(await found("phone", ["b", "x"], 10)) == ["r-1", "r-2"]
    assert len(await found("phone", ["b"], 1)) == 1
    assert await found("email", ["b"], 10) == []
    assert await found("phone", [], 10) == []
    indexes = await stores.requests.indexes_of(["r-1", "r-3", "none"])
    assert indexes.keys() == {"r-1", "r-3"}
    assert {kind: tuple(values) for kind, values in indexes["r-1"].items()} == {
        "phone": ("a", "b"),
        "email": ("c",),
    }


async def test_requests_with_a_message_are_found_once_it_is_due(stores: Stores) -> None:
    await stores.store("r-1", mail_after=NOW)
    await stores.store("r-2", mail_after=NOW + HOUR)
    await stores.store("r-3", mail_after=NOW, lifecycle="destroying")
    await stores.store("r-4")
    assert await stores.requests.with_mail(NOW - HOUR, 10) == []
    assert await stores.requests.with_mail(NOW, 10) == ["r-1"]
    assert sorted(await stores.requests.with_mail(NOW + HOUR, 10)) == ["r-1", "r-2"]
    assert len(await stores.requests.with_mail(NOW + HOUR, 1)) == 1


async def test_requests_that_were_indexed_otherwise_come_in_order_of_their_ids(
    stores: Stores,
) -> None:
    present = {"index_versions": (2, 1), "index_readings": READINGS}
    await stores.store("r-3", **present | {"index_versions": (1,)})
    await stores.store("r-1", **present)
    await stores.store("r-2", **present | {"index_readings": READINGS - 1})
    await stores.store("r-4", lifecycle="destroying", index_versions=(1,))

    async def ids(after: str, limit: int) -> list[str]:
        found = await stores.requests.indexed_otherwise((2, 1), after, limit)
        return [each.record_id for each in found]

    assert await ids("", 10) == ["r-2", "r-3"]
    assert await ids("", 1) == ["r-2"]
    assert await ids("r-2", 10) == ["r-3"]
    assert await stores.requests.count_otherwise((2, 1)) == 2


async def test_homes_that_geo_did_not_read_come_in_order_of_their_ids(stores: Stores) -> None:
    await stores.store("r-2", home_unread_at=NOW)
    await stores.store("r-1", home_unread_at=NOW)
    await stores.store("r-3")

    async def ids(after: str, limit: int) -> list[str]:
        return [each.record_id for each in await stores.requests.homes_unread(after, limit)]

    assert await ids("", 10) == ["r-1", "r-2"]
    assert await ids("", 1) == ["r-1"]
    assert await ids("r-1", 10) == ["r-2"]


async def test_the_second_submission_under_a_key_is_a_repeat(stores: Stores) -> None:
    assert await stores.send("r-1", "app:1") == "new"
    assert await stores.send("r-2", "app:1") == "repeat"
    assert await stores.send("r-3", "app:2") == "new"
    assert await stores.send("r-4") == "new"
    assert await stores.send("r-5") == "new"
    found = await stores.submissions.by_idempotency("app:1")
    assert found is not None
    assert found.record_id == "r-1"
    assert await stores.submissions.by_idempotency("app:3") is None
    by_id = await stores.submissions.by_id("r-3")
    assert by_id is not None
    assert by_id.idempotency == "app:2"
    assert await stores.submissions.by_id("r-2") is None


async def test_the_first_submission_under_some_keys_is_found_since_an_instant(
    stores: Stores,
) -> None:
    await stores.send("late", "app:2", received_at=NOW + HOUR)
    await stores.send("early", "app:1")

    async def first(*keys: str, since: timedelta = timedelta(0)) -> str | None:
        found = await stores.submissions.first_under(keys, NOW + since)
        return found.record_id if found else None

    assert await first("app:2", "app:1") == "early"
    assert await first("app:2", "app:1", since=HOUR) == "late"
    assert await first("app:1", since=HOUR) is None
    assert await first("app:3") is None
    assert await first() is None


async def test_a_submission_with_one_of_some_pictures_is_found_since_an_instant(
    stores: Stores,
) -> None:
    await stores.send("r-1", images=("a", "b"))
    found = stores.submissions.with_image
    assert await found(["b", "c"], NOW) == "r-1"
    assert await found(["c"], NOW) is None
    assert await found(["b"], NOW + HOUR) is None
