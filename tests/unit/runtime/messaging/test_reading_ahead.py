"""A consumer that reads the next batch while it handles one."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka import TopicPartition
from faststream.kafka import KafkaMessage

from direct311.runtime.messaging.broker import Received
from direct311.runtime.messaging.signing import Claim, Principals, PublicKey, Signer
from direct311.schemas import Event
from direct311.schemas.model import Model
from tests.support.consumers import Reading, record
from tests.unit.audit.events import RECORD, Producer, private_key

pytestmark = pytest.mark.anyio

TOPIC = TopicPartition("pii.accessed", 0)
_KEY = private_key("intake")
PRINCIPALS = Principals(
    {
        "intake-1": PublicKey(
            "intake-1",
            "intake",
            _KEY.public_key(),
            datetime(2020, 1, 1, tzinfo=UTC),
            datetime(2040, 1, 1, tzinfo=UTC),
        )
    }
)


class Client:
    """A subscriber's client: nothing more has come; keeps what was committed."""

    def __init__(self) -> None:
        self.commits: list[dict[TopicPartition, int]] = []

    async def getmany(self, **_: object) -> dict[TopicPartition, list[object]]:
        return {}

    async def commit(self, offsets: dict[TopicPartition, int]) -> None:
        self.commits.append(offsets)


class Handling:
    """Handles a batch when it is told to."""

    def __init__(self) -> None:
        self.begun: list[list[int]] = []
        self.go_on = asyncio.Event()

    async def take(self, batch: Sequence[Received]) -> Sequence[tuple[Event[Model], Exception]]:
        self.begun.append([each.offset for each in batch])
        await self.go_on.wait()
        return ()


class Doubting:
    """Finds every second signature wrong."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    async def right(self, claims: Sequence[Claim]) -> Sequence[bool]:
        self.asked.append(len(claims))
        return [at % 2 == 0 for at in range(len(claims))]


def reading(process: Handling, signatures: Doubting | None = None) -> tuple[Reading, Client]:
    found = Reading(PRINCIPALS, process=process.take, ahead=True, signatures=signatures)
    client = Client()
    found.consumer._subscriber = cast(Any, SimpleNamespace(consumer=client))
    return found, client


def batch(first: int, count: int = 2) -> KafkaMessage:
    producer = Producer()
    records = tuple(record(producer.access(RECORD), first + at) for at in range(count))
    return cast(KafkaMessage, SimpleNamespace(raw_message=records))


async def handed_over(found: Reading, message: KafkaMessage) -> "asyncio.Task[None]":
    """The batch is in the consumer's hands, and done as far as it can be."""
    task = asyncio.create_task(found.consumer._handle(message))
    await asyncio.sleep(0.1)
    return task


async def test_batches_are_handled_and_committed_one_after_the_other() -> None:
    handling = Handling()
    found, client = reading(handling)
    first = await handed_over(found, batch(0))
    assert first.done()
    second = await handed_over(found, batch(2))
    # It is read, and waits for the first.
    assert not second.done()
    assert handling.begun == [[0, 1]]
    assert client.commits == []
    handling.go_on.set()
    await asyncio.wait_for(second, 5)
    await asyncio.wait_for(found.consumer.settled(), 5)
    assert handling.begun == [[0, 1], [2, 3]]
    assert client.commits == [{TOPIC: 2}, {TOPIC: 4}]


async def test_a_stopping_consumer_ends_what_it_has_begun_and_begins_nothing_else() -> None:
    handling = Handling()
    found, client = reading(handling)
    await handed_over(found, batch(0))
    second = await handed_over(found, batch(2))
    found.consumer.leave()
    handling.go_on.set()
    await asyncio.wait_for(found.consumer.settled(), 5)
    await asyncio.wait_for(second, 5)
    assert handling.begun == [[0, 1]]
    assert client.commits == [{TOPIC: 2}]


async def test_nothing_is_handled_or_committed_after_a_batch_that_broke() -> None:
    class Breaking(Handling):
        async def take(self, batch: Sequence[Received]) -> Any:
            await super().take(batch)
            return [(None, None)] * 3 + [None]

    handling = Breaking()
    found, client = reading(handling)
    await handed_over(found, batch(0))
    second = await handed_over(found, batch(2))
    handling.go_on.set()
    await asyncio.sleep(0.1)
    assert found.consumer.stopped_because is not None
    assert found.consumer.busy_since is None
    found.consumer.leave()
    await asyncio.wait_for(second, 5)
    await asyncio.wait_for(found.consumer.settled(), 5)
    assert handling.begun == [[0, 1]]
    assert client.commits == []


async def test_a_signature_that_is_found_wrong_elsewhere_is_a_dead_letter() -> None:
    handling = Handling()
    handling.go_on.set()
    doubting = Doubting()
    found, client = reading(handling, doubting)
    await handed_over(found, batch(0, 1_100))
    await asyncio.wait_for(found.consumer.settled(), 5)
    assert doubting.asked == [500, 500, 100]
    assert handling.begun == [list(range(0, 1_100, 2))]
    assert found.broker.kinds == ["SignatureError"] * 550
    assert client.commits == [{TOPIC: 1_100}]


async def test_what_is_refused_without_its_signature_is_not_asked_about() -> None:
    handling = Handling()
    handling.go_on.set()
    doubting = Doubting()
    found, _ = reading(handling, doubting)
    signer = Signer("geo-1", private_key("geo"))
    await found.read(signer.sign(Producer().access(RECORD)))
    assert doubting.asked == []
    assert found.broker.kinds == ["SignatureError"]
