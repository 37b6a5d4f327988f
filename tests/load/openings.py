"""What `Vault.open` costs above the broker's own acknowledgement, at several numbers of callers."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from faststream.kafka import KafkaBroker
from pydantic import SecretStr

from deploy.local.stack import Stack
from direct311.cli.stack import LocalStack
from direct311.runtime.access.ledger import Access, Ledger
from direct311.runtime.access.rules import Caller, RecordFacts, load_access_policy
from direct311.runtime.clock import SystemClock, TimeOrderedIds
from direct311.runtime.messaging import broker as kafka
from direct311.runtime.messaging.broker import KafkaPublisher
from direct311.runtime.messaging.records import Entry
from direct311.runtime.messaging.signing import Signer
from direct311.runtime.settings import ServiceSettings
from direct311.runtime.storage import database as mongo
from direct311.runtime.telemetry import Metrics
from direct311.runtime.vault.keys import FileKeyProvider
from direct311.runtime.vault.keystore import MongoKeys
from direct311.runtime.vault.vault import RecordKey, Vault
from tests.load.log_appends import signing_key

CALLERS = (1, 8, 64)
RECORDS = 256
INTAKE = Caller("svc:intake", ("service",), authentication="service")


@dataclass(frozen=True)
class Openings:
    """Milliseconds, sorted: an acknowledged send alone, and `open` around one."""

    callers: int
    acknowledged: Sequence[float]
    opened: Sequence[float]


class _Remembering(KafkaPublisher):
    """Keeps the last message, so that the floor sends one of the same size."""

    last: Entry | None = None

    async def publish_one(self, entry: Entry, seconds: float) -> None:
        self.last = entry
        await super().publish_one(entry, seconds)


def openings(stack: Stack, each: int = 400) -> list[Openings]:
    """`each` calls for each caller, after some that do not count."""
    return asyncio.run(_openings(stack, LocalStack.model_validate(stack.dev), each))


async def _openings(stack: Stack, dev: LocalStack, each: int) -> list[Openings]:
    broker = _broker(dev, stack)
    database = mongo.connect(dev.database.url, "bench_openings")
    publisher = _Remembering(broker)
    await broker.start()
    try:
        ledger = Ledger(
            service="intake",
            instance="bench",
            version="0",
            publisher=publisher,
            signer=Signer.from_file(signing_key(stack)),
            clock=SystemClock(),
            ids=TimeOrderedIds(),
            metrics=Metrics(),
            mask=lambda text: text,
        )
        keys = MongoKeys(database["keys"])
        await keys.prepare()
        provider = FileKeyProvider("bench", {"bench": bytes(32)})
        vault = Vault(keys, provider, ledger, load_access_policy(), SystemClock())
        sealed = await _records(vault)
        ids = list(sealed)

        async def opening(number: int) -> None:
            record_id = ids[number % len(ids)]
            access = Access(
                INTAKE,
                action="view",
                purpose="respond",
                operation="bench",
                fields=("phone",),
                record_ids=(record_id,),
            )
            await vault.open(access, RecordFacts(record_id), {"phone": sealed[record_id]})

        async def acknowledged(_: int) -> None:
            assert publisher.last is not None
            await KafkaPublisher.publish_one(publisher, publisher.last, 5)

        await _timed(opening, 8, 50)
        found = []
        for callers in CALLERS:
            # In turns, so that what else happens on the machine meets both.
            alone: list[float] = []
            around: list[float] = []
            for _ in range(4):
                alone += await _timed(acknowledged, callers, each // 4)
                around += await _timed(opening, callers, each // 4)
            found.append(Openings(callers, sorted(alone), sorted(around)))
        return found
    finally:
        await broker.stop()
        await database.client.drop_database(database.name)
        mongo.disconnect(database)


async def _records(vault: Vault) -> dict[str, bytes]:
    ids = TimeOrderedIds()
    sealed: dict[str, bytes] = {}
    stored: list[RecordKey] = []
    for _ in range(RECORDS):
        key, data_key = await vault.new_key(ids.new())
        stored.append(key)
        sealed[key.record_id] = data_key.seal("phone", b"+13055550142")
    await vault.keys.insert(stored)
    return sealed


async def _timed(call: Callable[[int], Awaitable[None]], callers: int, each: int) -> list[float]:
    """Milliseconds of `each` calls of each of `callers`."""
    took: list[float] = []

    async def caller(first: int) -> None:
        for number in range(first, first + each):
            started = time.perf_counter()
            await call(number)
            took.append((time.perf_counter() - started) * 1000)

    await asyncio.gather(*(caller(number * each) for number in range(callers)))
    return took


def _broker(dev: LocalStack, stack: Stack) -> KafkaBroker:
    nowhere = Path(stack.root)
    settings = ServiceSettings(
        port=1,
        public_url="http://127.0.0.1",
        kafka_bootstrap=dev.kafka.bootstrap,
        kafka_username=dev.kafka.username,
        kafka_password=SecretStr(dev.kafka.password),
        kafka_security="SASL_PLAINTEXT",
        database_url=SecretStr(dev.database.url),
        database_name="bench_openings",
        issuer_url="http://127.0.0.1",
        client_id="bench",
        client_secret=SecretStr("bench"),
        signing_key_file=nowhere,
        principals_file=nowhere,
    )
    return kafka.make_broker(settings, "bench")
