"""The media service alone on real Kafka, database, object store and issuer."""

import asyncio
import hashlib
import io
import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from email.message import Message
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from minio import Minio
from uuid_utils import compat

from deploy.local.stack import Stack
from direct311.runtime.messaging.signing import Principals
from direct311.schemas import Event, decode, encode, read_headers
from direct311.schemas import events as ev
from direct311.schemas.model import Model
from tests.support import pictures
from tests.support.media import created, ordered, routed, updated

pytestmark = [pytest.mark.wire, pytest.mark.anyio]

PDF = b"%PDF-1.7\n" + pictures.CANARY.encode() + b"\n%%EOF\n"
BUCKETS = ("direct311-incoming", "direct311-sealed", "direct311-public")


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack of its own: what is said here in intake's name nobody else should hear."""
    stack = Stack.create(
        tmp_path_factory.mktemp("media"), ports="free", kind="test", compression=False
    )
    try:
        stack.up(servers_only=True)
        stack.start("media")
        stack.wait_ready("media")
        yield stack
    finally:
        stack.down()


# ---------------------------------------------------------------- the other side of each wire


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes
    headers: Mapping[str, str]

    def json(self) -> Any:
        return json.loads(self.body)


def call(
    method: str,
    url: str,
    *,
    token: str | None = None,
    body: object = None,
    data: bytes | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    sent = dict(headers or {})
    if token:
        sent["Authorization"] = f"Bearer {token}"
    if body is not None:
        data = json.dumps(body).encode()
        sent["Content-Type"] = "application/json"
    request = urllib.request.Request(url, data=data, headers=sent, method=method)  # noqa: S310
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=10) as answer:
            return Answer(answer.status, answer.read(), _lower(answer.headers))
    except urllib.error.HTTPError as error:
        return Answer(error.code, error.read(), _lower(error.headers))


def _lower(headers: Message) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def service_token(stack: Stack, service: str) -> str:
    lines = (stack.root / "env" / f"{service}.env").read_text().splitlines()
    settings = dict(line.split("=", 1) for line in lines if "=" in line)
    prefix = service.upper()
    form = {
        "grant_type": "client_credentials",
        "client_id": settings[f"{prefix}_CLIENT_ID"],
        "client_secret": settings[f"{prefix}_CLIENT_SECRET"],
        "resource": stack.dev["audiences"]["media"],
    }
    data = urllib.parse.urlencode(form).encode()
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = call("POST", f"{stack.dev['issuer']}/token", data=data, headers=kind)
    return str(answer.json()["access_token"])


def person_token(stack: Stack, name: str, role: str, department: str | None = None) -> str:
    audience = stack.dev["audiences"]["media"]
    wanted = {"sub": name, "roles": [role], "department": department, "audience": audience}
    secret = {"X-Operator-Secret": stack.dev["operator_secret"]}
    answer = call(
        "POST",
        f"{stack.dev['issuer']}/dev/token",
        body={key: value for key, value in wanted.items() if value},
        headers=secret,
    )
    return str(answer.json()["access_token"])


def media_url(stack: Stack, path: str) -> str:
    return f"{stack.dev['services']['media']}{path}"


def store_of(stack: Stack) -> Minio:
    known = stack.dev["store"]
    return Minio(
        known["endpoint"],
        access_key=known["access_key"],
        secret_key=known["secret_key"],
        secure=False,
    )


def names_in(stack: Stack, bucket: str, prefix: str = "") -> list[str]:
    """Every object, old versions and markers too."""
    found = store_of(stack).list_objects(
        bucket, prefix=prefix, recursive=True, include_version=bucket == "direct311-sealed"
    )
    return [item.object_name or "" for item in found]


def kafka_of(stack: Stack) -> dict[str, Any]:
    known = stack.dev["kafka"]
    return {
        "bootstrap_servers": known["bootstrap"],
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "SCRAM-SHA-256",
        "sasl_plain_username": known["username"],
        "sasl_plain_password": known["password"],
    }


async def say(stack: Stack, *events: Event[Model]) -> None:
    producer = AIOKafkaProducer(**kafka_of(stack), acks="all")
    await producer.start()
    try:
        for event in events:
            message = encode(event)
            headers = [(name, value.encode()) for name, value in message.headers.items()]
            await producer.send_and_wait(
                message.topic, message.body, key=message.key, headers=headers
            )
    finally:
        await producer.stop()


Heard = tuple[Event[Model], dict[str, str], bytes]
Wanted = Callable[[Sequence[Heard]], bool]


class Hear(Protocol):
    async def __call__(self, wanted: Wanted, seconds: float = 60) -> list[Heard]:
        """All that was heard, once it is what was wanted."""


@asynccontextmanager
async def listening(stack: Stack, *topics: str) -> AsyncIterator[Hear]:
    """Hears everything on the topics from the beginning."""
    consumer = AIOKafkaConsumer(
        *topics,
        **kafka_of(stack),
        group_id=f"admin.{uuid4()}",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    await consumer.start()
    heard: list[Heard] = []

    async def until(wanted: Wanted, seconds: float = 60) -> list[Heard]:
        async with asyncio.timeout(seconds):
            while not wanted(heard):
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    for record in records:
                        headers = read_headers(record.headers)
                        body = record.value or b""
                        heard.append((decode(headers, body), headers, body))
        return heard

    try:
        yield until
    finally:
        await consumer.stop()


async def eventually(what: Callable[[], bool], seconds: float = 30) -> None:
    async with asyncio.timeout(seconds):
        while True:
            if await asyncio.to_thread(what):
                return
            await asyncio.sleep(0.1)


def about(record_id: str, kind: type[Model], count: int = 1) -> Wanted:
    def wanted(heard: Sequence[Heard]) -> bool:
        found = {e.id for e, _, _ in heard if e.subject == record_id and isinstance(e.data, kind)}
        return len(found) >= count

    return wanted


def brought(stack: Stack, *files: tuple[bytes, str]) -> list[ev.UploadRef]:
    """What intake does with the files of a submission."""
    announced = [
        {"content_type": kind, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        for data, kind in files
    ]
    answer = call(
        "POST",
        media_url(stack, "/internal/uploads"),
        token=service_token(stack, "intake"),
        body={"uploads": announced},
    )
    assert answer.status == 200, answer
    found = []
    for ticket, told, (data, _) in zip(answer.json()["uploads"], announced, files, strict=True):
        assert call("PUT", ticket["url"], data=data, headers=ticket["headers"]).status == 200
        found.append(ev.UploadRef(upload_id=ticket["upload_id"], **told))
    return found


def new_id() -> str:
    return str(compat.uuid7())


# ---------------------------------------------------------------- tests


@pytest.mark.policy("P7", "P15")
async def test_a_photo_all_the_way_and_its_original_read_by_staff(stack: Stack) -> None:
    record_id, photo = new_id(), pictures.jpeg_with_manifest_and_archive()
    uploads = await asyncio.to_thread(
        brought, stack, (photo, "image/jpeg"), (PDF, "application/pdf"), (photo[:2000], "")
    )
    async with listening(stack, "media.stored", "media.rejected") as hear:
        await say(stack, created(record_id, uploads))
        await hear(about(record_id, ev.MediaRejected))
        heard = await hear(about(record_id, ev.MediaStored))
    (stored,) = [
        e.data for e, _, _ in heard if e.subject == record_id and isinstance(e.data, ev.MediaStored)
    ]
    first, second, third = stored.media
    assert (first.state, second.state, third.state) == ("stored", "stored", "rejected")
    assert (second.url, second.reason) == (None, "no_clean_copy_for_type")
    assert third.reason == "damaged"

    assert first.url is not None
    copy = call("GET", first.url)
    assert (copy.status, copy.headers["content-type"]) == (200, "image/jpeg")
    assert hashlib.sha256(copy.body).hexdigest() == first.sha256
    assert not any(form in copy.body for form in pictures.spellings())
    assert record_id not in first.url
    listing = call("GET", first.url.rpartition("/")[0] + "/?list-type=2")
    assert listing.status == 403

    await eventually(lambda: not names_in(stack, "direct311-incoming"))
    originals = [n for n in names_in(stack, "direct311-sealed") if record_id in n]
    assert len(originals) == 2
    for name in originals:
        sealed = store_of(stack).get_object("direct311-sealed", name).read()
        assert not any(form in sealed for form in (*pictures.spellings(), b"JFIF", b"%PDF"))

    path = media_url(stack, f"/internal/media/{record_id}/{first.media_id}/original")
    agent = person_token(stack, "maria", "agent")
    why = {"purpose": "respond", "justification": "the caller asks what it shows"}
    answer = call("POST", path, token=agent, body=why)
    assert (answer.status, answer.body) == (200, photo)
    assert answer.headers["cache-control"] == "no-store"
    assert call("POST", path, body=why).status == 401
    assert call("POST", path, token=agent, body={"purpose": "marketing"}).status == 403
    # What is in an address is kept on its way.
    assert call("GET", f"{path}?purpose=respond", token=agent).status == 405
    parks = person_token(stack, "pat", "department", "parks")
    assert call("POST", path, token=parks, body=why).status == 403
    await say(stack, routed(record_id, 1, "parks"))
    await eventually(lambda: call("POST", path, token=parks, body=why).status == 200)
    admin = person_token(stack, "root", "admin")
    assert call("POST", path, token=admin, body=why).status == 403

    principals = Principals.from_file(stack.root / "principals.json")
    async with listening(stack, "pii.accessed") as hear:
        heard = await hear(about(record_id, ev.PiiAccessed, 4))
    outcomes = []
    for event, headers, body in heard:
        principals.check(event, headers, body)
        assert isinstance(event.data, ev.PiiAccessed)
        # Sign-ins and what is in force are about no record.
        if record_id in event.data.what.record_ids:
            outcomes.append((event.data.agent.id, event.data.outcome))
    assert outcomes[0] == ("maria", "success")
    assert ("maria", "denied") in outcomes
    assert ("pat", "denied") in outcomes
    assert outcomes[-1] == ("pat", "success")
    authorised = {
        event.id
        for event, _, _ in heard
        if isinstance(event.data, ev.PiiAccessed) and event.data.outcome == "success"
    }
    account = call(
        "GET",
        media_url(stack, "/internal/key-fetches?after=2026-01-01T00:00:00Z"),
        token=service_token(stack, "audit"),
    )
    fetched = {f["event_id"] for f in account.json()["fetches"] if f["record_id"] == record_id}
    assert fetched <= authorised
    assert len(fetched) == 2


async def test_only_intake_brings_uploads(stack: Stack) -> None:
    url = media_url(stack, "/internal/uploads")
    announced = {"content_type": "image/jpeg", "size": 3, "sha256": "0" * 64}
    body = {"uploads": [announced | {"filename": pictures.CANARY}]}
    intake = service_token(stack, "intake")
    assert call("POST", url, body=body).status == 401
    assert call("POST", url, body=body, token=service_token(stack, "geo")).status == 403
    assert call("POST", url, body=body, token=person_token(stack, "a", "agent")).status == 403
    answer = call("POST", url, body=body, token=intake)
    assert answer.status == 200
    assert pictures.CANARY.encode() not in answer.body
    huge = call("POST", url, body={"uploads": [announced | {"size": 10**12}]}, token=intake)
    assert (huge.status, huge.json()["field"]) == (422, "uploads.0.size")

    uploads = brought(stack, (PDF, "application/pdf"))
    assert names_in(stack, "direct311-incoming") == [uploads[0].upload_id]
    withdrawn = call(
        "POST",
        f"{url}/withdraw",
        body={"upload_ids": [uploads[0].upload_id]},
        token=intake,
    )
    assert withdrawn.json() == {"withdrawn": 1}
    assert names_in(stack, "direct311-incoming") == []


@pytest.mark.policy("P14")
async def test_protection_withdraws_and_destruction_leaves_nothing(stack: Stack) -> None:
    record_id, photo = new_id(), pictures.heic()
    uploads = await asyncio.to_thread(brought, stack, (photo, "image/heic"))
    async with listening(stack, "media.stored", "record.destroyed") as hear:
        await say(stack, created(record_id, uploads))
        heard = await hear(about(record_id, ev.MediaStored))
        stored = [e.data for e, _, _ in heard if e.subject == record_id][-1]
        assert isinstance(stored, ev.MediaStored)
        url = stored.media[0].url
        assert url is not None
        assert call("GET", url).status == 200

        await say(stack, updated(record_id, 2, uploads=uploads, protected=True))
        heard = await hear(about(record_id, ev.MediaStored, 2))
        stored = [e.data for e, _, _ in heard if e.subject == record_id][-1]
        assert isinstance(stored, ev.MediaStored)
        assert (stored.media[0].state, stored.media[0].url) == ("withdrawn", None)
        assert call("GET", url).status in (403, 404)

        assert [name for name in names_in(stack, "direct311-sealed") if record_id in name]
        await say(stack, ordered(record_id, 1))
        heard = await hear(about(record_id, ev.RecordDestroyed))
    event, headers, body = next(h for h in heard if isinstance(h[0].data, ev.RecordDestroyed))
    Principals.from_file(stack.root / "principals.json").check(event, headers, body)
    assert isinstance(event.data, ev.RecordDestroyed)
    assert (event.data.fields, event.data.objects, event.data.keys) == (1, 1, 1)
    assert [name for name in names_in(stack, "direct311-sealed") if record_id in name] == []
    path = media_url(stack, f"/internal/media/{record_id}/{uploads[0].upload_id}/original")
    token = person_token(stack, "maria", "agent")
    assert call("POST", path, token=token, body={"purpose": "respond"}).status == 404

    later = new_id()
    await say(stack, created(record_id, uploads), created(later, []), updated(record_id, 7))
    more = await asyncio.to_thread(brought, stack, (PDF, ""))
    await say(stack, created(later, more, 2))
    async with listening(stack, "media.stored") as hear:
        heard = await hear(about(later, ev.MediaStored))
    assert len({e.id for e, _, _ in heard if e.subject == record_id}) == 2
    assert [name for name in names_in(stack, "direct311-sealed") if record_id in name] == []


@pytest.mark.policy("P20")
async def test_without_the_broker_no_original_is_read(stack: Stack) -> None:
    record_id = new_id()
    uploads = await asyncio.to_thread(brought, stack, (PDF, "application/pdf"))
    async with listening(stack, "media.stored") as hear:
        await say(stack, created(record_id, uploads))
        await hear(about(record_id, ev.MediaStored))
    path = media_url(stack, f"/internal/media/{record_id}/{uploads[0].upload_id}/original")
    token = person_token(stack, "maria", "agent")
    why = {"purpose": "respond"}
    assert call("POST", path, token=token, body=why).status == 200
    await asyncio.to_thread(stack.kill9, "kafka")
    try:
        started = asyncio.get_running_loop().time()
        answer = await asyncio.to_thread(call, "POST", path, token=token, body=why)
        assert asyncio.get_running_loop().time() - started < 2
        assert answer.status == 503
        assert PDF not in answer.body
    finally:
        await asyncio.to_thread(stack.start, "kafka")
        await asyncio.to_thread(stack.wait_ready, "kafka")
    await eventually(lambda: call("POST", path, token=token, body=why).status == 200, 60)


async def test_kills_under_load_lose_nothing_and_double_nothing(stack: Stack) -> None:
    photo = pictures.jpeg(image=pictures.scene(1200, 900))
    before = {bucket: len(names_in(stack, bucket)) for bucket in BUCKETS}
    records = {}
    for _ in range(30):
        uploads = await asyncio.to_thread(brought, stack, (photo, ""), (PDF, ""))
        records[new_id()] = uploads
    await say(stack, *(created(record_id, uploads) for record_id, uploads in records.items()))
    for part in ("media", "store", "media", "database", "media"):
        await asyncio.sleep(0.4)
        await asyncio.to_thread(stack.kill9, part)
        await asyncio.to_thread(stack.start, part)
        await asyncio.to_thread(stack.wait_ready, part)
    async with listening(stack, "media.stored") as hear:
        heard = await hear(
            lambda heard: {e.subject for e, _, _ in heard} >= set(records), seconds=120
        )
    ids: dict[str, set[str]] = {record_id: set() for record_id in records}
    for event, _, _ in heard:
        if event.subject in ids:
            ids[event.subject].add(event.id)
            assert isinstance(event.data, ev.MediaStored)
            assert [item.state for item in event.data.media] == ["stored", "stored"]
            assert event.data.version == 1
    assert {len(found) for found in ids.values()} == {1}
    await eventually(lambda: not names_in(stack, "direct311-incoming"), 60)
    assert len(names_in(stack, "direct311-public")) == before["direct311-public"] + 30
    sealed = set(names_in(stack, "direct311-sealed"))
    assert len([n for n in sealed if n.split("/")[1] in records]) == 60


@pytest.mark.policy("P5", "P20")
async def test_nothing_personal_lies_outside_the_vault(stack: Stack) -> None:
    """After all of the above: broker, database, store, logs and traces hold no canary."""
    control = "Control-Ysabel-Ferrer"
    store_of(stack).put_object("direct311-incoming", "control", io.BytesIO(control.encode()), 21)
    spoken = created(new_id(), [])
    assert isinstance(spoken.data, ev.RequestCreated)
    await say(stack, replace(spoken, data=spoken.data.model_copy(update={"text": control})))
    for part in ("media", "kafka", "database", "store"):
        await asyncio.to_thread(stack.stop, part)
    files = await asyncio.to_thread(_contents, stack.root)
    assert [path for path, data in files if any(f in data for f in pictures.spellings())] == []
    places = {
        path.relative_to(stack.root).parts[1] for path, data in files if control.encode() in data
    }
    assert places == {"kafka", "store"}, "control: what lies in clear must be found"


def _contents(root: Path) -> list[tuple[Path, bytes]]:
    return [(path, path.read_bytes()) for path in sorted(root.rglob("*")) if path.is_file()]
