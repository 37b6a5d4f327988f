"""A batch whose last fetch fails has its outcome, or is never committed."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka.errors import KafkaError
from faststream.kafka import KafkaMessage

from tests.support.consumers import Reading
from tests.support.county import until

pytestmark = pytest.mark.anyio


class Fetching:
    """The client of a subscriber, whose next fetch fails."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def getmany(self, **_: object) -> Any:
        raise self._error


class Batch:
    """An empty batch, as FastStream hands it over."""

    def __init__(self) -> None:
        self.raw_message: tuple[()] = ()
        self.committed = False

    async def ack(self) -> None:
        self.committed = True


def reading(error: Exception) -> Reading:
    found = Reading()
    found.consumer._subscriber = cast(Any, SimpleNamespace(consumer=Fetching(error)))
    return found


async def test_a_fetch_that_the_broker_refuses_leaves_the_batch_as_it_is() -> None:
    found, batch = reading(KafkaError()), Batch()
    await found.consumer._handle(cast(KafkaMessage, batch))
    assert batch.committed
    assert found.consumer.stopped_because is None


async def test_a_fetch_that_breaks_stops_the_consumer_and_commits_nothing() -> None:
    found, batch = reading(ValueError()), Batch()

    async def stopped() -> bool:
        return found.consumer.stopped_because is not None

    handling = asyncio.create_task(found.consumer._handle(cast(KafkaMessage, batch)))
    await until(stopped, "the consumer has stopped")
    found.consumer.leave()
    await handling
    assert found.consumer.stopped_because == "broken: ValueError"
    assert found.consumer.busy_since is None
    assert not batch.committed
