"""The audit service alone on real Kafka, database, object store and issuer."""

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from uuid import uuid4

import httpx
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from minio import Minio
from minio.error import S3Error
from uuid_utils import compat

from deploy.local import environment
from deploy.local.bootstrap import REPOSITORY
from deploy.local.stack import Stack
from direct311.audit.disposition.domain.records import ANSWERING
from direct311.audit.index.adapters.mongo_index import MongoEntries
from direct311.audit.index.adapters.mongo_progress import MongoProgress
from direct311.audit.log.adapters.mongo_inbox import MongoInbox
from direct311.audit.log.adapters.mongo_keys import MongoBodyKeys
from direct311.audit.log.adapters.mongo_log import MongoLog
from direct311.audit.log.adapters.storage import LockedObjects
from direct311.audit.monitoring.adapters.mongo_watch import MongoWatch
from direct311.runtime.messaging.signing import Principals, Signer
from direct311.runtime.storage import database as mongo
from direct311.runtime.storage.objects import ObjectStore
from direct311.schemas import Encoded, decode, read_headers
from direct311.schemas import events as ev
from direct311.verifier.bundle import verify_bundle
from direct311.verifier.checkpoint import Checkpoint, Trust
from direct311.verifier.event import parse_event_keys
from direct311.verifier.log import directory, verify_log
from direct311.verifier.note import Note, VerifierKey, decode_base64
from direct311.verifier.proof import TlogProof
from direct311.verifier.report import Fault
from direct311.verifier.tiles import entry_bundles, hash_tiles
from tests.support.county import until
from tests.support.runtime import claims
from tests.support.stacks import stack_of_its_own
from tests.unit.audit.events import Producer
from tests.unit.audit.index.entries_contract import EntriesContract
from tests.unit.audit.log_contract import LogContract, Stores, accesses

pytestmark = [pytest.mark.wire, pytest.mark.anyio]

Document = dict[str, Any]


@dataclass
class Intake:
    """Stands in for intake on its port: persons and key fetches, as the test tells it."""

    persons: dict[str, list[str]] = field(default_factory=dict)
    fetches: list[Document] = field(default_factory=list)
    asked: list[tuple[str, Document, dict[str, str]]] = field(default_factory=list)

    def answer(self, path: str, body: Document, headers: dict[str, str]) -> Document:
        self.asked.append((path, body, headers))
        if path.startswith("/internal/persons/group"):
            return {
                "persons": [body["record_ids"][:-1]],
                "without_contact": body["record_ids"][-1:],
                "senders": {},
            }
        if path.startswith("/internal/persons/resolve"):
            return {"record_ids": self.persons.get(str(body.get("phone")), [])}
        return {"fetches": self.fetches, "complete": True}


@pytest.fixture(scope="module")
def intake() -> Intake:
    return Intake()


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, intake: Intake) -> Iterator[Stack]:
    """A stack of its own: what these tests say as intake nobody else should take for intake's."""
    with stack_of_its_own(tmp_path_factory.mktemp("audit") / "s", services=False) as stack:
        settings = stack.root / "env" / "audit.env"
        with settings.open("a") as file:
            file.write("AUDIT_DESTROY_AFTER=0\nAUDIT_UNLOGGED_AFTER=5\nAUDIT_RECONCILE_EVERY=0.5\n")
        with standing_in(stack, "intake", intake), standing_in(stack, "media", Intake()):
            stack.start("audit")
            stack.wait_ready("audit")
            yield stack
            stack.stop("audit")


@contextmanager
def standing_in(stack: Stack, service: str, intake: Intake) -> Iterator[None]:
    """Answers on the port of a service that does not run."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            body = json.loads(self.rfile.read(length)) if length else {}
            answer = json.dumps(intake.answer(self.path, body, dict(self.headers))).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_POST = do_GET  # noqa: N815 - the library's name

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", stack.place.ports[service]), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


# ---------------------------------------------------------------- the stores' contract


@pytest.fixture
async def database(stack: Stack) -> AsyncIterator[mongo.Database]:
    """A database of its own."""
    database = mongo.connect(stack.dev["database"]["url"], f"t{uuid4().hex}")
    yield database
    await database.client.drop_database(database.name)
    mongo.disconnect(database)


@pytest.fixture
async def stores(stack: Stack, database: mongo.Database) -> AsyncIterator[Stores]:
    """An empty log, with a bucket of its own."""
    keys = stack.dev["store"]
    credentials = (keys["endpoint"], keys["access_key"], keys["secret_key"])
    bucket = database.name
    Minio(*credentials, secure=False, region="us-east-1").make_bucket(bucket, object_lock=True)
    store = ObjectStore(*credentials, secure=False)
    log, entries = MongoLog(database), MongoEntries(database)
    body_keys = MongoBodyKeys(database["keys"])
    for step in (log.prepare, entries.prepare, body_keys.prepare, log.begin):
        await step()
    objects = LockedObjects(store, bucket, timedelta(days=3650))
    yield Stores(
        MongoInbox(database),
        log,
        entries,
        body_keys,
        objects,
        MongoProgress(database),
        MongoWatch(database),
        DatabaseMeddler(database),
    )
    store.close()


class DatabaseMeddler:
    """`Meddler`, with a database user's rights."""

    def __init__(self, database: mongo.Database) -> None:
        self._entries: mongo.Collection = database["entries"]
        self._prepare = MongoEntries(database).prepare

    async def drop(self) -> None:
        await self._entries.drop()
        # As the service does before it makes the index again.
        await self._prepare()

    async def remove(self, index: int) -> None:
        await self._entries.delete_one({"_id": index})

    async def edit(self, index: int, fields: Mapping[str, Any]) -> None:
        await self._entries.update_one({"_id": index}, {"$set": fields})


class TestOnRealServers(LogContract):
    async def test_what_one_process_took_in_another_finds_as_it_was(
        self, stores: Stores, database: mongo.Database
    ) -> None:
        producer = Producer()
        await stores.arrive([producer.access(new_id(), new_id(), department="parks")] * 3)
        await stores.arrive([producer.access()])
        mine, anothers = await stores.inbox.take(10), await MongoInbox(database).take(10)
        assert [len(batch.queued_events) for batch in mine] == [3, 1]
        assert list(anothers) == list(mine)

    async def test_a_log_from_before_the_index_followed_it_goes_on(
        self, stores: Stores, database: mongo.Database
    ) -> None:
        messages = accesses(20)
        arrived = await stores.arrive(messages)
        await stores.sequence()
        await database["log"].delete_one({"_id": "indexed"})
        await MongoLog(database).prepare()
        arrived += (await stores.arrive([*messages, *accesses(5)]))[20:]
        await stores.sequence()
        assert (await stores.followed.complete()).size == 25
        await stores.check(arrived)


class TestQuestionsOnRealServers(EntriesContract):
    """The query index in the database."""


# ---------------------------------------------------------------- the other side of each wire


class Office:
    """The audit service as producers and auditors see it."""

    def __init__(self, stack: Stack, http: httpx.AsyncClient, kafka: AIOKafkaProducer) -> None:
        self.stack = stack
        self.http = http
        self.kafka = kafka
        self._tokens: dict[tuple[str, str], str] = {}

    async def token(self, role: str, name: str) -> str:
        if (role, name) not in self._tokens:
            answer = await self.http.post(
                f"{self.stack.dev['issuer']}/dev/token",
                json={
                    "sub": name,
                    "roles": [role],
                    "audience": self.stack.dev["audiences"]["audit"],
                },
                headers={"X-Operator-Secret": self.stack.dev["operator_secret"]},
            )
            self._tokens[role, name] = answer.json()["access_token"]
        return self._tokens[role, name]

    async def ask(
        self, path: str, role: str | None = "auditor", name: str = "ines", body: object = None
    ) -> httpx.Response:
        headers = {}
        if role is not None:
            headers["Authorization"] = f"Bearer {await self.token(role, name)}"
        method = "GET" if body is None else "POST"
        url = f"{self.stack.dev['services']['audit']}{path}"
        return await self.http.request(method, url, headers=headers, json=body)

    async def get(self, path: str) -> Any:
        answer = await self.ask(path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def entries(self, query: str) -> list[Document]:
        found: list[Document] = (await self.get(f"/v1/entries?reference=L-1&{query}"))["entries"]
        return found

    async def publish(self, messages: Sequence[Encoded]) -> None:
        sent = [
            await self.kafka.send(
                each.topic,
                each.body,
                key=each.key,
                headers=[(name, value.encode()) for name, value in each.headers.items()],
            )
            for each in messages
        ]
        await asyncio.gather(*sent)

    async def checkpoint(self) -> str:
        return (await self.ask("/log/checkpoint")).text

    async def size(self) -> int:
        return Checkpoint.parse(Note.parse(await self.checkpoint()).text).size

    async def trust(self) -> Trust:
        vkey = (await self.ask("/log/vkey")).text.strip()
        published = self.stack.dev["audit_log"]
        assert VerifierKey.parse(vkey).name == published["name"]
        return Trust((VerifierKey.parse(vkey),))

    async def download(self, folder: Path) -> str:
        """The whole log as a mirror would take it; its checkpoint."""
        note = await self.checkpoint()
        size = Checkpoint.parse(Note.parse(note).text).size
        for tile in [*hash_tiles(size), *entry_bundles(size)]:
            answer = await self.ask(f"/log/{tile.path}")
            assert answer.status_code == 200, tile.path
            (folder / tile.path).parent.mkdir(parents=True, exist_ok=True)
            (folder / tile.path).write_bytes(answer.content)
        (folder / "checkpoint").write_text(note)
        return note

    def producer(self, service: str = "intake") -> Producer:
        keys = self.stack.root / "keys"
        return Producer(service, Signer.from_file(keys / f"{service}-signing.json"))

    async def dispose(self, record: str) -> None:
        """The receipts of all other holders, and then retention's certificate."""
        receipts = [self.producer(each).destroyed(record, at=now()) for each in sorted(ANSWERING)]
        await self.publish(receipts)

        async def answered() -> bool:
            found = await self.entries(f"record={record}&action=destroy&limit=100")
            return {each["service"] for each in found} >= ANSWERING

        await until(answered, "the receipts are in the log")
        await self.publish([self.producer("retention").certified(record, at=now())])

    async def in_the_log(self, record: str, number: int) -> list[Document]:
        """The entries about a record, once there are so many (reading adds some)."""

        async def look() -> list[Document]:
            found = await self.entries(f"record={record}&actor=maria&limit=100")
            return found if len(found) >= number else []

        return await until(look, f"{number} entries about the record are in the log")


@pytest.fixture
async def office(stack: Stack) -> AsyncIterator[Office]:
    async with httpx.AsyncClient(timeout=20, trust_env=False) as http, producing(stack) as kafka:
        yield Office(stack, http, kafka)


def kafka_options(stack: Stack) -> Document:
    kafka = stack.dev["kafka"]
    return {
        "bootstrap_servers": kafka["bootstrap"],
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "SCRAM-SHA-256",
        "sasl_plain_username": kafka["username"],
        "sasl_plain_password": kafka["password"],
    }


@asynccontextmanager
async def producing(stack: Stack) -> AsyncIterator[AIOKafkaProducer]:
    producer = AIOKafkaProducer(**kafka_options(stack), acks="all", linger_ms=5)
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


async def messages_of(stack: Stack, topic: str, number: int) -> list[Any]:
    """The first messages of a topic, once there are so many."""
    consumer = AIOKafkaConsumer(
        topic, **kafka_options(stack), group_id=None, auto_offset_reset="earliest"
    )
    await consumer.start()
    found: list[Any] = []
    try:
        async with asyncio.timeout(30):
            while len(found) < number:
                for batch in (await consumer.getmany(timeout_ms=500)).values():
                    found += batch
    finally:
        await consumer.stop()
    return found


async def alarms_of(stack: Stack, kind: str) -> list[ev.AuditAlarm]:
    """The alarms of one kind, once there is one; others may have been raised as well."""

    async def look() -> list[ev.AuditAlarm]:
        letters = await messages_of(stack, "audit.alarm", 1)
        alarms = [decode(read_headers(each.headers), each.value).data for each in letters]
        return [each for each in alarms if isinstance(each, ev.AuditAlarm) and each.kind == kind]

    return await until(look, f"an alarm of the kind {kind}")


def now() -> datetime:
    at = datetime.now(UTC)
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


def new_id() -> str:
    return str(compat.uuid7())


# ---------------------------------------------------------------- the log


@pytest.mark.policy("P20", "P21")
async def test_signed_events_become_entries_that_an_auditor_takes_away_with_their_proofs(
    office: Office,
) -> None:
    record, producer = new_id(), office.producer()
    messages = [producer.access(record, fields=("phone", "email"), at=now()) for _ in range(12)]
    await office.publish([*messages, *messages])
    entries = await office.in_the_log(record, 12)
    assert {entry["event_id"] for entry in entries} == {each.headers["ce_id"] for each in messages}
    assert len(entries) == 12
    newest = entries[0]
    assert newest["signed_event"]["body"]["what"]["fields"] == ["phone", "email"]
    assert (newest["actor"], newest["purpose"], newest["readable"]) == ("maria", "respond", True)

    question = {"filter": {"record": record, "actor": "maria"}, "reference": "L-1"}
    bundle = (await office.ask("/v1/bundles", body=question)).content
    trust = await office.trust()
    principals = (office.stack.root / "principals.json").read_bytes()
    keys = parse_event_keys(json.loads(principals))
    report = verify_bundle(bundle, trust, keys)
    assert report.ok, report.text
    document = json.loads(bundle)
    assert len(document["receipts"]) == 12

    document["receipts"][3]["event"]["body"]["agent"]["id"] = "john"
    (found,) = verify_bundle(json.dumps(document).encode(), trust, keys).findings
    assert (found.fault, found.index) == (Fault.SHOWN, document["receipts"][3]["index"])
    entry = document["receipts"][5]["entry"]
    document = json.loads(bundle)
    document["receipts"][5]["entry"] = entry[:-8] + ("A" if entry[-8] != "A" else "B") + entry[-7:]
    faults = {each.fault for each in verify_bundle(json.dumps(document).encode(), trust).findings}
    assert Fault.INCLUSION in faults


async def test_the_whole_log_verifies_against_older_checkpoints_and_a_changed_byte_is_found(
    office: Office, tmp_path: Path
) -> None:
    older = await office.checkpoint()
    producer, record = office.producer(), new_id()
    before = await office.size()
    await office.publish([producer.access(record, at=now()) for _ in range(700)])

    async def grown() -> bool:
        return await office.size() >= before + 700

    await until(grown, "700 events are in the log")
    await office.download(tmp_path)
    trust = await office.trust()
    report = verify_log(directory(tmp_path), trust, [older])
    assert report.ok, report.text
    victim = tmp_path / "tile/entries/000"
    data = bytearray(victim.read_bytes())
    data[1000] ^= 1
    victim.write_bytes(data)
    report = verify_log(directory(tmp_path), trust, [older])
    assert not report.ok


async def test_an_index_dropped_under_the_service_is_made_again_by_the_operator(
    office: Office, stack: Stack
) -> None:
    record, producer = new_id(), office.producer()
    messages = [producer.access(record, at=now()) for _ in range(20)]
    await office.publish(messages)
    entries = await office.in_the_log(record, 20)
    database = mongo.connect(stack.dev["database"]["url"], "audit")

    async def logged() -> int:
        """What is in the log, published or not."""
        head = await database["log"].find_one({"_id": "head"})
        return int(head["size"]) if head else 0

    await database["entries"].drop()
    refused = await office.ask(f"/v1/entries?reference=L-1&record={record}")
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "30")
    assert refused.json()["type"].endswith(":index_rebuilding")
    # The log itself is answered; nothing is appended, a repeat least of all.
    await office.publish([*messages, producer.access(record, at=now())])
    size = await logged()
    assert (
        await office.ask("/internal/index/rebuild", body={"reference": "WO-9"})
    ).status_code == (403)
    assert await logged() == size
    command = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "direct311.cli", "audit", "rebuild", "--reference", "WO-9"),
        env={**os.environ, "DIRECT311_STACK": str(stack.root / "dev.json")},
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await command.communicate()
    assert command.returncode == 0, said
    assert f"{size:,} entries lead to the log's root" in said.decode()
    again = await office.in_the_log(record, 21)
    assert again[1:] == entries
    assert len(await office.entries(f"record={record}&actor=maria&limit=100")) == 21
    (opening, *_) = await office.entries("actor=svc:audit&action=key_use")
    assert opening["signed_event"]["body"]["why"]["reference"] == "WO-9"
    mongo.disconnect(database)


@pytest.mark.policy("P20")
async def test_full_files_are_locked_in_the_store(office: Office) -> None:
    producer = office.producer()
    await office.publish([producer.access(new_id(), at=now()) for _ in range(300)])
    keys = office.stack.dev["store"]
    store = Minio(
        keys["endpoint"], keys["access_key"], keys["secret_key"], secure=False, region="us-east-1"
    )

    async def written() -> list[str]:
        objects = store.list_objects("direct311-log", recursive=True)
        names = [str(each.object_name) for each in objects]
        return names if "tile/0/000" in names else []

    names = await until(written, "the first tile is in the store")
    assert "tile/entries/000" in names
    assert any(name.startswith("checkpoint/") for name in names)
    assert not any(".p/" in name for name in names)
    for name in ("tile/0/000", "tile/entries/000"):
        (version,) = store.list_objects("direct311-log", prefix=name, include_version=True)
        with pytest.raises(S3Error):
            store.remove_object("direct311-log", name, version_id=version.version_id)


@pytest.mark.policy("P20")
async def test_an_event_that_its_service_did_not_sign_is_no_entry(office: Office) -> None:
    record, real = new_id(), office.producer()
    forger = Producer("intake", office.producer("media").signer)
    unsigned = real.access(record, at=now())
    bare = Encoded(
        unsigned.topic,
        unsigned.key,
        {name: v for name, v in unsigned.headers.items() if name != "ce_signature"},
        unsigned.body,
    )
    changed = real.access(record, at=now())
    changed = Encoded(
        changed.topic, changed.key, changed.headers, changed.body.replace(b"maria", b"marie")
    )
    whole = real.access(record, at=now())
    headless = Encoded(
        whole.topic,
        whole.key,
        {name: value for name, value in whole.headers.items() if name != "ce_subject"},
        whole.body,
    )
    good = real.access(record, at=now())
    await office.publish([forger.access(record, at=now()), bare, changed, headless, good])
    (entry,) = await office.in_the_log(record, 1)
    assert entry["event_id"] == good.headers["ce_id"]
    letters = await messages_of(office.stack, "deadletters.audit", 4)
    told = [read_headers(letter.headers) for letter in letters]
    assert {each["dl_kind"] for each in told} <= {"SignatureError", "DecodeError"}
    assert all(letter.value == b"" for letter in letters)


async def test_a_proof_of_one_event_verifies_by_itself(office: Office) -> None:
    record = new_id()
    message = office.producer().access(record, at=now())
    await office.publish([message])
    await office.in_the_log(record, 1)
    found = await office.get(f"/v1/entries/{message.headers['ce_id']}/proof")
    proof = TlogProof.parse(found["tlog_proof"])
    head = proof.verify(decode_base64(found["entry"]), await office.trust())
    assert head.checkpoint.size == found["size"]
    old = await office.get(f"/v1/consistency?old={found['index']}&new={found['size']}")
    assert old["new"] == found["size"]


# ---------------------------------------------------------------- reading


@pytest.mark.policy("P20")
async def test_reading_the_log_is_logged_and_so_is_a_refusal(office: Office) -> None:
    record = new_id()
    await office.publish([office.producer().access(record, at=now())])
    await office.in_the_log(record, 1)
    refused = await office.ask(f"/v1/entries?record={record}&reference=L-1", "agent", "ana")
    assert refused.status_code == 403
    assert record not in refused.text
    no_reason = await office.ask(f"/v1/entries?record={record}", "auditor", "otto")
    assert (no_reason.status_code, no_reason.json()["field"]) == (422, "reference")
    assert (await office.ask("/v1/entries", None)).status_code == 401

    async def look() -> dict[str, Document]:
        entries = await office.entries(f"record={record}&action=log_read&limit=100")
        seen = {each["actor"]: each for each in entries}
        return seen if {"ines", "ana", "otto"} <= set(seen) else {}

    seen = await until(look, "all three calls are in the log")
    assert (seen["ines"]["outcome"], seen["ines"]["service"]) == ("success", "audit")
    assert seen["ana"]["outcome"] == seen["otto"]["outcome"] == "denied"
    assert seen["ines"]["signed_event"]["body"]["why"]["reference"] is not None


async def test_the_files_are_for_auditors(office: Office) -> None:
    for path in ("/log/checkpoint", "/log/vkey", "/log/tile/0/000"):
        assert (await office.ask(path, None)).status_code == 401
        assert (await office.ask(path, "agent")).status_code == 403
    checkpoint = await office.ask("/log/checkpoint")
    assert checkpoint.headers["content-type"].startswith("text/plain")
    full = await office.ask("/log/tile/0/000")
    assert "immutable" in full.headers["cache-control"]
    for path in ("/log/tile/0/x999/999", "/log/tile/0/0", "/log/tile/entries/000.p/256"):
        assert (await office.ask(path)).status_code == 404


async def _brought(office: Office, headers: Mapping[str, str]) -> None:
    """The auditor's token was exchanged for the call: made for intake, brought by audit."""
    hers = claims(await office.token("auditor", "ines"))
    said = claims(headers["X-On-Behalf-Of"].removeprefix("Bearer "))
    assert (said["sub"], said["roles"]) == ("ines", ["auditor"])
    assert (said["aud"], said["origin_jti"]) == ("urn:direct311:intake", hers["jti"])
    assert said["act"] == {"client_id": "svc-audit", "sub": "svc-audit"}


@pytest.mark.policy("P21")
async def test_who_saw_a_persons_data(office: Office, intake: Intake) -> None:
    first, second, other = new_id(), new_id(), new_id()
    intake.persons["305-555-0142"] = [first, second]
    producer = office.producer()
    await office.publish([producer.access(each, at=now()) for each in (first, second, other)])
    await office.in_the_log(second, 1)
    question = {"phone": "305-555-0142", "reference": "L-9", "filter": {"actor": "maria"}}
    answer = await office.ask("/v1/persons/search", body=question)
    assert answer.status_code == 200, answer.text
    assert answer.json()["record_ids"] == [first, second]
    found = [each["record_ids"] for each in answer.json()["entries"]]
    assert sorted(found) == sorted([[first], [second]])
    assert "555-0142" not in answer.text
    _, asked, headers = next(
        each for each in reversed(intake.asked) if each[0] == "/internal/persons/resolve"
    )
    assert asked == {"phone": "305-555-0142", "purpose": "authorised_audit", "reference": "L-9"}
    await _brought(office, headers)
    assert headers["Authorization"] not in ("", headers["X-On-Behalf-Of"])
    both = await office.ask("/v1/persons/search", body={"phone": "1", "name": "x"})
    assert both.status_code == 422


# ---------------------------------------------------------------- reconciliation, disposition


@pytest.mark.policy("P20")
async def test_a_key_fetch_without_an_event_raises_an_alarm(office: Office, intake: Intake) -> None:
    record, producer = new_id(), office.producer()
    opened, unopened = (producer.access(record, at=now()) for _ in range(2))
    phantom = new_id()
    await office.publish([opened, unopened])
    await office.in_the_log(record, 2)
    for event_id in (opened.headers["ce_id"], phantom):
        at = now().isoformat()
        intake.fetches.append({"record_id": record, "event_id": event_id, "at": at})

    async def look() -> Document | None:
        state: Document = await office.get("/v1/reconciliation")
        ids = {each["event_id"] for each in state["without_event"]}
        return state if phantom in ids else None

    state = await until(look, "the fetch without an event shows")
    assert opened.headers["ce_id"] not in state["not_opened"]
    assert state["fetches"] >= 1
    assert state["authorised_not_opened"] >= 1
    raised = await alarms_of(office.stack, "unlogged_fetch")
    assert [each.about for each in raised] == [phantom]


@pytest.mark.policy("P14")
async def test_audit_destroys_its_own_part_and_says_so(office: Office) -> None:
    record, other = new_id(), new_id()
    producer = office.producer()
    about_both = producer.access(record, other, at=now())
    await office.publish([producer.access(record, at=now()), about_both])
    entries = await office.in_the_log(record, 2)
    alone = (
        entries[-1]["event_id"]
        if entries[0]["event_id"] == about_both.headers["ce_id"]
        else (entries[0]["event_id"])
    )
    await office.dispose(record)

    async def receipt() -> Any:
        sent = await messages_of(office.stack, "record.destroyed", 5)
        own = [each for each in sent if read_headers(each.headers)["ce_source"].endswith("/audit")]
        return own[0] if own else None

    message = await until(receipt, "audit has sent its receipt")
    headers = read_headers(message.headers)
    event = decode(headers, message.value)
    principals = Principals.from_file(office.stack.root / "principals.json")
    assert principals.check(event, headers, message.value) == "audit"
    assert isinstance(event.data, ev.RecordDestroyed)
    assert (event.data.holder, event.data.record_id, event.data.keys) == ("audit", record, 1)
    gone = await office.get(f"/v1/entries/{alone}?reference=L-1")
    assert (gone["readable"], gone["signed_event"], gone["record_ids"]) == (False, None, [])

    async def look() -> bool:
        found = await office.entries(f"record={record}&limit=100")
        events = {each["event"] for each in found}
        return {"record.destroyed", "disposition.certified"} <= events

    await until(look, "the receipt and the certificate are in the log, for ever")
    shared = await office.get(f"/v1/entries/{about_both.headers['ce_id']}?reference=L-1")
    assert (shared["readable"], shared["record_ids"]) == (True, [other])
    # Its proof still holds, and a redelivered event makes no second entry.
    assert (await office.get(f"/v1/entries/{alone}/proof"))["event_id"] == alone
    size = await office.size()
    await office.publish([about_both])
    marker = new_id()
    await office.publish([producer.access(marker, at=now())])
    await office.in_the_log(marker, 1)
    found = await office.entries(f"record={other}&actor=maria")
    assert len(found) == 1

    async def grown() -> bool:
        return await office.size() > size

    await until(grown, "a checkpoint of the longer log is published")


# ---------------------------------------------------------------- what may die


@asynccontextmanager
async def standby(stack: Stack) -> AsyncIterator[str]:
    """A second copy of the service; its address."""
    values = environment.from_file((stack.place.env / "audit.env").read_text())
    values |= {"AUDIT_PORT": str(stack.place.ports["geo"]), "PYTHONPATH": str(REPOSITORY)}
    with (stack.place.log / "audit-2.log").open("w") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "direct311.audit",
            env={"PATH": os.environ["PATH"], **values},
            stdout=log,
            stderr=log,
        )
        try:
            yield f"http://127.0.0.1:{values['AUDIT_PORT']}"
        finally:
            process.terminate()
            await asyncio.wait_for(process.wait(), 20)


async def test_killed_while_events_arrive_it_logs_each_once(office: Office, tmp_path: Path) -> None:
    stack, producer = office.stack, office.producer()
    records = [new_id() for _ in range(20)]
    messages = [producer.access(records[n % 20], at=now()) for n in range(1_500)]
    before = await office.size()
    sending = asyncio.create_task(_steadily(office, messages))
    for pause in (0.3, 0.7, 1.1):
        await asyncio.sleep(pause)
        await asyncio.to_thread(stack.kill9, "audit")
        await asyncio.to_thread(stack.restart, "audit")
    await sending

    async def all_there() -> bool:
        return await office.size() >= before + len(messages)

    await until(all_there, "all events are in the log")
    ids: list[str] = []
    for record in records:
        path = f"/v1/entries?record={record}&actor=maria&reference=L-1&limit=100"
        page = await office.get(path)
        while True:
            ids += [each["event_id"] for each in page["entries"]]
            if page["next"] is None:
                break
            page = await office.get(f"{path}&cursor={page['next']}")
    assert sorted(ids) == sorted(each.headers["ce_id"] for each in messages)
    await office.download(tmp_path)
    report = verify_log(directory(tmp_path), await office.trust())
    assert report.ok, report.text


async def _steadily(office: Office, messages: Sequence[Encoded]) -> None:
    for at in range(0, len(messages), 25):
        await office.publish(messages[at : at + 25])
        await asyncio.sleep(0.1)


async def test_a_standby_takes_over(office: Office) -> None:
    stack, record = office.stack, new_id()
    async with standby(stack) as url:

        async def ready() -> bool:
            try:
                return (await office.http.get(f"{url}/health/ready")).status_code == 200
            except httpx.TransportError:
                return False

        await until(ready, "the second copy is ready")
        await asyncio.to_thread(stack.kill9, "audit")
        died = time.monotonic()
        await office.publish([office.producer().access(record, at=now())])
        headers = {"Authorization": f"Bearer {await office.token('auditor', 'ines')}"}
        path = f"{url}/v1/entries?record={record}&actor=maria&reference=L-1"

        async def look() -> bool:
            answer = await office.http.get(path, headers=headers)
            return answer.status_code == 200 and bool(answer.json()["entries"])

        await until(look, "the event is in the log", seconds=30)
        took = time.monotonic() - died
    await asyncio.to_thread(stack.start, "audit")
    await asyncio.to_thread(stack.wait_ready, "audit")
    # The broker gives a dead member six seconds, the lease five.
    assert took < 20


@pytest.mark.policy("P20")
async def test_with_the_broker_stopped_nothing_is_read(office: Office) -> None:
    record = new_id()
    await office.publish([office.producer().access(record, at=now())])
    await office.in_the_log(record, 1)
    stack = office.stack
    await asyncio.to_thread(stack.kill9, "kafka")
    try:
        for path, body in (
            (f"/v1/entries?record={record}&reference=L-1", None),
            ("/v1/bundles", {"filter": {"record": record}, "reference": "L-1"}),
        ):
            started = time.monotonic()
            answer = await office.ask(path, body=body)
            # It gives up after 1.5 s. A publisher would try for 12 s; a busy machine needs some.
            assert time.monotonic() - started < 8
            assert answer.status_code == 503
            assert answer.headers["retry-after"]
            assert "maria" not in answer.text
    finally:
        await asyncio.to_thread(stack.start, "kafka")
        await asyncio.to_thread(stack.wait_ready, "kafka")

    async def back() -> bool:
        answer = await office.ask(f"/v1/entries?record={record}&reference=L-1")
        return answer.status_code == 200

    await until(back, "the log can be read again")


# ---------------------------------------------------------------- questions; they leave alarms


@pytest.mark.policy("P20", "P21")
async def test_who_saw_a_person_in_one_call_as_json_csv_and_a_bundle_that_verifies(
    office: Office, intake: Intake
) -> None:
    record, other, producer = new_id(), new_id(), office.producer()
    intake.persons["305-555-0177"] = [record]
    messages = [
        producer.access(record, actor=f"agent-{n % 3}", at=now(), reference=f"Work order {n}")
        for n in range(9)
    ]
    withheld = producer.access(
        record, actor="officer", case_id="D-1", at=now(), exempt_until=now() + timedelta(days=1)
    )
    await office.publish([*messages, withheld, producer.access(other, at=now())])

    async def logged() -> bool:
        found = await office.get(f"/v1/entries?reference=L-1&record={record}")
        return len(found["entries"]) >= 10

    await until(logged, "the entries are in the log")
    question = {"phone": "305-555-0177", "reference": "L-5", "filter": {"action": "view"}}
    answer = await office.ask("/v1/persons/who-saw", body=question)
    found = answer.json()
    assert {each["actor"]: each["count"] for each in found["actors"]} == {
        "agent-0": 3,
        "agent-1": 3,
        "agent-2": 3,
    }
    assert (found["count"], found["withheld"]) == (9, 1)
    whys = [each["signed_event"]["body"]["why"]["reference"] for each in found["entries"]]
    assert whys == [f"Work order {n}" for n in range(9)]
    assert "officer" not in answer.text

    text = (await office.ask("/v1/persons/who-saw", body=question | {"format": "csv"})).text
    assert len(text.splitlines()) == 10
    del question["filter"]
    bundle = (await office.ask("/v1/persons/who-saw", body=question | {"format": "bundle"})).content
    keys = parse_event_keys(json.loads((office.stack.root / "principals.json").read_bytes()))
    report = verify_bundle(bundle, await office.trust(), keys)
    assert report.ok, report.text
    sealed = [each for each in json.loads(bundle)["receipts"] if each["event"] is None]
    assert len(sealed) == 1
    hidden = withheld.headers["ce_id"]
    unknown = await office.ask(f"/v1/entries/{new_id()}?reference=L-5")
    answer = await office.ask(f"/v1/entries/{hidden}?reference=L-5")
    assert (answer.status_code, answer.json()) == (404, unknown.json())
    answer = await office.ask(f"/v1/entries/{hidden}?reference=L-5", role="counsel", name="cora")
    assert answer.json()["actor"] == "officer"


async def test_a_breach_lists_what_a_credential_touched_and_who_must_be_told(
    office: Office, intake: Intake
) -> None:
    session, producer = new_id(), office.producer()
    records = [new_id() for _ in range(4)]
    await office.publish(
        [producer.access(each, session=session, actor="thief", at=now()) for each in records]
    )

    async def logged() -> bool:
        found = await office.get(f"/v1/entries?reference=L-1&session={session}")
        return len(found["entries"]) == 4

    await until(logged, "the accesses are in the log")
    question = {"session": session, "reference": "L-8", "determined_on": "2026-03-10"}
    answer = (await office.ask("/v1/breaches", body=question)).json()
    assert (answer["persons"], answer["persons_at_most"]) == (1, 2)
    assert {each["record_id"] for each in answer["records"]} == set(records)
    _, asked, headers = next(
        each for each in reversed(intake.asked) if each[0] == "/internal/persons/group"
    )
    assert (asked["purpose"], asked["reference"]) == ("authorised_audit", "L-8")
    await _brought(office, headers)
    text = (await office.ask("/v1/breaches", body=question | {"format": "csv"})).text
    assert len(text.splitlines()) == 5


async def test_an_export_breaks_off_goes_on_and_leaves_no_work_when_nobody_reads(
    office: Office,
) -> None:
    session, producer = new_id(), office.producer()
    records = [new_id() for _ in range(3_000)]
    messages = [producer.access(each, session=session, at=now()) for each in records]
    before = await office.size()
    await office.publish(messages)

    async def logged() -> bool:
        return await office.size() >= before + len(messages)

    await until(logged, "the accesses are in the log", seconds=150)
    question = {"filter": {"session": session}, "reference": "L-6"}
    url = f"{office.stack.dev['services']['audit']}/v1/exports"
    headers = {"Authorization": f"Bearer {await office.token('auditor', 'ines')}"}
    got: list[int] = []
    async with office.http.stream("POST", url, json=question, headers=headers) as answer:
        assert answer.headers["direct311-entries"] == str(len(messages))
        size = int(answer.headers["direct311-log-size"])
        async for line in answer.aiter_lines():
            got.append(json.loads(line)["index"])
            if len(got) == 1_100:
                break

    async def fetched() -> int:
        """Keys of these records that were ever fetched, also where the fetch was held against its
        event meanwhile, and forgotten."""
        opened = {"_id": {"$in": records}, "fetched_at": {"$exists": True}}
        return int(await audit_database["keys"].count_documents(opened))

    audit_database = mongo.connect(office.stack.dev["database"]["url"], "audit")
    try:
        await asyncio.sleep(1)
        opened = await fetched()
        await asyncio.sleep(1)
        # What lay in the wires' buffers was opened; the rest never is.
        assert len(got) <= await fetched() == opened < len(messages)
    finally:
        mongo.disconnect(audit_database)
    rest = await office.ask("/v1/exports", body=question | {"after": got[-1], "size": size})
    again = [json.loads(line)["index"] for line in rest.content.splitlines()]
    assert rest.headers["direct311-entries"] == str(len(again))
    assert len(got) + len(again) == len(set(got + again)) == len(messages)


@pytest.mark.policy("P14")
async def test_a_hold_on_entries_keeps_a_record_that_is_due(office: Office) -> None:
    record, producer = new_id(), office.producer()
    actor = f"agent-{record[-6:]}"
    await office.publish([producer.access(record, actor=actor, at=now())])

    async def logged() -> list[Document]:
        return await office.entries(f"record={record}&actor={actor}")

    await until(logged, "the access is in the log")
    order = {
        "name": "Doe",
        "kind": "litigation",
        "authority": "Case 12",
        "filter": {"actor": actor},
    }
    answer = await office.ask("/v1/holds", body=order, role="auditor")
    assert answer.status_code == 403
    answer = await office.ask("/v1/holds", body=order, role="custodian", name="carla")
    assert answer.status_code == 201, answer.text
    hold = answer.json()
    await office.dispose(record)
    database = mongo.connect(office.stack.dev["database"]["url"], "audit")

    async def kept() -> bool:
        document = await database["records"].find_one({"_id": record})
        return bool(document and document.get("destroy_at") and document.get("holds"))

    await until(kept, "the record's time has come, and the hold is found")
    mongo.disconnect(database)
    (entry,) = await logged()
    assert entry["readable"]
    path, reason = f"/v1/holds/{hold['hold_id']}/release", {"reason": "The case was dismissed."}
    answer = await office.ask(path, body=reason, role="custodian", name="carla")
    assert answer.status_code == 403
    answer = await office.ask(path, body=reason, role="records_officer", name="rosa")
    assert answer.status_code == 200, answer.text

    async def gone() -> bool:
        return not await logged()

    await until(gone, "the record's entries are unreadable")
