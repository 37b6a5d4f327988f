"""Audit destroys its own part last, and says so."""

from datetime import timedelta

import pytest

from direct311.audit.domain import AuditedRecord
from direct311.audit.handlers.dispose import Disposition
from direct311.audit.ports import IndexLostError
from direct311.runtime.disposition import Destroyer
from direct311.runtime.memory import InMemoryLease, InMemoryPublisher, InMemoryRecords
from direct311.runtime.records import Emitter, Folder, hold_handlers
from direct311.runtime.relay import Relay
from direct311.runtime.signing import Signer
from direct311.runtime.telemetry import Metrics
from direct311.schemas import Event, decode
from direct311.schemas import events as ev
from tests.unit.audit.events import ORDER, OTHER, RECORD, START, Producer, private_key, received
from tests.unit.audit.fakes import (
    InMemoryBodyKeys,
    InMemoryLog,
)
from tests.unit.audit.log_contract import in_memory, readable

pytestmark = pytest.mark.anyio
WAIT = timedelta(days=15)


class World:
    def __init__(self) -> None:
        log, keys = InMemoryLog(), InMemoryBodyKeys()
        self.stores = in_memory(log, keys)
        clock = self.stores.clock
        self.records: InMemoryRecords[AuditedRecord] = InMemoryRecords()
        self.publisher = InMemoryPublisher()
        self.relay = Relay(self.records, self.publisher, InMemoryLease(), clock, Metrics())
        handlers = hold_handlers()
        del handlers[ev.DispositionOrdered]
        self.folder: Folder[AuditedRecord] = Folder(
            self.records,
            lambda record_id: AuditedRecord(record_id=record_id),
            handlers,
            Emitter("audit", clock, Signer("audit-1", private_key("audit"))),
            self.relay,
            clock,
        )
        self.disposition = Disposition(
            self.folder, log, log, self.stores.tags, self.due, clock, WAIT
        )
        self.destroyer = Destroyer(
            holder="audit",
            folder=self.folder,
            destroying=self.records.destroying,
            remove=self.disposition.remove,
            keys=keys,  # type: ignore[arg-type]  # of a key store it only destroys
            clock=clock,
            recoverable_for=timedelta(days=30),
        )

    async def due(self, limit: int) -> list[AuditedRecord]:
        now = self.stores.clock.now()
        states = [write.state for write in self.records.documents.values()]
        return [
            state
            for state in states
            if state.lifecycle == "active"
            and not state.holds
            and state.destroy_at is not None
            and state.destroy_at <= now
        ][:limit]

    async def certify(self, *records: str, supplement_to: str | None = None) -> None:
        message = Producer("retention").certified(*records, supplement_to=supplement_to)
        await self.disposition.note(received(message).event)

    async def run(self) -> None:
        await self.disposition.begin()
        await self.destroyer.step()
        self.stores.clock.advance(timedelta(seconds=5))
        await self.relay.publish_due()

    def receipts(self) -> list[ev.RecordDestroyed]:
        found = []
        for entry in self.publisher.sent:
            data = decode(entry.message.headers, entry.message.body).data
            assert isinstance(data, ev.RecordDestroyed)
            found.append(data)
        return found


@pytest.fixture
async def world() -> World:
    world = World()
    await world.stores.arrive(
        [
            Producer().access(RECORD),
            Producer().access(RECORD, OTHER),
            Producer().access(OTHER),
            Producer().destroyed(RECORD),
        ]
    )
    await world.stores.sequence()
    return world


@pytest.mark.policy("P14")
async def test_a_certificate_destroys_after_the_broker_has_forgotten(world: World) -> None:
    ids = await readable(world.stores)
    await world.certify(RECORD)
    world.stores.clock.advance(WAIT - timedelta(minutes=1))
    await world.run()
    assert world.receipts() == []
    assert await readable(world.stores) == ids
    world.stores.clock.advance(timedelta(minutes=1))
    await world.run()
    (receipt,) = world.receipts()
    assert (receipt.holder, receipt.record_id, receipt.order_id) == ("audit", RECORD, ORDER)
    assert (receipt.keys, receipt.documents) == (1, 2)
    assert receipt.recoverable_until - receipt.destroyed_at == timedelta(days=30)
    assert await readable(world.stores) == ids[1:]


async def test_the_receipt_is_signed(world: World) -> None:
    await world.certify(RECORD)
    world.stores.clock.advance(WAIT)
    await world.run()
    (entry,) = world.publisher.sent
    assert entry.message.headers["ce_keyid"] == "audit-1"
    assert entry.message.topic == "record.destroyed"


async def test_twice_is_once_and_a_supplement_is_none_of_its_business(world: World) -> None:
    await world.certify(RECORD)
    await world.certify(RECORD)
    await world.certify(OTHER, supplement_to="certificate")
    world.stores.clock.advance(WAIT)
    await world.run()
    await world.run()
    await world.certify(RECORD)
    world.stores.clock.advance(WAIT)
    await world.run()
    assert [receipt.record_id for receipt in world.receipts()] == [RECORD]


@pytest.mark.policy("P14")
async def test_a_hold_keeps_the_key_until_it_is_released(world: World) -> None:
    ids = await readable(world.stores)
    await world.certify(RECORD)
    placed = ev.HoldPlaced(
        record_id=RECORD,
        version=1,
        hold_id="h1",
        kind="litigation",
        authority="Case 12",
        placed_at=START,
    )
    await world.folder.apply([Event(OTHER, "/direct311/retention", RECORD, START, placed)])
    world.stores.clock.advance(WAIT)
    await world.run()
    assert world.receipts() == []
    assert await readable(world.stores) == ids
    released = ev.HoldReleased(
        record_id=RECORD, version=2, hold_id="h1", released_at=START, still_held=False
    )
    await world.folder.apply([Event(ORDER, "/direct311/retention", RECORD, START, released)])
    await world.run()
    assert len(world.receipts()) == 1


async def test_a_crash_at_any_step_still_destroys_and_answers_once(world: World) -> None:
    await world.certify(RECORD)
    world.stores.clock.advance(WAIT)
    await world.disposition.begin()
    # Killed after the key went, then after the index went.
    await world.stores.keys.destroy(RECORD)
    await world.run()
    await world.run()
    assert [receipt.keys for receipt in world.receipts()] == [1]
    state = (await world.records.load([RECORD]))[RECORD].state
    assert state.lifecycle == "destroyed"


async def test_nothing_is_destroyed_while_the_index_is_lost(world: World) -> None:
    before = await world.stores.rows()
    await world.stores.log.mark_lost()
    with pytest.raises(IndexLostError):
        await world.disposition.begin()
    with pytest.raises(IndexLostError):
        await world.disposition.remove(AuditedRecord(record_id=RECORD))
    assert await world.stores.rows() == before
