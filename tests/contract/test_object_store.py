"""What the runtime promises of the object store, on the real one."""

import asyncio
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from minio import Minio
from minio.commonconfig import ENABLED
from minio.versioningconfig import VersioningConfig

from deploy.local.stack import Stack
from direct311.runtime.errors import TransientError
from direct311.runtime.storage.objects import ExistsError, MissingObjectError, ObjectStore
from tests.support.runtime import new_id

pytestmark = [pytest.mark.wire, pytest.mark.anyio]


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def store(servers: Stack) -> AsyncIterator[ObjectStore]:
    known = servers.dev["store"]
    store = ObjectStore(
        known["endpoint"], known["access_key"], known["secret_key"], secure=False, threads=4
    )
    yield store
    store.close()


@pytest.fixture(scope="module")
def client(servers: Stack) -> Minio:
    known = servers.dev["store"]
    return Minio(
        known["endpoint"],
        known["access_key"],
        known["secret_key"],
        secure=False,
        region="us-east-1",
    )


@pytest.fixture(scope="module")
def bucket(client: Minio) -> str:
    """Keeps versions."""
    name = new_id("versions")[:40]
    client.make_bucket(name)
    client.set_bucket_versioning(name, VersioningConfig(ENABLED))
    return name


@pytest.fixture(scope="module")
def locked(client: Minio) -> str:
    """Its objects can be locked."""
    name = new_id("locked")[:40]
    client.make_bucket(name, object_lock=True)
    return name


async def test_what_was_put_is_got(store: ObjectStore, bucket: str) -> None:
    await store.put(bucket, "a/b c/ñ", b"one", "text/plain")
    assert await store.get(bucket, "a/b c/ñ") == b"one"
    await store.put(bucket, "a/b c/ñ", b"two")
    assert await store.get(bucket, "a/b c/ñ") == b"two"
    await store.put(bucket, "empty", b"")
    assert await store.get(bucket, "empty") == b""


async def test_what_is_not_there_is_said_to_be_missing(store: ObjectStore, bucket: str) -> None:
    with pytest.raises(MissingObjectError):
        await store.get(bucket, "nowhere")
    await store.put(bucket, "gone", b"x")
    await store.remove(bucket, "gone")
    with pytest.raises(MissingObjectError):
        await store.get(bucket, "gone")
    await store.remove(bucket, "nowhere")


async def test_an_object_that_must_be_new_is_never_written_over(
    store: ObjectStore, bucket: str
) -> None:
    await store.put_new(bucket, "new", b"first")
    with pytest.raises(ExistsError):
        await store.put_new(bucket, "new", b"second")
    assert await store.get(bucket, "new") == b"first"


async def test_of_many_who_write_the_same_new_object_one_wins(
    store: ObjectStore, bucket: str
) -> None:
    bodies = [f"writer {number}".encode() for number in range(8)]
    results = await asyncio.gather(
        *(store.put_new(bucket, "contested", body) for body in bodies), return_exceptions=True
    )
    won = [body for body, result in zip(bodies, results, strict=True) if result is None]
    assert all(result is None or isinstance(result, ExistsError) for result in results)
    assert won == [await store.get(bucket, "contested")]


async def test_every_version_goes_and_is_counted(
    store: ObjectStore, bucket: str, client: Minio
) -> None:
    for body in (b"1", b"22", b"333"):
        await store.put(bucket, "record/photo", body)
    await store.put(bucket, "record/other", b"4444")
    await store.put(bucket, "recorded", b"stays")
    assert await store.remove_every_version(bucket, "record/") == (4, 10)
    assert await store.remove_every_version(bucket, "record/") == (0, 0)
    left = list(client.list_objects(bucket, prefix="record", recursive=True, include_version=True))
    assert [item.object_name for item in left] == ["recorded"]


async def test_more_versions_than_one_answer_lists_go_too(store: ObjectStore, bucket: str) -> None:
    names = [f"many/{number:04}" for number in range(1100)]
    for first in range(0, len(names), 100):
        await asyncio.gather(
            *(store.put(bucket, name, b"x") for name in names[first : first + 100])
        )
    assert len(await store.list(bucket, "many/")) == 1100
    assert await store.remove_every_version(bucket, "many/") == (1100, 1100)
    assert await store.list(bucket, "many/") == []


async def test_a_list_names_objects_with_their_size_and_time(
    store: ObjectStore, bucket: str
) -> None:
    await store.put(bucket, "list/b", b"22")
    await store.put(bucket, "list/a/deep", b"1")
    found = await store.list(bucket, "list/")
    assert [(item.name, item.size) for item in found] == [("list/a/deep", 1), ("list/b", 2)]
    assert all(abs(datetime.now(UTC) - item.modified_at) < timedelta(minutes=5) for item in found)
    assert await store.list(bucket, "nowhere/") == []


async def test_a_locked_version_cannot_be_removed(store: ObjectStore, locked: str) -> None:
    until = datetime.now(UTC) + timedelta(seconds=4)
    await store.put_new(locked, "tile", b"sealed", locked_until=until)
    await store.put(locked, "growing", b"open")
    with pytest.raises(TransientError):
        await store.remove_every_version(locked, "tile")
    assert await store.get(locked, "tile") == b"sealed"
    assert await store.remove_every_version(locked, "growing") == (1, 4)
    await asyncio.sleep((until - datetime.now(UTC)).total_seconds() + 1)
    assert await store.remove_every_version(locked, "tile") == (1, 6)


async def test_a_signed_address_takes_one_object_until_it_expires(
    store: ObjectStore, bucket: str
) -> None:
    def put(url: str) -> int:
        request = urllib.request.Request(url, data=b"brought", method="PUT")  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code

    url = await store.presigned_put(bucket, "upload", timedelta(seconds=2))
    assert await asyncio.to_thread(put, url.replace("upload", "another")) == 403
    assert await asyncio.to_thread(put, url) == 200
    assert await store.get(bucket, "upload") == b"brought"
    deadline = datetime.now(UTC) + timedelta(seconds=10)
    while await asyncio.to_thread(put, url) == 200:
        assert datetime.now(UTC) < deadline, "the address expires"
        await asyncio.sleep(0.2)


async def test_an_address_signed_with_headers_takes_just_these_bytes_once(
    store: ObjectStore, bucket: str
) -> None:
    async def put(url: str, body: bytes, headers: dict[str, str]) -> int:
        request = urllib.request.Request(url, body, headers, method="PUT")  # noqa: S310

        def send() -> int:
            try:
                with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310
                    return int(answer.status)
            except urllib.error.HTTPError as error:
                return error.code

        return await asyncio.to_thread(send)

    headers = {"Content-Type": "image/jpeg", "If-None-Match": "*"}
    url = await store.presigned_put(
        bucket, "exact", timedelta(minutes=1), {**headers, "Content-Length": "7"}
    )
    assert await put(url, b"too long", headers) == 403
    assert await put(url, b"short", headers) == 403
    assert await put(url, b"brought", {**headers, "Content-Type": "text/html"}) == 403
    assert await put(url, b"brought", {"Content-Type": "image/jpeg"}) in {400, 403}
    assert await put(url.replace("exact", "other"), b"brought", headers) == 403
    assert await put(url, b"brought", headers) == 200
    assert await put(url, b"another", headers) == 412
    assert await store.get(bucket, "exact") == b"brought"


async def test_a_store_that_refuses_or_does_not_answer_is_tried_again_later(
    servers: Stack, bucket: str
) -> None:
    known = servers.dev["store"]
    stranger = ObjectStore(known["endpoint"], known["access_key"], "wrong", secure=False)
    nowhere = ObjectStore("127.0.0.1:9", known["access_key"], "wrong", secure=False)
    for store in (stranger, nowhere):
        with pytest.raises(TransientError) as refused:
            await store.put(bucket, "a", b"Maria")
        assert "Maria" not in str(refused.value)
        with pytest.raises(TransientError):
            await store.ping(bucket)
        store.close()


async def test_a_bucket_that_is_there_answers(store: ObjectStore, bucket: str) -> None:
    await store.ping(bucket)
    with pytest.raises(TransientError):
        await store.ping("nowhere")
