"""From the broker into the inbox."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from direct311.audit.handlers.receive import LONGEST_EVENT, Receiving
from tests.unit.audit.events import RECORD, START, Producer, received
from tests.unit.audit.fakes import InMemoryInbox, SettableClock
from tests.unit.audit.log_contract import TimeOrdered

pytestmark = pytest.mark.anyio


def receiving(inbox: InMemoryInbox) -> Receiving:
    return Receiving(inbox, SettableClock(START), TimeOrdered())


async def test_what_was_signed_is_kept_byte_for_byte() -> None:
    inbox = InMemoryInbox()
    message = Producer().access(RECORD)
    assert not await receiving(inbox).take([received(message, offset=41, partition=3)])
    (parcel,) = await inbox.take(10)
    (arrival,) = parcel.arrivals
    assert arrival.event.body == message.body
    assert arrival.event.signature.hex() == message.headers["ce_signature"]
    assert arrival.event.id == message.headers["ce_id"]
    assert parcel.offsets == {"pii.accessed:3": 41}


async def test_what_does_not_fit_into_a_leaf_is_refused_and_the_rest_taken() -> None:
    inbox = InMemoryInbox()
    good, bad = received(Producer().access(RECORD)), received(Producer().access(RECORD))
    bad = replace(bad, body=bad.body + b" " * LONGEST_EVENT)
    ((event, error),) = await receiving(inbox).take([good, bad])
    assert event is bad.event
    assert type(error).__name__ == "TooLongError"
    (parcel,) = await inbox.take(10)
    assert [each.facts.event_id for each in parcel.arrivals] == [good.event.id]


async def test_an_attribute_with_a_newline_is_refused() -> None:
    bad = received(Producer().access(RECORD))
    bad = replace(bad, headers=bad.headers | {"ce_subject": "a\nb"})
    inbox = InMemoryInbox()
    ((event, _),) = await receiving(inbox).take([bad])
    assert event is bad.event
    assert not inbox.parcels


async def test_a_large_batch_becomes_parcels_that_a_document_can_hold() -> None:
    inbox = InMemoryInbox()
    large = [
        replace(each, body=each.body + b" " * 60_000)
        for each in (received(Producer().access(RECORD)) for _ in range(150))
    ]
    assert not await receiving(inbox).take(large)
    parcels = await inbox.take(1_000)
    assert len(parcels) == 3
    assert sum(len(parcel.arrivals) for parcel in parcels) == 150
    ids = [each.facts.event_id for parcel in parcels for each in parcel.arrivals]
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
