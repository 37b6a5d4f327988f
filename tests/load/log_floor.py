"""The floor of appending: bare appenders, one for each core.

A bare appender reads access events from Kafka, checks each signature, seals each event, hashes the
leaf and inserts one document under the query index's own indexes, journaled, in batches. It knows
no repeats, writes no tree and no file, has one key for all, and keeps its place nowhere.

Run as a process of its own: `python -m tests.load.log_floor COUNT NAME`, with the description of
the stack and the public key (base64) on the first two lines of its input. It says when it is ready,
begins with the next line, and prints its rate.
"""

import asyncio
import base64
import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from deploy.local.stack import Stack
from direct311.audit.index.adapters.mongo_index import MongoEntries
from direct311.cli.stack import LocalStack
from direct311.runtime.clock import TimeOrderedIds
from direct311.runtime.storage import database as mongo
from direct311.schemas import read_headers
from direct311.verifier.entry import seal
from direct311.verifier.event import Event
from direct311.verifier.merkle import leaf_hash

ROOT = Path(__file__).parents[2]
TOGETHER = 1_000
SOURCE = "/direct311/intake"


def bare_rate(stack: Stack, public: Ed25519PublicKey, count: int, copies: int) -> float:
    """Events a second that so many bare appenders take together, each from a topic that holds at
    least `count` of them, signed with this key."""
    key = base64.b64encode(public.public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()
    appenders = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.load.log_floor", str(count), f"bench_floor_{copy}"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for copy in range(copies)
    ]
    try:
        for each in appenders:
            _tell(each, f"{json.dumps(stack.dev)}\n{key}")
        for each in appenders:
            _heard(each)
        for each in appenders:
            _tell(each, "begin")
        rate = sum(float(_heard(each)) for each in appenders)
        for each in appenders:
            # It removes what it has stored.
            each.wait(60)
        return rate
    finally:
        for each in appenders:
            each.kill()
            each.communicate()


def _tell(appender: "subprocess.Popen[str]", line: str) -> None:
    assert appender.stdin is not None
    appender.stdin.write(f"{line}\n")
    appender.stdin.flush()


def _heard(appender: "subprocess.Popen[str]") -> str:
    assert appender.stdout is not None
    line = appender.stdout.readline()
    if not line:
        raise SystemExit("a bare appender stopped before it was done")
    return line.strip()


class BareAppender:
    """Appends what this key has signed."""

    def __init__(self, public: Ed25519PublicKey) -> None:
        self._public = public
        self._key, self._reference = os.urandom(32), os.urandom(16)
        self._ids = TimeOrderedIds()
        self.size = 0

    def append(self, record: "ConsumerRecord[Any, Any]") -> dict[str, Any] | None:
        """The document of an event's entry; `None` for another service's.

        :raises InvalidSignature: the event is not what the service signed.
        """
        headers = read_headers(record.headers)
        if headers["ce_source"] != SOURCE:
            return None
        event = Event(
            id=headers["ce_id"],
            type=headers["ce_type"],
            source=headers["ce_source"],
            subject=headers["ce_subject"],
            time=headers["ce_time"],
            body=record.value or b"",
            keyid=headers["ce_keyid"],
            signature=bytes.fromhex(headers["ce_signature"]),
        )
        self._public.verify(event.signature, event.signed_bytes)
        now = datetime.now(UTC)
        data = seal(event, body_key=self._key, key_reference=self._reference, logged_at=now)
        said = json.loads(event.body)
        index, self.size = self.size, self.size + 1
        return {
            "_id": index,
            # A topic that is read twice holds each event twice.
            "event_id": self._ids.new(),
            "logged_at": now,
            "data": data,
            "leaf": leaf_hash(data),
            "record_ids": said["what"]["record_ids"],
            "fields": said["what"]["fields"],
            "actor": said["agent"]["id"],
            "roles": said["agent"]["roles"],
            "purpose": said["why"].get("purpose"),
            "action": said["action"],
            "outcome": said["outcome"],
            "occurred_at": now,
        }


async def _run(count: int, name: str, dev: LocalStack, public: Ed25519PublicKey) -> None:
    database = mongo.connect(dev.database.url, name)
    consumer = AIOKafkaConsumer(
        "pii.accessed",
        bootstrap_servers=dev.kafka.bootstrap,
        security_protocol="SASL_PLAINTEXT",
        sasl_mechanism="SCRAM-SHA-256",
        sasl_plain_username=dev.kafka.username,
        sasl_plain_password=dev.kafka.password,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    await MongoEntries(database).prepare()
    await consumer.start()
    try:
        _say("ready")
        await asyncio.to_thread(sys.stdin.readline)
        started = time.perf_counter()
        await _append(BareAppender(public), consumer, database, count)
        _say(f"{count / (time.perf_counter() - started)}")
    finally:
        await consumer.stop()
        await database.client.drop_database(name)
        mongo.disconnect(database)


async def _append(
    appender: BareAppender, consumer: AIOKafkaConsumer, database: mongo.Database, count: int
) -> None:
    """Append until the log has so many; one insert is under way while the next is prepared."""
    entries = database["entries"]
    inserting: asyncio.Future[Any] | None = None
    while appender.size < count:
        read = await consumer.getmany(timeout_ms=1_000, max_records=TOGETHER)
        records = [record for part in read.values() for record in part]
        documents = [found for record in records if (found := appender.append(record))]
        if inserting:
            await inserting
        if documents:
            inserting = asyncio.ensure_future(entries.insert_many(documents, ordered=False))
    if inserting:
        await inserting


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    count, name = int(sys.argv[1]), sys.argv[2]
    dev = LocalStack.model_validate_json(sys.stdin.readline())
    public = Ed25519PublicKey.from_public_bytes(base64.b64decode(sys.stdin.readline()))
    asyncio.run(_run(count, name, dev, public))


if __name__ == "__main__":
    main()
