"""Kafka through FastStream: one broker per process, one batch subscriber per consumer group."""

import asyncio
import contextlib
import logging
import random
import ssl
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import structlog
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError, MessageSizeTooLargeError
from faststream import AckPolicy
from faststream.kafka import KafkaBroker, KafkaMessage
from faststream.kafka.message import KafkaAckableMessage
from faststream.security import SASLScram256

from direct311.runtime.errors import RuntimeFaultError, TransientError
from direct311.runtime.messaging import connections
from direct311.runtime.messaging.records import Entry
from direct311.runtime.messaging.signing import MISMATCH, Claim, Principals, SignatureError
from direct311.runtime.pacing import paced
from direct311.runtime.settings import ServiceSettings
from direct311.runtime.telemetry import Metrics, Tracing
from direct311.schemas import (
    DecodeError,
    Event,
    dead_letter_topic,
    decode,
    misplaced,
    read_headers,
)
from direct311.schemas.model import Model

_log = structlog.get_logger(__name__)


def make_broker(settings: ServiceSettings, instance: str) -> KafkaBroker:
    """The process's broker: acknowledged by all in-sync replicas, no linger.

    Does not use Kafka's idempotent producer, because in this library it cannot send any more once
    the broker was down for longer than `request_timeout_ms` (decision 49). A message sent twice has
    the same id, and consumers drop it. A message whose order matters waits for the one before it
    (`KafkaPublisher`). Nothing is acknowledged on reading: consumers commit when a batch is done.
    """
    connections.use()
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
        linger_ms=0,
        request_timeout_ms=10_000,
        retry_backoff_ms=50,
        metadata_max_age_ms=30_000,
        allow_auto_create_topics=False,
        compression_type=compression,
        ack_policy=AckPolicy.MANUAL,
        decoder=_undecoded,
        logger=_BrokerLog(),
        graceful_timeout=15.0,
    )


async def _undecoded(_: object) -> None:
    # Decoding happens once, in the consumer, which reports a failure without its input.
    return None


class _BrokerLog:
    """FastStream's own log lines, with only an error's class, because its text may quote a
    message."""

    def log(
        self,
        level: int,
        msg: Any,
        /,
        *,
        exc_info: Any = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        if level >= logging.ERROR and not isinstance(exc_info, asyncio.CancelledError):
            _log.error("broker.error", error=type(exc_info).__name__)


class KafkaPublisher:
    """Sends outbox entries, in order for each key of a topic."""

    TIMEOUT_SECONDS = 12.0
    QUEUE_SECONDS = 3.0
    """How long a topic's entries may wait to be queued while its partitions are unknown or full."""

    def __init__(self, broker: KafkaBroker) -> None:
        self._broker = broker

    async def publish(self, entries: Sequence[Entry]) -> Sequence[bool]:
        results = [False] * len(entries)
        refused: set[tuple[str, bytes]] = set()
        deadline = time.monotonic() + self.TIMEOUT_SECONDS
        for turn in _turns(entries):
            if time.monotonic() >= deadline:
                break
            # Entries after one that the broker does not have would overtake it.
            now = [index for index in turn if _key(entries[index]) not in refused]
            for index in await self._publish(entries, now, deadline):
                results[index] = True
            refused.update(_key(entries[index]) for index in now if not results[index])
        return results

    async def _publish(
        self, entries: Sequence[Entry], turn: Sequence[int], deadline: float
    ) -> Sequence[int]:
        """Send entries with different keys; returns those that the broker stored in time."""
        lanes: dict[str, list[int]] = {}
        for index in turn:
            lanes.setdefault(entries[index].message.topic, []).append(index)
        sent: dict[int, asyncio.Future[Any]] = {}
        # A missing or forbidden topic must not keep other entries waiting.
        await asyncio.gather(*(self._queue(entries, lane, sent) for lane in lanes.values()))
        if sent:
            await asyncio.wait(sent.values(), timeout=max(0.0, deadline - time.monotonic()))
        done = []
        for index, future in sent.items():
            if not future.done():
                future.cancel()
            elif not future.cancelled() and future.exception() is None:
                done.append(index)
        return done

    async def _queue(
        self, entries: Sequence[Entry], lane: Sequence[int], sent: dict[int, asyncio.Future[Any]]
    ) -> None:
        """Hand a topic's entries to the producer."""
        try:
            async with asyncio.timeout(self.QUEUE_SECONDS):
                for index in lane:
                    message = entries[index].message
                    with contextlib.suppress(MessageSizeTooLargeError):
                        sent[index] = await self._broker.publish(
                            message.body,
                            topic=message.topic,
                            key=message.key,
                            headers=message.headers,
                            correlation_id=entries[index].id,
                            no_confirm=True,
                        )
        except (KafkaError, TimeoutError) as error:
            _log.warning(
                "broker.topic_refused",
                topic=entries[lane[0]].message.topic,
                error=type(error).__name__,
            )

    async def publish_one(self, entry: Entry, seconds: float) -> None:
        """Send one message and wait until all in-sync replicas have it.

        :raises TimeoutError: the broker did not confirm it within `seconds`.
        """
        async with asyncio.timeout(seconds):
            await self._broker.publish(
                entry.message.body,
                topic=entry.message.topic,
                key=entry.message.key,
                headers=entry.message.headers,
                correlation_id=entry.id,
            )


def _key(entry: Entry) -> tuple[str, bytes]:
    return entry.message.topic, entry.message.key


def _turns(entries: Sequence[Entry]) -> Sequence[Sequence[int]]:
    """Positions of the entries in rounds: the first of each key, the second of each, and so on. A
    producer that gives up on one batch may still send the next, so an entry waits for the one
    before it."""
    turns: list[list[int]] = []
    had: Counter[tuple[str, bytes]] = Counter()
    for index, entry in enumerate(entries):
        turn = had[_key(entry)]
        had[_key(entry)] += 1
        if turn == len(turns):
            turns.append([])
        turns[turn].append(index)
    return turns


class MisplacedError(RuntimeFaultError):
    """An event does not belong on its topic, or claims a source that may not send it there."""


@dataclass(frozen=True, slots=True)
class Received:
    """An event as received: decoded, and the bytes that its signature covers."""

    event: Event[Model]
    headers: dict[str, str]
    body: bytes
    topic: str
    partition: int
    offset: int


Process = Callable[[Sequence[Received]], Awaitable[Sequence[tuple[Event[Model], Exception]]]]
"""Handles a batch; returns the events that failed for good. Raises transient errors."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that cannot be handled: where it is, its headers as text, and why. `unread`: it
    could not be read, or does not belong on its topic."""

    topic: str
    partition: int
    offset: int
    headers: Mapping[str, str]
    error: Exception
    unread: bool


Tell = Callable[[DeadLetter], Awaitable[None]]
"""Tells a message's sender that it became a dead letter. Called before the letter is written, and
again if the process is killed in between, so it must be repeatable. Transient errors are
retried."""


async def untold(_: DeadLetter) -> None:
    """Most senders are our own services, which need no answer."""


class _LeavingError(Exception):
    """The process is stopping; the current batch is delivered again, here or elsewhere."""


SHORT_SECONDS = 0.01
"""A process that wakes this much later than requested is waiting for the processor."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How a consumer forms batches. After each batch it lingers, so that events that arrive
    meanwhile share the fixed cost of a batch. If it is behind (the batch was full) and the
    processor is busy, it pauses for three times as long as the batch took, so that callers waiting
    for an answer come first.

    `records`: the size of the largest batch; `linger` and `most`: the shortest and longest pause,
    in seconds; `fetched`: how many bytes of a partition are fetched at once, which limits a batch
    too.
    """

    records: int = 500
    linger: float = 0.02
    most: float = 1.0
    fetched: int = 1024**2

    def pause(self, count: int, took: float, late: float) -> float:
        """Seconds to wait after a batch of so many events that took this long, if the process woke
        this late after the previous pause."""
        yields = count >= self.records and late > SHORT_SECONDS
        return min(max(3 * took if yields else 0.0, self.linger), self.most)


PROMPT = Pace()
PATIENT = Pace(records=2_000, linger=0.4, most=5.0)
"""Nobody waits for the outcome: most events that a request causes are handled in one batch."""
EAGER = Pace(records=2_000, most=0.02, fetched=4 * 1024**2)
"""Events that must be stored soon, however many there are."""

CHECKED_TOGETHER = 500
"""So many events' signatures are checked while the next events are decoded."""


class SignatureChecker(Protocol):
    """What checks signatures elsewhere than in this process (`signature_checks`)."""

    async def right(self, claims: Sequence[Claim]) -> Sequence[bool]:
        """Which of these signatures are right."""
        ...


@dataclass(frozen=True, slots=True)
class _Batch:
    """Records as read: the events, and what is no event or not genuine, with the reasons."""

    received: Sequence[Received]
    unread: "Sequence[tuple[ConsumerRecord[Any, Any], Exception]]"


class Consumer:
    """One consumer group's member: batches, retries, dead letters.

    A message has three outcomes. Done. Transient: the batch is retried with back-off and jitter.
    Dead-lettered: a letter that names topic, partition, offset and the kind of error goes to the
    service's dead-letter topic. If handlers fail on `DEAD_LETTERS_IN_A_ROW` messages of one topic
    with no success in between, the consumer stops, since then the code is more likely to be wrong
    than all of the messages. On `foreign` topics, which others than our services write to, all
    messages may well be wrong.

    A message that cannot be read, does not belong on its topic or lacks a valid signature says
    nothing about the code, and its writer chooses how many there are, so it never stops the
    consumer (decision 67). If there are as many in a row on one topic, `flooded` reports it.

    `named_by`: another consumer group of this service that reads the same topics. What cannot be
    read gets its dead letter from that group alone, so one message has one letter.

    `ahead`: the next batch is read while this one is handled. Batches are still handled and
    committed one after the other. `signatures` checks signatures instead of this process.

    `tell`: what the sender of a message that becomes a dead letter is told, and how.
    """

    DEAD_LETTERS_IN_A_ROW = 100
    GIVE_WAY_TIMES = 4.0
    GIVE_WAY_SECONDS = 4.0
    LOOK_SECONDS = 0.05
    """How long the next batch waits at most for something more urgent (as a multiple of the last
    batch's time, and in seconds), and how often it looks (decision 79)."""
    IDLE_MILLISECONDS = 100
    """How long a poll waits, and then pauses, if nothing arrives."""
    SINCE_MILLISECONDS = 5
    """How long a batch waits for messages that reached the broker since it was fetched."""
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
        named_by: str | None = None,
        foreign: Iterable[str] = (),
        pace: Pace = PROMPT,
        gives_way: Callable[[], bool] = lambda: False,
        ahead: bool = False,
        signatures: SignatureChecker | None = None,
        tell: Tell = untold,
    ) -> None:
        self._broker = broker
        self._tell = tell
        self._service = service
        self._process = process
        self._principals = principals
        self._is_transient = is_transient
        self._metrics = metrics
        self._tracing = tracing
        self._named_by = named_by
        self._foreign = frozenset(foreign)
        self._gives_way = gives_way
        self._pace = pace
        self._ahead = ahead
        self._signatures = signatures
        self._last: asyncio.Task[None] | None = None
        self._failed_in_a_row: Counter[str] = Counter()
        self._unread_in_a_row: Counter[str] = Counter()
        self._leaving = asyncio.Event()
        self._late = 0.0
        self.stopped_because: str | None = None
        self.busy_since: float | None = None
        self._subscriber = broker.subscriber(
            *topics,
            batch=True,
            group_id=group or service,
            auto_offset_reset="earliest",
            max_records=pace.records,
            batch_timeout_ms=self.IDLE_MILLISECONDS,
            # Everything there is fetched at once; the pauses form the batches. If nothing is there,
            # the broker answers twice a second.
            fetch_max_wait_ms=500,
            fetch_min_bytes=1,
            max_partition_fetch_bytes=pace.fetched,
            max_poll_interval_ms=900_000,
            # The group notices a killed copy after six seconds (the least Kafka allows).
            session_timeout_ms=6_000,
            heartbeat_interval_ms=2_000,
            ack_policy=AckPolicy.MANUAL,
            no_reply=True,
            parser=self._unparsed,
        )
        self._subscriber(self._handle)

    async def _unparsed(self, raw: tuple["ConsumerRecord[Any, Any]", ...]) -> KafkaMessage:
        # FastStream's parser reads all headers as UTF-8, and drops a whole batch if one is not.
        consumer = self._subscriber.consumer
        assert consumer is not None  # noqa: S101 - it has just read the batch
        return KafkaAckableMessage(raw, b"", consumer=consumer)

    def leave(self) -> None:
        """Retry nothing more, because the process is stopping. Unfinished messages stay
        uncommitted."""
        self._leaving.set()

    async def _handle(self, message: KafkaMessage) -> None:
        """A batch is committed only once every message in it has its outcome, whatever happens.

        FastStream drops an error raised here and goes on to the next batch, whose commit would also
        cover this one.
        """
        raw = message.raw_message
        records: Sequence[ConsumerRecord[Any, Any]] = raw if isinstance(raw, tuple) else (raw,)
        if self._leaving.is_set():
            return
        started = time.monotonic()
        try:
            records = [*records, *await self._come_since(len(records))]
        except Exception as error:
            await self._stop(error)
            return
        if self._ahead:
            before = self._last
            self._last = asyncio.create_task(self._bring(message, records, before))
            if before is not None:
                await asyncio.wait({before})
        else:
            await self._bring(message, records, None)
        if self._leaving.is_set():
            return
        asleep = time.monotonic()
        took = asleep - started
        pause = self._pace.pause(len(records), took, self._late)
        await self._pause(pause)
        self._late = time.monotonic() - asleep - pause
        until = asleep + min(self.GIVE_WAY_TIMES * took, self.GIVE_WAY_SECONDS)
        while self._gives_way() and time.monotonic() < until and not self._leaving.is_set():
            await self._pause(self.LOOK_SECONDS)

    async def _stop(self, error: Exception) -> None:
        """Handle nothing more. What is in hand is left uncommitted, so that it is delivered again
        after a restart."""
        _log.error("consumer.broken", error=type(error).__name__)
        self.stopped_because = f"broken: {type(error).__name__}"
        await self._leaving.wait()

    async def _bring(
        self,
        message: KafkaMessage,
        records: Sequence["ConsumerRecord[Any, Any]"],
        before: asyncio.Task[None] | None,
    ) -> None:
        """Bring a batch to its outcome and commit it, once the batch `before` it is done."""
        if before is None:
            self.busy_since = time.monotonic()
        try:
            batch = await self._read_all(records)
            if before is not None:
                await asyncio.wait({before})
                if self.stopped_because or self._leaving.is_set():
                    return
            self.busy_since = time.monotonic()
            await self._finish(batch)
        except _LeavingError:
            return
        except Exception as error:
            self.busy_since = None
            await self._stop(error)
            return
        finally:
            self.busy_since = None
        if self.stopped_because:
            await self._leaving.wait()
            return
        await self._commit(message, records)

    async def settled(self) -> None:
        """Wait for the batch in hand. Call after `leave`."""
        if self._last is not None:
            await asyncio.wait({self._last})

    async def _come_since(self, count: int) -> Sequence["ConsumerRecord[Any, Any]"]:
        """Messages that reached the broker after the client's last fetch: the client fetches what
        is there first, and no more until that is taken. The next commit covers these too."""
        consumer = self._subscriber.consumer
        if consumer is None or count >= self._pace.records:
            return ()
        try:
            found = await consumer.getmany(
                timeout_ms=self.SINCE_MILLISECONDS, max_records=self._pace.records - count
            )
        except KafkaError as error:
            # Nothing was taken. The current batch still gets its outcome.
            _log.warning("consumer.fetch_failed", error=type(error).__name__)
            return ()
        return [record for records in found.values() for record in records]

    async def _pause(self, seconds: float) -> None:
        """Wait, unless the process is stopping."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._leaving.wait(), seconds)

    async def _commit(
        self, message: KafkaMessage, records: Sequence["ConsumerRecord[Any, Any]"]
    ) -> None:
        # A rebalance may have taken the partitions away: then another member does the batch
        # again, which changes nothing.
        with contextlib.suppress(Exception):
            consumer = self._subscriber.consumer
            if not self._ahead or consumer is None:
                await message.ack()
                return
            # The client's own position may be behind the next batch by now.
            reached: dict[TopicPartition, int] = {}
            for each in records:
                place = TopicPartition(each.topic, each.partition)
                reached[place] = max(each.offset + 1, reached.get(place, 0))
            await consumer.commit(reached)

    async def apply(self, records: Sequence["ConsumerRecord[Any, Any]"]) -> None:
        """Bring every record to its outcome."""
        await self._finish(await self._read_all(records))

    async def _read_all(self, records: Sequence["ConsumerRecord[Any, Any]"]) -> _Batch:
        read: list[tuple[ConsumerRecord[Any, Any], Received]] = []
        unread: list[tuple[ConsumerRecord[Any, Any], Exception]] = []
        claims: list[tuple[int, Claim]] = []
        checking: list[asyncio.Task[Sequence[int]]] = []
        async for record in paced(records):
            try:
                received, claim = self._read(record)
            except (DecodeError, MisplacedError, SignatureError) as error:
                unread.append((record, error))
                continue
            if claim is not None:
                claims.append((len(read), claim))
            read.append((record, received))
            if len(claims) >= CHECKED_TOGETHER:
                checking.append(asyncio.create_task(self._forged(claims)))
                claims = []
        forged = {*await self._forged(claims)}
        for task in checking:
            forged.update(await task)
        unread += [(read[at][0], SignatureError(MISMATCH)) for at in sorted(forged)]
        return _Batch([each for at, (_, each) in enumerate(read) if at not in forged], unread)

    async def _forged(self, claims: Sequence[tuple[int, Claim]]) -> Sequence[int]:
        """The places of those whose signature is wrong."""
        if self._signatures is None or not claims:
            return ()
        right = await self._signatures.right([claim for _, claim in claims])
        return [at for (at, _), good in zip(claims, right, strict=True) if not good]

    async def _finish(self, batch: _Batch) -> None:
        received = batch.received
        failed = await self._outcomes(received) if received else []
        lost = {id(event): why for event, why in failed}
        outcomes = Counter(
            (item.event.name, "dead_letter" if id(item.event) in lost else "done")
            for item in received
        )
        for names, count in outcomes.items():
            self._metrics.handled.labels(*names).inc(count)
        for item in received:
            self._unread_in_a_row.pop(item.topic, None)
        done = {item.topic for item in received if id(item.event) not in lost}
        for topic in done:
            self._failed_in_a_row.pop(topic, None)
        for record, refusal in batch.unread:
            if self._named_by is None:
                await self._told(record, read_headers(record.headers), refusal, unread=True)
                await self._letter(record, refusal, str(refusal))
            self._unread_in_a_row[record.topic] += 1
        for item in received:
            if (why := lost.get(id(item.event))) is not None and not self.stopped_because:
                await self._told(item, item.headers, why, unread=False)
                await self._letter(item, why, "")
                if item.topic not in done | self._foreign:
                    self._failed_in_a_row[item.topic] += 1
                    if self._failed_in_a_row[item.topic] >= self.DEAD_LETTERS_IN_A_ROW:
                        self.stopped_because = "too many dead letters in a row"

    @property
    def flooded(self) -> str | None:
        """The names of the topics from which nothing could be read lately; `None` if there are
        none."""
        topics = sorted(
            topic
            for topic, count in self._unread_in_a_row.items()
            if count >= self.DEAD_LETTERS_IN_A_ROW
        )
        return f"nothing can be read from {', '.join(topics)}" if topics else None

    async def _outcomes(
        self, received: Sequence[Received]
    ) -> Sequence[tuple[Event[Model], Exception]]:
        """Handle a batch, with as many retries as it takes; returns the events that failed for
        good."""
        traces = [item.event.traceparent for item in received if item.event.traceparent]
        backoff = self.FIRST_BACKOFF_SECONDS
        while True:
            started = time.perf_counter()
            try:
                with self._tracing.span(f"{self._service} handle", traces[:50]):
                    failed = await self._process(received)
            except Exception as error:
                if not self._is_transient(error):
                    return await self._traced(received, error)
                self._metrics.retries.inc()
                _log.warning("consumer.retry", error=type(error).__name__, records=len(received))
                backoff = await self._back_off(backoff)
                continue
            self._metrics.batch_seconds.observe(time.perf_counter() - started)
            return failed

    async def _traced(
        self, received: Sequence[Received], error: Exception
    ) -> Sequence[tuple[Event[Model], Exception]]:
        """Find the event that breaks the handler: by record, then one by one."""
        if len(received) == 1:
            return [(received[0].event, error)]
        _log.error("consumer.batch_broken", error=type(error).__name__, records=len(received))
        lanes: dict[str, list[Received]] = {}
        for item in received:
            lanes.setdefault(item.event.subject, []).append(item)
        parts = lanes.values() if len(lanes) > 1 else [[item] for item in received]
        failed: list[tuple[Event[Model], Exception]] = []
        for part in parts:
            failed += await self._outcomes(part)
        return failed

    async def _back_off(self, seconds: float) -> float:
        """Wait about this long; returns how long to wait next time.

        :raises _LeavingError: the process is stopping.
        """
        await self._pause(seconds * random.uniform(0.5, 1.0))  # noqa: S311
        if self._leaving.is_set():
            raise _LeavingError
        return min(seconds * 2, self.LONGEST_BACKOFF_SECONDS)

    def _read(self, record: "ConsumerRecord[Any, Any]") -> tuple[Received, Claim | None]:
        """The event, and its signature if `signatures` still has to check that."""
        headers = read_headers(record.headers)
        body = record.value or b""
        event = decode(headers, body)
        claim = None
        if why := misplaced(event, record.topic):
            raise MisplacedError(why)
        if event.kind.signed and self._signatures is not None:
            claim = self._principals.claim(event, headers, body)
        elif event.kind.signed:
            self._principals.check(event, headers, body)
        received = Received(event, headers, body, record.topic, record.partition, record.offset)
        return received, claim

    async def _told(
        self,
        at: "ConsumerRecord[Any, Any] | Received",
        headers: Mapping[str, str],
        why: Exception,
        *,
        unread: bool,
    ) -> None:
        """Tell the sender; retry until it is done. A mistake of ours here costs the answer, and
        does not keep the other messages waiting."""
        letter = DeadLetter(at.topic, at.partition, at.offset, headers, why, unread)
        backoff = self.FIRST_BACKOFF_SECONDS
        while True:
            try:
                await self._tell(letter)
                return
            except Exception as error:
                if not self._is_transient(error):
                    _log.error("consumer.sender_not_told", error=type(error).__name__)
                    return
                _log.warning("consumer.retry", error=type(error).__name__, records=1)
                backoff = await self._back_off(backoff)

    async def _letter(
        self,
        at: "ConsumerRecord[Any, Any] | Received",
        why: Exception,
        reason: str,
    ) -> None:
        """Name the message in the dead-letter topic; retry until the broker has it."""
        kind = type(why).__name__
        self._metrics.dead_letters.labels(kind).inc()
        _log.error(
            "consumer.dead_letter",
            topic=at.topic,
            partition=at.partition,
            offset=at.offset,
            kind=kind,
        )
        headers = {
            "dl_topic": at.topic,
            "dl_partition": str(at.partition),
            "dl_offset": str(at.offset),
            "dl_kind": kind,
            "dl_reason": reason,
            "dl_service": self._service,
            "content-type": "application/octet-stream",
        }
        backoff = self.FIRST_BACKOFF_SECONDS
        while True:
            try:
                await self._send_letter(f"{at.topic}:{at.partition}:{at.offset}", headers)
                break
            except _LeavingError:
                raise
            except Exception as error:
                _log.warning("consumer.dead_letter_failed", error=type(error).__name__)
                backoff = await self._back_off(backoff)

    async def _send_letter(self, key: str, headers: dict[str, str]) -> None:
        # The producer waits for a broker that is down as long as it takes; a stopping process does
        # not.
        topic = dead_letter_topic(self._service)
        sending = asyncio.create_task(
            self._broker.publish(b"", topic=topic, key=key.encode(), headers=headers)
        )
        leaving = asyncio.create_task(self._leaving.wait())
        try:
            await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait({sending}, timeout=2)
            if not sending.done():
                raise _LeavingError
            sending.result()
        finally:
            sending.cancel()
            leaving.cancel()


class BrokerDownError(TransientError):
    """The broker does not answer."""


async def start(broker: KafkaBroker) -> None:
    """Connect, and start the subscribers; may be called again after a failure.

    FastStream treats a client whose first connection failed as connected, so everything that
    started before the failure is stopped again.
    """
    try:
        await broker.start()
    except BaseException:
        with contextlib.suppress(Exception):
            await broker.stop()
        raise


async def ping(broker: KafkaBroker) -> None:
    """:raises BrokerDownError: no answer within two seconds."""
    if not await broker.ping(timeout=2.0):
        raise BrokerDownError("kafka")
