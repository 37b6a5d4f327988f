"""How fast the audit log takes access events that wait in its topic."""

import asyncio
import re
import time
from datetime import UTC, datetime
from pathlib import Path

from aiokafka import AIOKafkaProducer

from deploy.local.stack import Stack
from direct311.audit.log.adapters.mongo_log import MongoLog
from direct311.cli.stack import LocalStack
from direct311.runtime.clock import TimeOrderedIds
from direct311.runtime.messaging.signing import Signer, read_private
from direct311.runtime.storage import database as mongo
from direct311.schemas import Event, encode
from direct311.schemas import events as ev
from direct311.schemas.model import Model
from tests.load.log_floor import bare_rate

ACTORS = 40


def append_rate(stack: Stack, count: int) -> tuple[float, float]:
    """Events a second from audit's start of reading until the log's head covers all of them, and
    the seconds from then until the query index has them."""
    dev = LocalStack.model_validate(stack.dev)
    stack.start("audit")
    stack.wait_ready("audit")
    before = asyncio.run(_size(dev))
    stack.stop("audit")
    asyncio.run(_prepare(stack, dev, count))
    stack.start("audit")
    stack.wait_ready("audit")
    return asyncio.run(_watch(dev, before, count))


def append_floor(stack: Stack, count: int, copies: int) -> float:
    """Events a second that so many bare appenders take together, of those prepared before."""
    stack.stop("audit")
    _, private = read_private(signing_key(stack))
    rate = bare_rate(stack, private.public_key(), count, copies)
    stack.start("audit")
    stack.wait_ready("audit")
    return rate


def signing_key(stack: Stack) -> Path:
    """The file with intake's signing key."""
    environment = (Path(stack.root) / "env" / "intake.env").read_text()
    found = re.search(r"INTAKE_SIGNING_KEY_FILE=\"?([^\"\n]+)", environment)
    if found is None:
        raise SystemExit("intake's settings name no signing key")
    return Path(found[1])


async def _size(dev: LocalStack) -> int:
    """The log's head; what is published follows it once a quorum of witnesses has cosigned."""
    database = mongo.connect(dev.database.url, "audit")
    try:
        return (await MongoLog(database).head()).size
    finally:
        mongo.disconnect(database)


async def _watch(dev: LocalStack, before: int, count: int) -> tuple[float, float]:
    """The rate from the first entries to the last, so that start-up does not count, and how long
    the query index took after that."""
    marks: list[tuple[float, int]] = []
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        done = await _size(dev) - before
        marks.append((time.monotonic(), done))
        if done >= count:
            break
        await asyncio.sleep(0.1)
    else:
        raise SystemExit("audit did not take the prepared events in five minutes")
    first = next((mark for mark in marks if mark[1] > 0), marks[0])
    last = marks[-1]
    behind = await _indexed(dev, before + count) - last[0]
    if last[0] - first[0] < 0.5:
        return count / max(last[0] - marks[0][0], 0.001), behind
    return (last[1] - first[1]) / (last[0] - first[0]), behind


async def _indexed(dev: LocalStack, size: int) -> float:
    """When the query index has all entries below `size`."""
    database = mongo.connect(dev.database.url, "audit")
    deadline = time.monotonic() + 120
    try:
        while time.monotonic() < deadline:
            indexed = await MongoLog(database).indexed()
            if indexed is not None and indexed.size >= size:
                return time.monotonic()
            await asyncio.sleep(0.1)
    finally:
        mongo.disconnect(database)
    raise SystemExit("the query index did not follow in two minutes")


async def _prepare(stack: Stack, dev: LocalStack, count: int) -> None:
    """Signed access events of intake's, about a thousand records."""
    signer = Signer.from_file(signing_key(stack))
    ids = TimeOrderedIds()
    records = [ids.new() for _ in range(1000)]
    producer_name = f"intake/{ids.new()}"
    producer = producer_of(dev)
    await producer.start()
    try:
        for number in range(count):
            record_id = records[number % len(records)]
            event: Event[Model] = Event(
                ids.new(),
                "/direct311/intake",
                record_id,
                datetime.now(UTC),
                access_of(record_id, producer_name, number + 1, instance="bench"),
            )
            message = signer.sign(encode(event))
            headers = [(name, value.encode()) for name, value in message.headers.items()]
            await producer.send(
                message.topic, message.body, key=producer_name.encode(), headers=headers
            )
        await producer.flush()
    finally:
        await producer.stop()


def producer_of(dev: LocalStack) -> AIOKafkaProducer:
    """The administrator's, as durable and in order as a service's own."""
    return AIOKafkaProducer(
        bootstrap_servers=dev.kafka.bootstrap,
        security_protocol="SASL_PLAINTEXT",
        sasl_mechanism="SCRAM-SHA-256",
        sasl_plain_username=dev.kafka.username,
        sasl_plain_password=dev.kafka.password,
        acks="all",
        linger_ms=5,
    )


def access_of(record_id: str, producer: str, sequence: int, *, instance: str) -> ev.PiiAccessed:
    """An access of one of `ACTORS` services' accounts, whose volume surprises nobody."""
    return ev.PiiAccessed(
        action="view",
        outcome="success",
        time=ev.AccessTime(occurred_at=datetime.now(UTC), producer=producer, sequence=sequence),
        agent=ev.AccessAgent(id=f"{instance}-{sequence % ACTORS}", roles=("service",)),
        where=ev.AccessWhere(
            service="intake", instance=instance, service_version="0", operation=instance
        ),
        why=ev.AccessWhy(purpose="respond"),
        what=ev.AccessWhat(record_ids=(record_id,), fields=("phone",)),
        decision=ev.AccessDecision(policy_hash="0" * 64, rule=instance),
        retention=ev.AccessRetention(related_record=record_id),
    )
