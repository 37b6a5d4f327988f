"""Read dead letters, and send the messages they name to the service again.

A dead letter holds only the place of a message, not the message. Replay reads the message there and
sends the same bytes to the same topic; services that have already handled it drop it.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition

from direct311.cli.stack import LocalStack
from direct311.schemas import dead_letter_topic, read_headers


@dataclass(frozen=True, slots=True)
class Letter:
    """Where an unhandled message is, and the kind of error it caused."""

    topic: str
    partition: int
    offset: int
    kind: str
    reason: str


def _connection(stack: LocalStack) -> dict[str, Any]:
    return {
        "bootstrap_servers": stack.kafka.bootstrap,
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "SCRAM-SHA-256",
        "sasl_plain_username": stack.kafka.username,
        "sasl_plain_password": stack.kafka.password,
    }


@asynccontextmanager
async def _consumer(stack: LocalStack, group: str | None = None) -> AsyncIterator[AIOKafkaConsumer]:
    consumer = AIOKafkaConsumer(
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        **_connection(stack),
    )
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()


def _letter(record: "ConsumerRecord[Any, Any]") -> Letter:
    headers = read_headers(record.headers)
    return Letter(
        headers["dl_topic"],
        int(headers["dl_partition"]),
        int(headers["dl_offset"]),
        headers["dl_kind"],
        headers.get("dl_reason", ""),
    )


async def _from(
    consumer: AIOKafkaConsumer, partition: TopicPartition, start: int
) -> AsyncIterator["ConsumerRecord[Any, Any]"]:
    """The messages in a partition from `start` to its current end."""
    end = (await consumer.end_offsets([partition]))[partition]
    position = start
    consumer.seek(partition, position)
    while position < end:
        found = await consumer.getmany(partition, timeout_ms=2000)
        for record in found.get(partition, ()):
            position = record.offset + 1
            yield record
        if not found:
            return


async def read(stack: LocalStack, service: str) -> AsyncIterator[Letter]:
    """All of a service's dead letters that the broker still has."""
    async with _consumer(stack) as consumer:
        partition = TopicPartition(dead_letter_topic(service), 0)
        consumer.assign([partition])
        start = (await consumer.beginning_offsets([partition]))[partition]
        async for record in _from(consumer, partition, start):
            yield _letter(record)


async def replay(stack: LocalStack, service: str) -> int:
    """Send the messages named by letters not replayed yet; returns how many.

    The broker stores the place reached, so that a second replay sends nothing twice.
    """
    sent = 0
    topic = TopicPartition(dead_letter_topic(service), 0)
    producer = AIOKafkaProducer(acks="all", enable_idempotence=True, **_connection(stack))
    await producer.start()
    try:
        async with (
            _consumer(stack, f"deadletters.replay.{service}") as place,
            _consumer(stack) as reader,
        ):
            place.assign([topic])
            first = (await place.beginning_offsets([topic]))[topic]
            start = max(await place.committed(topic) or 0, first)
            async for record in _from(place, topic, start):
                for message in await _message(reader, _letter(record)):
                    await producer.send_and_wait(
                        message.topic,
                        message.value,
                        key=message.key,
                        headers=list(message.headers),
                    )
                    sent += 1
                await place.commit({topic: record.offset + 1})
    finally:
        await producer.stop()
    return sent


async def _message(
    reader: AIOKafkaConsumer, letter: Letter
) -> Sequence["ConsumerRecord[Any, Any]"]:
    """The message that a letter names; empty if the broker no longer has it."""
    partition = TopicPartition(letter.topic, letter.partition)
    reader.assign([partition])
    reader.seek(partition, letter.offset)
    found = await reader.getmany(partition, timeout_ms=3000, max_records=1)
    return [record for record in found.get(partition, ()) if record.offset == letter.offset]
