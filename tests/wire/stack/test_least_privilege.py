"""On the real servers: each principal does its work, and is refused everything else."""

import contextlib
import http.client
import io
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    TopicAuthorizationFailedError,
)
from minio import Minio
from minio.commonconfig import COMPLIANCE
from minio.datatypes import PostPolicy
from minio.error import S3Error
from minio.retention import Retention
from pymongo import MongoClient
from pymongo.errors import OperationFailure

from deploy.local import environment
from deploy.local.stack import Stack

pytestmark = [pytest.mark.wire, pytest.mark.anyio]

BUCKETS = ("direct311-incoming", "direct311-sealed", "direct311-public", "direct311-log")


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Of this file alone: it sends messages that no service could make sense of."""
    stack = Stack.create(tmp_path_factory.mktemp("stack") / "s", ports="free", kind="test")
    try:
        stack.up(servers_only=True)
        yield stack
    finally:
        stack.down()
    assert {part.pid for part in stack.status()} == {None}


# --- broker --------------------------------------------------------------------------------------


def _broker(stack: Stack, user: str) -> dict[str, Any]:
    return {
        "bootstrap_servers": stack.place.address("kafka"),
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "SCRAM-SHA-256",
        "sasl_plain_username": user,
        "sasl_plain_password": stack.credentials.kafka[user],
    }


async def _send(stack: Stack, user: str, topic: str, value: bytes) -> None:
    producer = AIOKafkaProducer(**_broker(stack, user), enable_idempotence=True)
    try:
        await producer.start()
        await producer.send_and_wait(topic, value, key=b"record")
    finally:
        await producer.stop()


@contextlib.asynccontextmanager
async def _reader(stack: Stack, user: str, topic: str, group: str) -> AsyncIterator[Any]:
    consumer = AIOKafkaConsumer(
        topic, **_broker(stack, user), group_id=group, auto_offset_reset="earliest"
    )
    try:
        await consumer.start()
        yield consumer
    finally:
        await consumer.stop()


async def _read(stack: Stack, user: str, topic: str, group: str) -> bytes:
    async with _reader(stack, user, topic, group) as consumer:
        message = await consumer.getone()
        value: bytes = message.value
        return value


@pytest.mark.policy("P20")
async def test_a_department_reads_its_topic_and_not_its_neighbours(servers: Stack) -> None:
    await _send(servers, "routing", "routed.parks", b"for parks")
    await _send(servers, "routing", "routed.solid_waste", b"for solid waste")
    assert await _read(servers, "dept-parks", "routed.parks", "dept-parks") == b"for parks"
    with pytest.raises(TopicAuthorizationFailedError):
        await _read(servers, "dept-parks", "routed.solid_waste", "dept-parks")
    with pytest.raises(GroupAuthorizationFailedError):
        await _read(servers, "dept-parks", "routed.parks", "dept-solid_waste")


async def test_a_department_answers_on_its_own_topic_alone(servers: Stack) -> None:
    await _send(servers, "dept-parks", "updates.parks", b"done")
    for topic in ("updates.solid_waste", "routed.parks", "request.updated", "pii.accessed"):
        with pytest.raises(TopicAuthorizationFailedError):
            await _send(servers, "dept-parks", topic, b"forged")


async def test_only_intake_may_say_that_a_request_was_created(servers: Stack) -> None:
    await _send(servers, "intake", "request.created", b"created")
    assert await _read(servers, "geo", "request.created", "geo.places") == b"created"
    for user in ("media", "geo", "routing", "retention", "audit"):
        with pytest.raises(TopicAuthorizationFailedError):
            await _send(servers, user, "request.created", b"forged")


async def test_nobody_but_audit_reads_who_read_what(servers: Stack) -> None:
    await _send(servers, "intake", "pii.accessed", b"access")
    assert await _read(servers, "audit", "pii.accessed", "audit") == b"access"
    with pytest.raises(TopicAuthorizationFailedError):
        await _read(servers, "routing", "pii.accessed", "routing")


# --- database ------------------------------------------------------------------------------------


def _database(stack: Stack, service: str) -> "MongoClient[dict[str, Any]]":
    values = environment.from_file((stack.place.env / f"{service}.env").read_text())
    return MongoClient(values[f"{service.upper()}_DATABASE_URL"])


@pytest.mark.policy("P20")
def test_a_service_writes_in_its_database_and_is_refused_in_anothers(servers: Stack) -> None:
    with _database(servers, "geo") as client:
        client.geo.probe.insert_one({"place": 1})
        assert client.geo.probe.count_documents({}) == 1
        for other in ("intake", "audit", "admin"):
            with pytest.raises(OperationFailure, match=r"(?i)not authorized"):
                client[other].probe.find_one()
            with pytest.raises(OperationFailure, match=r"(?i)not authorized"):
                client[other].probe.insert_one({"place": 1})


def test_nobody_reads_the_database_without_a_password(servers: Stack) -> None:
    url = f"mongodb://{servers.place.address('database')}/?directConnection=true"
    client: MongoClient[dict[str, Any]] = MongoClient(url)
    with client, pytest.raises(OperationFailure):
        client.geo.probe.find_one()


# --- store ---------------------------------------------------------------------------------------


def _store(stack: Stack, user: str) -> Minio:
    return Minio(
        stack.place.address("store"),
        access_key=user,
        secret_key=stack.credentials.store[user],
        secure=False,
        region="us-east-1",
    )


def _put(client: Minio, bucket: str, name: str = "a/b") -> str | None:
    body = b"content"
    result = client.put_object(
        bucket_name=bucket, object_name=name, data=io.BytesIO(body), length=len(body)
    )
    return result.version_id


def _refused(action: Any) -> None:
    with pytest.raises(S3Error) as caught:
        action()
    assert caught.value.code == "AccessDenied"


@pytest.mark.policy("P20")
@pytest.mark.parametrize("bucket", BUCKETS)
def test_each_bucket_has_one_service_that_may_use_it(servers: Stack, bucket: str) -> None:
    may, may_not = ("audit", "media") if bucket == "direct311-log" else ("media", "audit")
    owner, other = _store(servers, may), _store(servers, may_not)
    version = _put(owner, bucket)
    assert owner.bucket_exists(bucket_name=bucket)
    assert [it.object_name for it in owner.list_objects(bucket_name=bucket, recursive=True)]
    _refused(lambda: _put(other, bucket))
    _refused(lambda: list(other.list_objects(bucket_name=bucket, recursive=True)))
    _refused(lambda: other.remove_object(bucket_name=bucket, object_name="a/b", version_id=version))
    if bucket != "direct311-public":
        _refused(lambda: other.get_object(bucket_name=bucket, object_name="a/b"))
    for client in (owner, other):
        _refused(lambda client=client: client.delete_bucket_policy(bucket_name=bucket))
        _refused(lambda client=client: client.remove_bucket(bucket_name=bucket))


@pytest.mark.policy("P20")
def test_a_locked_entry_of_the_log_cannot_be_deleted_by_anybody(servers: Stack) -> None:
    audit, root = _store(servers, "audit"), _store(servers, "root")
    until = datetime.now(UTC) + timedelta(days=1)
    written = audit.put_object(
        bucket_name="direct311-log",
        object_name="tile/0/000",
        data=io.BytesIO(b"tile"),
        length=4,
        retention=Retention(COMPLIANCE, until),
    )
    for client in (audit, root):
        _refused(
            lambda client=client: client.remove_object(
                bucket_name="direct311-log",
                object_name="tile/0/000",
                version_id=written.version_id,
            )
        )


def test_the_sealed_bucket_keeps_versions_and_media_can_destroy_them_all(servers: Stack) -> None:
    media = _store(servers, "media")
    versions = {_put(media, "direct311-sealed", "twice") for _ in range(2)}
    assert len(versions) == 2
    for version in versions:
        media.remove_object(bucket_name="direct311-sealed", object_name="twice", version_id=version)
    left = media.list_objects(bucket_name="direct311-sealed", prefix="twice", include_version=True)
    assert list(left) == []


def _anonymous(stack: Stack, method: str, path: str, body: bytes | None = None) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", stack.place.ports["store"], timeout=10)
    with contextlib.closing(connection):
        connection.request(method, path, body)
        return connection.getresponse().status


@pytest.mark.policy("P20")
def test_anybody_reads_a_public_object_and_nothing_else(servers: Stack) -> None:
    for bucket in BUCKETS:
        owner = "audit" if bucket == "direct311-log" else "media"
        _put(_store(servers, owner), bucket, "seen")
        allowed = 200 if bucket == "direct311-public" else 403
        assert _anonymous(servers, "GET", f"/{bucket}/seen") == allowed
        for query in ("", "?list-type=2", "?versions", "?uploads", "?policy"):
            assert _anonymous(servers, "GET", f"/{bucket}{query}") == 403
        assert _anonymous(servers, "PUT", f"/{bucket}/new", b"x") == 403
        assert _anonymous(servers, "DELETE", f"/{bucket}/seen") == 403


def test_an_upload_form_takes_one_file_of_the_size_that_it_allows(servers: Stack) -> None:
    policy = PostPolicy("direct311-incoming", datetime.now(UTC) + timedelta(minutes=5))
    policy.add_equals_condition("key", "upload-1")
    policy.add_content_length_range_condition(1, 10)
    form = _store(servers, "media").presigned_post_policy(policy)

    def post(key: str, body: bytes) -> int:
        url = f"http://{servers.place.address('store')}/direct311-incoming"
        return httpx.post(url, data={**form, "key": key}, files={"file": body}).status_code

    assert post("upload-1", b"small") == 204
    assert post("upload-1", b"more than ten bytes") == 400
    assert post("another", b"small") == 403
