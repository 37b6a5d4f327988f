"""Destruction goes to its end, whatever fails on the way, and one record keeps no other."""

from datetime import timedelta
from uuid import uuid4

import pytest

from direct311.runtime.disposition import Destroyed, Destroyer
from direct311.runtime.errors import TransientError
from direct311.runtime.messaging.records import IN_HAND_GRACE
from direct311.runtime.vault.vault import RecordKey
from direct311.schemas import decode
from direct311.schemas import events as ev
from tests.support.memory import InMemoryPublisher, InMemoryRecords
from tests.support.runtime import NOW, Tally
from tests.support.service_under_test import ServiceUnderTest

pytestmark = pytest.mark.anyio


class DestroyingService(ServiceUnderTest):
    """A holder of records in memory, with some that are being destroyed."""

    def __init__(self) -> None:
        super().__init__()
        self.records: InMemoryRecords[Tally] = InMemoryRecords()
        self.publisher = InMemoryPublisher()
        self.relay = self.relay_of(self.records, self.publisher)
        self.removed: list[str] = []
        self.stuck: set[str] = set()
        self.destroyer = Destroyer(
            holder="intake",
            processor=self.processor_of(self.records, Tally, relay=self.relay),
            destroying=self.records.destroying,
            remove=self.remove,
            keys=self.keys,
            clock=self.clock,
            recoverable_for=timedelta(days=35),
        )

    async def remove(self, state: Tally) -> Destroyed:
        if state.record_id in self.stuck:
            raise TransientError("the object store does not answer")
        self.removed.append(state.record_id)
        return Destroyed(documents=1, fields=2, objects=3, bytes=4)

    async def ordered(self, record_id: str) -> None:
        await self.keys.insert([RecordKey(record_id, "kek", b"wrapped", NOW)])
        state = Tally(
            record_id=record_id,
            version=1,
            total=7,
            lifecycle="destroying",
            order_id=str(uuid4()),
        )
        await self.records.put(state, NOW)

    async def receipts(self) -> list[ev.RecordDestroyed]:
        self.clock.at += IN_HAND_GRACE
        while await self.relay.publish_due():
            pass
        found = [decode(e.message.headers, e.message.body).data for e in self.publisher.sent]
        return [data for data in found if isinstance(data, ev.RecordDestroyed)]


async def test_key_and_data_go_and_a_tombstone_with_its_receipt_stays() -> None:
    service = DestroyingService()
    await service.ordered("a")
    await service.destroyer.step()
    assert service.records.documents["a"].state == Tally(
        record_id="a", version=2, lifecycle="destroyed"
    )
    assert service.keys.keys == {}
    (receipt,) = await service.receipts()
    assert (receipt.record_id, receipt.holder, receipt.keys) == ("a", "intake", 1)
    assert (receipt.documents, receipt.fields, receipt.objects, receipt.bytes) == (1, 2, 3, 4)
    await service.destroyer.step()
    assert service.removed == ["a"]


async def test_a_destruction_that_failed_half_way_says_the_same_in_the_end() -> None:
    service = DestroyingService()
    await service.ordered("a")
    service.stuck.add("a")
    with pytest.raises(TransientError):
        await service.destroyer.step()
    assert service.records.documents["a"].state.lifecycle == "destroying"
    service.stuck.clear()
    await service.destroyer.step()
    (receipt,) = await service.receipts()
    assert receipt.keys == 1


async def test_a_record_that_cannot_be_destroyed_now_does_not_keep_the_others() -> None:
    service = DestroyingService()
    for number in range(250):
        await service.ordered(f"{number:03}")
    service.stuck.update(f"{number:03}" for number in range(150))
    with pytest.raises(TransientError):
        await service.destroyer.step()
    left = {state.record_id for state in await service.records.destroying(1000)}
    assert left == service.stuck
    service.stuck.clear()
    await service.destroyer.step()
    assert len(await service.receipts()) == 250
