"""A hold or a set and the entries of its acts are one write; none is lost, and none repeated."""

from collections.abc import Sequence
from datetime import timedelta

import pytest

from deploy.local.stack import Stack
from direct311.retention.acts import agent, hold_placed, hold_released
from direct311.retention.holds.adapters import MongoHolds
from direct311.retention.holds.domain import Hold
from direct311.retention.review.adapters import MongoDispositions
from direct311.retention.review.domain import Disposition
from direct311.runtime.access.rules import Caller
from direct311.runtime.messaging.records import Entry
from direct311.runtime.messaging.state import Outgoing
from direct311.runtime.storage.database import Database
from direct311.schemas import decode
from direct311.schemas import events as ev
from tests.support.memory import InMemoryPublisher
from tests.support.runtime import SetClock
from tests.support.service_under_test import ServiceUnderTest
from tests.unit.retention.fakes import COUNSEL, RAUL, START, NoCases
from tests.wire.test_retention_stores import disposition, hold, opened, outbox_of

pytestmark = [pytest.mark.wire, pytest.mark.anyio]

MANY = tuple(f"r{number}" for number in range(150))


class Process:
    """Retention as one process has it, on the same database and broker as the others."""

    def __init__(self, database: Database, broker: InMemoryPublisher, name: str = "one") -> None:
        self.service = ServiceUnderTest("retention", clock=SetClock(START))
        self.database, self.broker = database, broker
        self.store = outbox_of(self.service, database["holds"], broker, name)
        self.holds = MongoHolds(self.store, database, NoCases(), self.service.clock)

    async def relays(self) -> None:
        """Publish what the database has, as the lease's holder does."""
        self.service.clock.advance(timedelta(seconds=100))
        while await self.store.relay.publish_due():
            pass

    async def waiting(self, hold_id: str = "h1") -> list[str]:
        document = await self.database["holds"].find_one({"_id": hold_id})
        assert document is not None
        assert document["pending"] == len(document["outbox"])
        return [each["id"] for each in document["outbox"]]


def placing(one: Hold, by: Caller = COUNSEL) -> tuple[Outgoing, ...]:
    return hold_placed(
        agent(by),
        START,
        hold_id=one.hold_id,
        kind=one.kind,
        authority=one.authority,
        record_ids=one.record_ids,
        query=one.query,
        case_id=None,
    )


def releasing(one: Hold) -> tuple[Outgoing, ...]:
    return hold_released(
        agent(RAUL),
        START,
        hold_id=one.hold_id,
        reason="The case was dismissed.",
        record_ids=one.record_ids,
        query=None,
        case_id=None,
    )


def acts(entries: Sequence[Entry]) -> list[tuple[str, int]]:
    """Each published act and its part."""
    found: list[tuple[str, int]] = []
    for entry in entries:
        event = decode(entry.message.headers, entry.message.body)
        assert isinstance(event.data, ev.ActRecorded)
        assert event.signature is not None
        found.append((event.data.act, event.data.part))
    return found


async def test_a_killed_process_leaves_the_entries_beside_the_hold(servers: Stack) -> None:
    async with opened(servers) as database:
        broker = InMemoryPublisher()
        killed = Process(database, broker)
        await killed.holds.prepare()
        one = hold(record_ids=MANY)
        # The process dies before its relay has run even once.
        await killed.holds.add(one, placing(one))
        assert broker.sent == []
        assert not await killed.holds.published("h1")
        assert len(await killed.waiting()) == 2
        heir = Process(database, broker, "two")
        assert await heir.holds.get("h1") == one
        await heir.relays()
        assert acts(broker.sent) == [("hold", 1), ("hold", 2)]
        assert await heir.waiting() == []
        assert await heir.holds.published("h1")
        await heir.relays()
        assert len(broker.sent) == 2


async def test_who_comes_second_writes_neither_the_hold_nor_its_entry(servers: Stack) -> None:
    async with opened(servers) as database:
        broker = InMemoryPublisher()
        here, there = Process(database, broker), Process(database, broker, "two")
        await here.holds.prepare()
        one = hold(record_ids=("r1",))
        await here.holds.add(one, placing(one))
        await there.holds.add(one, placing(one, RAUL))
        assert len(await here.waiting()) == 1
        assert await here.holds.replace(one.releasing("raul", "why", START), releasing(one))
        again = one.releasing("rosa", "why", START)
        assert not await there.holds.replace(again, releasing(one))
        await there.relays()
        assert acts(broker.sent) == [("hold", 1), ("release", 1)]


async def test_entries_that_wait_stay_through_later_writes_and_keep_their_order(
    servers: Stack,
) -> None:
    async with opened(servers) as database:
        broker = InMemoryPublisher()
        broker.failing = {"act.recorded"}
        here = Process(database, broker)
        await here.holds.prepare()
        one = hold(record_ids=MANY)
        await here.holds.add(one, placing(one))
        await here.relays()
        assert broker.sent == []
        assert await here.holds.replace(one.fenced(1))
        read = await here.holds.get("h1")
        assert read is not None
        assert (read.fence, read.version) == (1, 2)
        assert await here.holds.replace(read.releasing("raul", "why", START), releasing(one))
        assert len(await here.waiting()) == 4
        broker.failing = set()
        await here.relays()
        assert acts(broker.sent) == [("hold", 1), ("hold", 2), ("release", 1), ("release", 2)]
        assert await here.waiting() == []


async def test_a_write_after_publishing_repeats_nothing(servers: Stack) -> None:
    async with opened(servers) as database:
        broker = InMemoryPublisher()
        here = Process(database, broker)
        await here.holds.prepare()
        one = hold(record_ids=("r1",))
        await here.holds.add(one, placing(one))
        here.store.relay.start()
        await here.store.relay.stop()
        assert acts(broker.sent) == [("hold", 1)]
        assert await here.holds.replace(one.fenced(1))
        assert await here.waiting() == []
        await here.relays()
        assert len(broker.sent) == 1


async def test_documents_from_before_there_were_entries_are_read_and_written(
    servers: Stack,
) -> None:
    async with opened(servers) as database:
        here = Process(database, InMemoryPublisher())
        await here.holds.prepare()
        for name, key, old in (
            ("holds", "hold_id", hold(record_ids=("r1",))),
            ("dispositions", "disposition_id", disposition("d1", status="proposed")),
        ):
            plain = old.model_dump(mode="python", exclude_none=True)
            await database[name].insert_one({"_id": plain.pop(key), **plain})
        before = await here.holds.get("h1")
        assert before == hold(record_ids=("r1",))
        assert await here.holds.published("h1")
        assert await here.holds.replace(before.releasing("raul", "why", START), releasing(before))
        await here.relays()
        assert acts(here.broker.sent) == [("release", 1)]
        store = outbox_of(here.service, database["dispositions"])
        dispositions = MongoDispositions(store, here.service.clock)
        await dispositions.prepare()
        found = await dispositions.get("d1")
        assert isinstance(found, Disposition)
        assert found.proposed_as is None
        assert await dispositions.published("d1")
