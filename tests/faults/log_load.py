"""A producer of access events at a steady rate."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from deploy.local.stack import Stack
from direct311.cli.stack import LocalStack
from direct311.runtime.clock import TimeOrderedIds
from direct311.runtime.messaging.signing import Signer
from direct311.schemas import Encoded, Event, encode
from direct311.schemas.model import Model
from tests.load.log_appends import access_of, producer_of, signing_key

TICK = 0.05


@dataclass
class Load:
    """Access events of a process of intake's: numbered, signed, sent until acknowledged."""

    stack: Stack
    rate: int
    acknowledged: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        ids = TimeOrderedIds()
        self._ids = ids
        self._records = [ids.new() for _ in range(500)]
        self._producer = f"intake/{ids.new()}"
        self._signer = Signer.from_file(signing_key(self.stack))
        self._number = 0

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """Sends while the block runs; at its end all that was begun is acknowledged."""
        stopped = asyncio.Event()
        sending = asyncio.create_task(self._send(stopped))
        try:
            yield
        finally:
            stopped.set()
            await sending

    async def _send(self, stopped: asyncio.Event) -> None:
        """In batches, each until all of it is acknowledged: what is sent again has the same id."""
        producer = await self._connected()
        started, behind = time.monotonic(), 0
        try:
            while not stopped.is_set():
                behind = int((time.monotonic() - started) * self.rate) - self._number
                batch = [self._event() for _ in range(min(behind, self.rate))]
                while batch:
                    try:
                        await asyncio.wait_for(self._all(producer, batch), 10)
                        self.acknowledged += [event_id for event_id, _ in batch]
                        batch = []
                    except (KafkaError, TimeoutError):
                        with contextlib.suppress(Exception):
                            await asyncio.wait_for(producer.stop(), 2)
                        producer = await self._connected()
                await asyncio.sleep(TICK)
        finally:
            await producer.stop()

    async def _all(self, producer: AIOKafkaProducer, batch: list[tuple[str, Encoded]]) -> None:
        sent = []
        for _, message in batch:
            headers = [(name, value.encode()) for name, value in message.headers.items()]
            key = self._producer.encode()
            sent.append(await producer.send(message.topic, message.body, key=key, headers=headers))
        await asyncio.gather(*sent)

    async def _connected(self) -> AIOKafkaProducer:
        dev = LocalStack.model_validate(self.stack.dev)
        while True:
            producer = producer_of(dev)
            try:
                await producer.start()
            except KafkaError:
                with contextlib.suppress(Exception):
                    await producer.stop()
                await asyncio.sleep(0.5)
            else:
                return producer

    def _event(self) -> tuple[str, Encoded]:
        self._number += 1
        record_id = self._records[self._number % len(self._records)]
        data = access_of(record_id, self._producer, self._number, instance="load")
        event_id = self._ids.new()
        event: Event[Model] = Event(
            event_id, "/direct311/intake", record_id, data.time.occurred_at, data
        )
        return event_id, self._signer.sign(encode(event))
