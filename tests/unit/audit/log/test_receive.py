"""From the broker into the inbox."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import cast

import pytest

from direct311.audit.log.adapters.mongo_inbox import MongoInbox
from direct311.audit.log.handlers.receive import Receiving
from direct311.audit.log.ports.inbox import InboxBatch
from direct311.runtime.access.ledger import Access
from direct311.runtime.access.rules import Caller, Decision
from direct311.runtime.clock import TimeOrderedIds
from direct311.runtime.messaging.signing import Signer
from direct311.runtime.storage.database import Database
from direct311.schemas.codec import LONGEST_LOGGED
from tests.support.runtime import SetClock
from tests.support.service_under_test import ServiceUnderTest
from tests.unit.audit.events import RECORD, START, Producer, private_key, received
from tests.unit.audit.fakes import InMemoryInbox

pytestmark = pytest.mark.anyio


def receiving(inbox: InMemoryInbox) -> Receiving:
    return Receiving(inbox, SetClock(START), TimeOrderedIds())


async def test_what_was_signed_is_kept_byte_for_byte() -> None:
    inbox = InMemoryInbox()
    message = Producer().access(RECORD)
    assert not await receiving(inbox).take([received(message, offset=41, partition=3)])
    (batch,) = await inbox.take(10)
    (queued,) = batch.queued_events
    assert queued.event.body == message.body
    assert queued.event.signature.hex() == message.headers["ce_signature"]
    assert queued.event.id == message.headers["ce_id"]
    assert batch.offsets == {"pii.accessed:3": 41}


async def test_what_does_not_fit_into_a_leaf_is_refused_and_the_rest_taken() -> None:
    inbox = InMemoryInbox()
    good, bad = received(Producer().access(RECORD)), received(Producer().access(RECORD))
    bad = replace(bad, body=bad.body + b" " * LONGEST_LOGGED)
    ((event, error),) = await receiving(inbox).take([good, bad])
    assert event is bad.event
    assert type(error).__name__ == "TooLongError"
    (batch,) = await inbox.take(10)
    assert [each.facts.event_id for each in batch.queued_events] == [good.event.id]


async def test_an_attribute_with_a_newline_is_refused() -> None:
    bad = received(Producer().access(RECORD))
    bad = replace(bad, headers=bad.headers | {"ce_subject": "a\nb"})
    inbox = InMemoryInbox()
    ((event, _),) = await receiving(inbox).take([bad])
    assert event is bad.event
    assert not inbox.batches


@pytest.mark.parametrize("started", ["media/1", "intake", "intake2/1", "", "/intake/1"])
async def test_a_number_of_another_service_is_refused(started: str) -> None:
    inbox, good = InMemoryInbox(), received(Producer().access(RECORD))
    bad = received(Producer(named=started).access(RECORD))
    ((event, error),) = await receiving(inbox).take([good, bad])
    assert event is bad.event
    assert type(error).__name__ == "ImpostorError"
    (batch,) = await inbox.take(10)
    assert [each.facts.event_id for each in batch.queued_events] == [good.event.id]


async def test_every_producer_of_the_runtime_is_one_of_its_service() -> None:
    signer = Signer("intake-1", private_key("intake"))
    intake = ServiceUnderTest(clock=SetClock(START), signer=signer)
    await intake.ledger.write(
        Access(Caller("maria", ("agent",)), "view", "respond", "GET /"),
        Decision(True, "rule", "", (), (), "0" * 64, None),
        "success",
    )
    inbox = InMemoryInbox()
    assert not await receiving(inbox).take([received(intake.access_log.entries[0].message)])
    assert len(inbox.batches) == 1


async def test_a_large_batch_becomes_inbox_batches_that_a_document_can_hold() -> None:
    inbox = InMemoryInbox()
    large = [
        replace(each, body=each.body + b" " * 60_000)
        for each in (received(Producer().access(RECORD)) for _ in range(150))
    ]
    assert not await receiving(inbox).take(large)
    batches = await inbox.take(1_000)
    assert len(batches) == 3
    assert sum(len(batch.queued_events) for batch in batches) == 150
    ids = [each.facts.event_id for batch in batches for each in batch.queued_events]
    assert ids == [each.event.id for each in large]


async def test_a_full_inbox_leaves_the_rest_in_the_broker() -> None:
    inbox = InMemoryInbox()
    taking = receiving(inbox)
    for _ in range(16):
        await taking.take([received(Producer().access(RECORD))])
    waiting = asyncio.create_task(taking.take([received(Producer().access(RECORD))]))
    done, _ = await asyncio.wait({waiting}, timeout=timedelta(seconds=0.1).total_seconds())
    assert not done
    await inbox.discard([(await inbox.take(1))[0].id])
    await asyncio.wait_for(waiting, 5)
    assert await inbox.length() == 16


async def test_what_is_appended_at_once_does_not_wait_in_the_inbox() -> None:
    inbox = InMemoryInbox()
    appended: list[InboxBatch] = []
    stored: list[bool] = []

    async def at_once(batch: InboxBatch) -> bool:
        if len(appended) == 2:
            return False
        appended.append(batch)
        return True

    taking = Receiving(
        inbox, SetClock(START), TimeOrderedIds(), at_once, lambda: stored.append(True)
    )
    events = [received(Producer().access(RECORD)) for _ in range(150)]
    assert not await taking.take([replace(each, body=each.body + b" " * 60_000) for each in events])
    # The third of three was not appended, so the sequencer's loop takes it.
    assert len(appended) == 2
    assert len(inbox.batches) == 1
    assert len(stored) == 1
    batches = [*appended, *inbox.batches.values()]
    ids = [each.facts.event_id for batch in batches for each in batch.queued_events]
    assert ids == [each.event.id for each in events]
    assert not await Receiving(inbox, SetClock(START), TimeOrderedIds(), at_once).take([])


class AfterACrash:
    """An empty collection of a server that was killed, as the server tells of it."""

    async def estimated_document_count(self) -> int:
        return 16

    async def count_documents(self, _: dict[str, object]) -> int:
        return 0


async def test_an_inbox_is_counted_and_not_estimated() -> None:
    database = cast("Database", {"inbox": AfterACrash()})
    assert await MongoInbox(database).length() == 0
