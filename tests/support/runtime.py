"""The runtime's ports over real servers, and small things to keep in them."""

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from faststream.kafka import KafkaBroker

from deploy.local.stack import Stack
from direct311.runtime.messaging.broker import make_broker
from direct311.runtime.messaging.records import Entry
from direct311.runtime.messaging.signing import Principals, PublicKey, Signer
from direct311.runtime.messaging.state import RecordState
from direct311.runtime.settings import ServiceSettings
from direct311.runtime.storage import database as mongo
from direct311.runtime.storage.database import Database
from direct311.schemas import Encoded, Event, dead_letter_topic
from direct311.schemas import events as ev
from direct311.schemas.model import Model

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
IN_A_TOMBSTONE = {
    "_id",
    "version",
    "lifecycle",
    "outbox",
    "pending",
    "relay_after",
    "relay_by",
    "written",
}
"""Fields of a destroyed record's document, in every service's database."""


@dataclass
class SetClock:
    """A clock that a test sets."""

    at: datetime = field(default=NOW)

    def now(self) -> datetime:
        return self.at

    def advance(self, by: timedelta) -> None:
        self.at += by


class Tally(RecordState):
    """Counts what was handled, so that handling an event twice shows."""

    total: int = 0


def overdue(record_id: str, version: int) -> Event[Model]:
    """An event about a record; any event would do."""
    data = ev.RequestOverdue(
        record_id=record_id,
        version=version,
        department="parks",
        due_on=NOW.date(),
        noticed_at=NOW,
    )
    return Event(str(uuid4()), "/direct311/routing", record_id, NOW, data)


def entry(name: str = "", topic: str = "request.overdue", key: str = "k") -> Entry:
    """An outbox entry with a body that names it."""
    entry_id = name or str(uuid4())
    return Entry(entry_id, Encoded(topic, key.encode(), {"ce_id": entry_id}, entry_id.encode()))


def new_id(what: str = "r") -> str:
    """An id that no other test has."""
    return f"{what}-{uuid4().hex}"


@asynccontextmanager
async def database_of_its_own(servers: Stack) -> AsyncIterator[Database]:
    """A new database of the shared server, dropped afterwards."""
    database = mongo.connect(servers.dev["database"]["url"], new_id("contract"))
    try:
        yield database
    finally:
        await database.client.drop_database(database.name)
        mongo.disconnect(database)


def operator_settings(servers: Stack) -> ServiceSettings:
    """A process with all rights on the broker."""
    kafka = servers.dev["kafka"]
    return ServiceSettings(
        environment="test",
        port=1,
        public_url="http://127.0.0.1:1",
        kafka_bootstrap=kafka["bootstrap"],
        kafka_username=kafka["username"],
        kafka_password=kafka["password"],
        kafka_security="SASL_PLAINTEXT",
        database_url=servers.dev["database"]["url"],
        database_name="contract",
        issuer_url=servers.dev["issuer"],
        client_id="none",
        client_secret="none",
        signing_key_file=servers.root / "keys" / "intake-signing.json",
        principals_file=servers.root / "principals.json",
    )


@dataclass(frozen=True)
class Signature:
    """A service's key pair, and the other services that the principals know."""

    signer: Signer
    principals: Principals


def signature(service: str) -> Signature:
    """A new key of `service`, valid forever."""
    private = Ed25519PrivateKey.generate()
    always = (datetime(2020, 1, 1, tzinfo=UTC), datetime(2040, 1, 1, tzinfo=UTC))
    key = PublicKey(f"{service}-1", service, private.public_key(), *always)
    return Signature(Signer(key.keyid, private), Principals({key.keyid: key}))


def service_environment(servers: Stack, service: str) -> dict[str, str]:
    """What a service's process is told, without its prefix."""
    lines = (servers.root / "env" / f"{service}.env").read_text().splitlines()
    prefix = f"{service.upper()}_"
    return dict(line.removeprefix(prefix).split("=", 1) for line in lines if "=" in line)


def claims(token: str) -> dict[str, object]:
    """What a token says, unchecked."""
    body = token.split(".")[1]
    found: dict[str, object] = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return found


async def until(look: Callable[[], object], promise: str, *, seconds: float = 30.0) -> None:
    """Wait until `look` returns something true.

    :raises AssertionError: it did not in time; the message says what was promised.
    """
    deadline = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < deadline, f"within {seconds:.0f} s: {promise}"
        await asyncio.sleep(0.02)


@dataclass(frozen=True)
class Wire:
    """A topic of its own on the real broker, and a process's access to it."""

    settings: ServiceSettings
    topic: str
    service: str
    admin: AIOKafkaAdminClient
    sasl: Mapping[str, Any]

    @asynccontextmanager
    async def broker(self, *, started: bool = True) -> AsyncIterator[KafkaBroker]:
        """A process's broker; stopped at the end."""
        broker = make_broker(self.settings, new_id("instance"))
        if started:
            await broker.start()
        try:
            yield broker
        finally:
            await broker.stop()

    async def create(self, topic: str, partitions: int) -> None:
        await self.admin.create_topics([NewTopic(topic, partitions, 1)])

    async def send(
        self, message: Encoded, headers: Sequence[tuple[str, bytes | None]] = ()
    ) -> None:
        """Put a message on the topic, whatever it contains."""
        async with AIOKafkaProducer(
            bootstrap_servers=self.settings.kafka_bootstrap, **self.sasl
        ) as producer:
            pairs = [(name, value.encode()) for name, value in message.headers.items()]
            await producer.send_and_wait(
                self.topic, message.body, key=message.key, headers=[*pairs, *headers]
            )

    async def read(self, topic: str) -> list[ConsumerRecord[bytes, bytes]]:
        """Everything that is on a topic now."""
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.settings.kafka_bootstrap,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            **self.sasl,
        )
        await consumer.start()
        try:
            await consumer._client._wait_on_metadata(topic)
            places = [TopicPartition(topic, p) for p in consumer.partitions_for_topic(topic) or ()]
            consumer.assign(places)
            ends = await consumer.end_offsets(places)
            found: list[ConsumerRecord[bytes, bytes]] = []
            while len(found) < sum(ends.values()):
                for records in (await consumer.getmany(timeout_ms=1000)).values():
                    found += records
            return found
        finally:
            await consumer.stop()

    async def committed(self, group: str) -> int:
        """How many messages of the topic a group has handled."""
        offsets = await self.admin.list_consumer_group_offsets(group)
        return sum(at.offset for place, at in offsets.items() if place.topic == self.topic)


@asynccontextmanager
async def wire(servers: Stack) -> AsyncIterator[Wire]:
    """A new topic with three partitions, and a service's dead letters."""
    settings = operator_settings(servers)
    sasl: dict[str, Any] = {
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "SCRAM-SHA-256",
        "sasl_plain_username": settings.kafka_username,
        "sasl_plain_password": settings.kafka_password.get_secret_value(),
    }
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap, **sasl)
    await admin.start()
    try:
        found = Wire(settings, new_id("topic"), new_id("service"), admin, sasl)
        await found.create(found.topic, 3)
        await found.create(dead_letter_topic(found.service), 1)
        yield found
    finally:
        await admin.close()
