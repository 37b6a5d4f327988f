"""A topic page by page, on the real broker."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from uuid import uuid4

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import RecordsToDelete

from deploy.local.stack import Stack
from direct311.runtime.errors import TransientError
from direct311.runtime.messaging.pages import DeletedError, NoSuchPlaceError, TopicPages
from direct311.schemas import Encoded, encode
from tests.support.runtime import Wire, new_id, overdue, wire

pytestmark = [pytest.mark.wire, pytest.mark.anyio]


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def line(servers: Stack) -> AsyncIterator[Wire]:
    async with wire(servers) as line:
        topic = new_id("topic")
        await line.create(topic, 1)
        yield replace(line, topic=topic)


async def test_pages_follow_each_other_until_the_broker_has_deleted_what_was_before(
    line: Wire,
) -> None:
    pages = TopicPages(line.settings, "test")
    empty = await pages.read(line.topic, None, 10, 0)
    assert (empty.events, empty.following, empty.end) == ((), 0, 0)

    sent = [overdue(str(uuid4()), number) for number in range(1, 6)]
    for each in sent:
        await line.send(encode(each, topic=line.topic))
    await line.send(Encoded(line.topic, b"k", {"ce_id": "x"}, b"an operator's"))
    first = await pages.read(line.topic, None, 2, 0)
    rest = await pages.read(line.topic, first.following, 10, 0)
    assert [each.id for each in (*first.events, *rest.events)] == [each.id for each in sent]
    assert (first.following, first.end, rest.following, rest.end) == (2, 6, 6, 6)

    late = overdue(str(uuid4()), 6)
    started = time.monotonic()
    waiting = asyncio.create_task(pages.read(line.topic, 6, 10, 5))
    await asyncio.sleep(0.5)
    await line.send(encode(late, topic=line.topic))
    came = await waiting
    assert [each.id for each in came.events] == [late.id]
    assert time.monotonic() - started < 5

    with pytest.raises(NoSuchPlaceError):
        await pages.read(line.topic, 8, 10, 0)
    await line.admin.delete_records({TopicPartition(line.topic, 0): RecordsToDelete(3)})
    with pytest.raises(DeletedError) as deleted:
        await pages.read(line.topic, 2, 10, 0)
    assert deleted.value.first == 3
    kept = await pages.read(line.topic, None, 10, 0)
    assert [each.id for each in kept.events] == [each.id for each in (*sent[3:], late)]


async def test_a_broker_that_does_not_let_us_read_is_tried_again_later(line: Wire) -> None:
    class Sooner(TopicPages):
        SECONDS = 3.0

    strange = line.settings.model_copy(update={"kafka_username": "dept-nobody"})
    with pytest.raises(TransientError):
        await Sooner(strange, "test").read(line.topic, None, 10, 0)
