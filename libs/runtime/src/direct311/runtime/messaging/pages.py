"""A topic of one partition page by page, for readers that keep their place themselves."""

import asyncio
import ssl
from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from direct311.runtime.errors import TransientError
from direct311.runtime.messaging import connections
from direct311.runtime.settings import ServiceSettings
from direct311.schemas import DecodeError, Event, decode, read_headers
from direct311.schemas.model import Model

_log = structlog.get_logger(__name__)


class DeletedError(Exception):
    """The broker has deleted messages after this place. `first`: the oldest that it has."""

    def __init__(self, first: int) -> None:
        super().__init__("deleted")
        self.first = first


class NoSuchPlaceError(Exception):
    """The topic has never been as long as that."""


@dataclass(frozen=True, slots=True)
class Page:
    """The events from a place on, in their order. `following` is the place after them; `end` is
    where the topic ended when the page was read."""

    events: Sequence[Event[Model]]
    following: int
    end: int


class TopicPages:
    """Reads pages of topics, each with a connection of its own and without a consumer group, so
    that no reader waits for another."""

    SECONDS = 10.0
    """How long a page may take, besides the wait for its first event."""
    LARGEST = 1024 * 1024
    """How many bytes a page has at most, unless its first message is larger."""

    def __init__(self, settings: ServiceSettings, instance: str) -> None:
        self._settings = settings
        self._instance = instance
        secure = settings.kafka_security == "SASL_SSL"
        self._tls = ssl.create_default_context() if secure else None

    async def read(self, topic: str, start: int | None, most: int, wait: float) -> Page:
        """At most `most` events from `start` on, or from the oldest. If there are none yet, waits
        up to `wait` seconds for one.

        :raises DeletedError, NoSuchPlaceError: the place is not on the topic.
        :raises TransientError: the broker does not answer.
        """
        connections.use()
        consumer = self._consumer()
        try:
            async with asyncio.timeout(self.SECONDS + wait):
                await consumer.start()
                return await _page(consumer, TopicPartition(topic, 0), start, most, wait)
        except (KafkaError, TimeoutError) as error:
            _log.warning("pages.not_read", topic=topic, error=type(error).__name__)
            raise TransientError("the broker does not answer") from None
        finally:
            await consumer.stop()

    def _consumer(self) -> AIOKafkaConsumer:
        settings = self._settings
        return AIOKafkaConsumer(
            bootstrap_servers=settings.kafka_bootstrap,
            client_id=f"{self._instance}-pages",
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="none",
            fetch_max_wait_ms=500,
            max_partition_fetch_bytes=self.LARGEST,
            request_timeout_ms=int(self.SECONDS * 1000),
            security_protocol=settings.kafka_security,
            ssl_context=self._tls,
            sasl_mechanism="SCRAM-SHA-256",
            sasl_plain_username=settings.kafka_username,
            sasl_plain_password=settings.kafka_password.get_secret_value(),
        )


async def _page(
    consumer: AIOKafkaConsumer,
    partition: TopicPartition,
    start: int | None,
    most: int,
    wait: float,
) -> Page:
    consumer.assign([partition])
    first = (await consumer.beginning_offsets([partition]))[partition]
    end = (await consumer.end_offsets([partition]))[partition]
    place = first if start is None else start
    if place < first:
        raise DeletedError(first)
    if place > end:
        raise NoSuchPlaceError
    # What is there already comes within this; the rest is the reader's own patience.
    patience = TopicPages.SECONDS / 2 if place < end else wait
    if not patience:
        return Page((), place, end)
    consumer.seek(partition, place)
    found = await consumer.getmany(partition, timeout_ms=int(patience * 1000), max_records=most)
    records = found.get(partition, [])
    if not records and place < end:
        raise TimeoutError
    following = records[-1].offset + 1 if records else place
    events = [event for each in records if (event := _event(each)) is not None]
    return Page(events, following, max(end, following))


def _event(record: "ConsumerRecord[bytes, bytes]") -> Event[Model] | None:
    try:
        return decode(read_headers(record.headers), record.value or b"")
    except DecodeError:
        # Only our own services write there, so this is an operator's.
        _log.error("pages.unreadable", topic=record.topic, offset=record.offset)
        return None
