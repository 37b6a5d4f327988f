"""Kafka through FastStream: one broker a process, one batch subscriber a consumer group."""

import asyncio
import contextlib
import random
import ssl
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from aiokafka import ConsumerRecord, TopicPartition
from faststream import AckPolicy
from faststream.kafka import KafkaBroker, KafkaMessage
from faststream.security import SASLScram256

from direct311.runtime.errors import TransientError
from direct311.runtime.records import Entry
from direct311.runtime.settings import ServiceSettings
from direct311.runtime.signing import Principals, SignatureError
from direct311.runtime.telemetry import Metrics, Tracing
from direct311.schemas import DecodeError, Event, dead_letter_topic, decode, read_headers
from direct311.schemas.model import Model

_log = structlog.get_logger(__name__)


def make_broker(settings: ServiceSettings, instance: str) -> KafkaBroker:
    """The process's broker: idempotent, acknowledged by all in-sync replicas, no linger.

    Nothing is acknowledged on reading: consumers commit when a batch is done.
    """
    secure = settings.kafka_security == "SASL_SSL"
    security = SASLScram256(
        username=settings.kafka_username,
        password=settings.kafka_password.get_secret_value(),
        ssl_context=ssl.create_default_context() if secure else None,
        use_ssl=secure,
    )
    compression = None if settings.kafka_compression == "none" else settings.kafka_compression
    return KafkaBroker(
        settings.kafka_bootstrap,
        client_id=instance,
        security=security,
        acks="all",
        enable_idempotence=True,
        linger_ms=0,
        request_timeout_ms=10_000,
        retry_backoff_ms=50,
        metadata_max_age_ms=30_000,
        allow_auto_create_topics=False,
        compression_type=compression,
        ack_policy=AckPolicy.MANUAL,
        decoder=_undecoded,
        logger=None,
        graceful_timeout=15.0,
    )


async def _undecoded(_: object) -> None:
    # Decoding happens once, in the consumer, where a failure is told without its input.
    return None


class KafkaPublisher:
    """Sends outbox entries; keys keep their order because one producer sends them."""

    TIMEOUT_SECONDS = 12.0

    def __init__(self, broker: KafkaBroker) -> None:
        self._broker = broker

    async def publish(self, entries: Sequence[Entry]) -> Sequence[bool]:
        futures: list[Awaitable[Any]] = []
        for entry in entries:
            message = entry.message
            futures.append(
                await self._broker.publish(
                    message.body,
                    topic=message.topic,
                    key=message.key,
                    headers=message.headers,
                    correlation_id=entry.id,
                    no_confirm=True,
                )
            )
        results = await asyncio.wait_for(
            asyncio.gather(*futures, return_exceptions=True), self.TIMEOUT_SECONDS
        )
        return [not isinstance(result, BaseException) for result in results]

    async def publish_one(self, entry: Entry, seconds: float) -> None:
        """Send one and wait until all in-sync replicas have it.

        :raises TimeoutError: the broker did not say so within `seconds`.
        """
        async with asyncio.timeout(seconds):
            await self._broker.publish(
                entry.message.body,
                topic=entry.message.topic,
                key=entry.message.key,
                headers=entry.message.headers,
                correlation_id=entry.id,
            )


@dataclass(frozen=True, slots=True)
class Received:
    """An event as it came: decoded, and the bytes that its signature speaks of."""

    event: Event[Model]
    headers: dict[str, str]
    body: bytes
    topic: str
    partition: int
    offset: int


Process = Callable[[Sequence[Received]], Awaitable[Sequence[tuple[Event[Model], Exception]]]]
"""Handles a batch; returns the events that failed for good. Raises what is transient."""


class Consumer:
    """One consumer group's member: batches, retries, dead letters.

    A message has three outcomes. Done. Transient: the batch is tried again with back-off and
    jitter. Dead-lettered: what names topic, partition, offset and the kind of error goes to the
    service's dead-letter topic. After `DEAD_LETTERS_IN_A_ROW` the consumer stops by itself, since
    then it is more likely that the code is wrong than all of the messages.
    """

    DEAD_LETTERS_IN_A_ROW = 100
    MAX_RECORDS = 500
    FIRST_BACKOFF_SECONDS = 0.1
    LONGEST_BACKOFF_SECONDS = 5.0

    def __init__(
        self,
        broker: KafkaBroker,
        *,
        service: str,
        topics: Iterable[str],
        process: Process,
        principals: Principals,
        is_transient: Callable[[BaseException], bool],
        metrics: Metrics,
        tracing: Tracing,
        group: str | None = None,
        max_records: int | None = None,
    ) -> None:
        self._broker = broker
        self._service = service
        self._process = process
        self._principals = principals
        self._is_transient = is_transient
        self._metrics = metrics
        self._tracing = tracing
        self._in_a_row = 0
        self._current: frozenset[tuple[str, int, int]] = frozenset()
        self.stopped_because: str | None = None
        self.busy_since: float | None = None
        self.recent_failures: deque[str] = deque(maxlen=20)
        subscriber = broker.subscriber(
            *topics,
            batch=True,
            group_id=group or service,
            auto_offset_reset="earliest",
            max_records=max_records or self.MAX_RECORDS,
            batch_timeout_ms=500,
            fetch_max_wait_ms=500,
            max_poll_interval_ms=900_000,
            session_timeout_ms=10_000,
            ack_policy=AckPolicy.MANUAL,
            no_reply=True,
        )
        subscriber(self._handle)

    async def _handle(self, message: KafkaMessage) -> None:
        raw = message.raw_message
        records: Sequence[ConsumerRecord[Any, Any]] = raw if isinstance(raw, tuple) else (raw,)
        self.busy_since = time.monotonic()
        try:
            await self.apply(records)
        finally:
            self.busy_since = None
        if self.stopped_because:
            # Uncommitted, so that the batch comes again after a restart.
            await asyncio.Event().wait()
        await self._commit(message)

    async def _commit(self, message: KafkaMessage) -> None:
        # A rebalance may have taken the partitions away: then another member does the batch
        # again, which changes nothing.
        with contextlib.suppress(Exception):
            await message.ack()

    async def apply(self, records: Sequence["ConsumerRecord[Any, Any]"]) -> None:
        """Bring every record to its outcome."""
        received = []
        for record in records:
            try:
                received.append(self._read(record))
            except (DecodeError, SignatureError) as error:
                await self._dead_letter(record, type(error).__name__, str(error))
        origin = {id(item.event): TopicPartition(item.topic, item.partition) for item in received}
        offsets = {id(item.event): item.offset for item in received}
        backoff = self.FIRST_BACKOFF_SECONDS
        traces = [item.event.traceparent for item in received if item.event.traceparent]
        while received:
            started = time.perf_counter()
            try:
                with self._tracing.span(f"{self._service} handle", traces[:50]):
                    failed = await self._process(received)
            except Exception as error:
                if not self._is_transient(error):
                    raise
                self._metrics.retries.inc()
                _log.warning("consumer.retry", error=type(error).__name__, records=len(received))
                await asyncio.sleep(backoff * random.uniform(0.5, 1.0))  # noqa: S311 - jitter
                backoff = min(backoff * 2, self.LONGEST_BACKOFF_SECONDS)
                continue
            self._metrics.batch_seconds.observe(time.perf_counter() - started)
            lost = {id(event) for event, _ in failed}
            for item in received:
                outcome = "dead_letter" if id(item.event) in lost else "done"
                self._metrics.handled.labels(item.event.name, outcome).inc()
            if len(failed) < len(received):
                self._in_a_row = 0
            for event, why in failed:
                where = origin[id(event)]
                await self._letter(
                    where.topic, where.partition, offsets[id(event)], type(why).__name__
                )
            return

    def _read(self, record: "ConsumerRecord[Any, Any]") -> Received:
        headers = read_headers(record.headers)
        body = record.value or b""
        event = decode(headers, body)
        if event.kind.signed:
            self._principals.check(event, headers, body)
        return Received(event, headers, body, record.topic, record.partition, record.offset)

    async def _dead_letter(
        self, record: "ConsumerRecord[Any, Any]", kind: str, reason: str
    ) -> None:
        await self._letter(record.topic, record.partition, record.offset, kind, reason)

    async def _letter(
        self, topic: str, partition: int, offset: int, kind: str, reason: str = ""
    ) -> None:
        """Name the message in the dead-letter topic; try until the broker has it."""
        self._metrics.dead_letters.labels(kind).inc()
        self.recent_failures.append(kind)
        _log.error(
            "consumer.dead_letter", topic=topic, partition=partition, offset=offset, kind=kind
        )
        headers = {
            "dl_topic": topic,
            "dl_partition": str(partition),
            "dl_offset": str(offset),
            "dl_kind": kind,
            "dl_reason": reason,
            "dl_service": self._service,
            "content-type": "application/octet-stream",
        }
        backoff = self.FIRST_BACKOFF_SECONDS
        while True:
            try:
                await self._broker.publish(
                    b"",
                    topic=dead_letter_topic(self._service),
                    key=f"{topic}:{partition}:{offset}".encode(),
                    headers=headers,
                )
                break
            except Exception as error:
                _log.warning("consumer.dead_letter_failed", error=type(error).__name__)
                await asyncio.sleep(backoff)
                backoff = min(backoff * 2, self.LONGEST_BACKOFF_SECONDS)
        self._in_a_row += 1
        if self._in_a_row >= self.DEAD_LETTERS_IN_A_ROW:
            self.stopped_because = "too many dead letters in a row"


class BrokerDownError(TransientError):
    """The broker does not answer."""


async def ping(broker: KafkaBroker) -> None:
    """:raises BrokerDownError: no answer within two seconds."""
    if not await broker.ping(timeout=2.0):
        raise BrokerDownError("kafka")
