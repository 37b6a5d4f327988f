"""A consumer leaves the processor to the gateway while that is busy, and no longer."""

import asyncio
import time
from pathlib import Path
from typing import cast

import pytest
from faststream.kafka import KafkaMessage

from direct311.runtime.busy_file import BusyFile
from direct311.runtime.messaging.broker import Consumer
from tests.support.consumers import Reading

pytestmark = pytest.mark.anyio

BATCH_SECONDS = 0.1


class Batch:
    """An empty batch that takes some time to commit. `committed`: when."""

    def __init__(self) -> None:
        self.raw_message: tuple[()] = ()
        self.committed = 0.0

    async def ack(self) -> None:
        await asyncio.sleep(BATCH_SECONDS)
        self.committed = time.monotonic()


class Giving:
    """A consumer that looks at a busy file, and counts how often."""

    def __init__(self, path: Path) -> None:
        self.asked = 0
        self.gateway = BusyFile(path)
        self._file = BusyFile(path)
        self.reading = Reading(gives_way=self._gives_way)

    def _gives_way(self) -> bool:
        self.asked += 1
        return self._file.fresh

    async def waited(self) -> float:
        """Seconds between the commit of a batch and the next poll."""
        batch = Batch()
        await self.reading.consumer._handle(cast(KafkaMessage, batch))
        assert batch.committed
        return time.monotonic() - batch.committed


async def test_it_asks_once_and_goes_on_if_the_gateway_is_not_busy(tmp_path: Path) -> None:
    giving = Giving(tmp_path / "busy")
    assert await giving.waited() < BATCH_SECONDS
    assert giving.asked == 1


async def test_it_waits_a_multiple_of_its_batch_while_the_gateway_is_busy(tmp_path: Path) -> None:
    giving = Giving(tmp_path / "busy")

    async def busy() -> None:
        while True:
            giving.gateway.touch()
            await asyncio.sleep(0.05)

    keeps = asyncio.create_task(busy())
    waited = await giving.waited()
    keeps.cancel()
    assert waited >= Consumer.GIVE_WAY_TIMES * BATCH_SECONDS
    assert giving.asked > 2


async def test_it_goes_on_once_the_gateway_is_no_longer_busy(tmp_path: Path) -> None:
    giving = Giving(tmp_path / "busy")

    async def short() -> None:
        await asyncio.sleep(BATCH_SECONDS)
        giving.gateway.touch()

    touched = asyncio.create_task(short())
    waited = await giving.waited()
    await touched
    assert giving.asked >= 2
    assert waited < Consumer.GIVE_WAY_TIMES * BATCH_SECONDS
