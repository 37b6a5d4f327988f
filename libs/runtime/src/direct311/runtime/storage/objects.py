"""The object store (S3): the only module that knows the client library."""

import asyncio
import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from types import MappingProxyType
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

import urllib3
from minio import Minio
from minio.commonconfig import COMPLIANCE
from minio.deleteobjects import DeleteObject
from minio.error import MinioException, S3Error

from direct311.runtime.errors import RuntimeFaultError, TransientError
from direct311.runtime.settings import StoreSettings

T = TypeVar("T")
_Headers = dict[str, str | list[str] | tuple[str]]
_REGION = "us-east-1"


class MissingObjectError(RuntimeFaultError):
    """The object does not exist."""


class ExistsError(RuntimeFaultError):
    """An object that must be new already exists."""


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """`size` in bytes; `modified_at` by the store's clock."""

    name: str
    size: int
    modified_at: datetime
    version_id: str | None = None


class ObjectStore:
    """Buckets and objects. The library blocks, so each call runs in one of a few threads."""

    def __init__(
        self,
        endpoint: str,
        access_key: str,
        secret_key: str,
        *,
        secure: bool = True,
        threads: int = 8,
    ) -> None:
        self._access_key, self._secret_key = access_key, secret_key
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="store")
        http = urllib3.PoolManager(
            maxsize=threads,
            timeout=urllib3.Timeout(connect=2, read=15),
            retries=urllib3.Retry(total=1, backoff_factor=0.1),
        )
        self._client = Minio(
            endpoint,
            access_key=access_key,
            secret_key=secret_key,
            secure=secure,
            region=_REGION,
            http_client=http,
        )

    @classmethod
    def from_settings(cls, settings: StoreSettings) -> "ObjectStore":
        return cls(
            settings.store_endpoint,
            settings.store_access_key,
            settings.store_secret_key.get_secret_value(),
            secure=settings.store_secure,
        )

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def ping(self, bucket: str) -> None:
        """:raises TransientError: the bucket does not answer."""
        if not await self._run(self._client.bucket_exists, bucket):
            raise TransientError("the bucket does not exist")

    async def put(
        self,
        bucket: str,
        name: str,
        body: bytes,
        content_type: str = "application/octet-stream",
        *,
        locked_until: datetime | None = None,
    ) -> None:
        """Write or overwrite an object."""
        await self._put(bucket, name, body, _headers(body, content_type, locked_until))

    async def put_new(
        self,
        bucket: str,
        name: str,
        body: bytes,
        content_type: str = "application/octet-stream",
        *,
        locked_until: datetime | None = None,
    ) -> None:
        """Write an object that must not exist (`If-None-Match: *`).

        :raises ExistsError: it exists; it is unchanged.
        """
        headers = _headers(body, content_type, locked_until) | {"If-None-Match": "*"}
        try:
            await self._put(bucket, name, body, headers)
        except _RefusedByStoreError as refusal:
            if refusal.code == "PreconditionFailed":
                raise ExistsError("the object exists") from None
            raise

    async def _put(self, bucket: str, name: str, body: bytes, headers: _Headers) -> None:
        # The public put_object has no parameter for If-None-Match; this is what it calls
        # internally.
        await self._run(partial(self._client._put_object, bucket, name, body, headers))

    async def get(self, bucket: str, name: str) -> bytes:
        """:raises MissingObjectError: it does not exist."""

        def read() -> bytes:
            answer = self._client.get_object(bucket, name)
            try:
                return answer.read()
            finally:
                answer.close()
                answer.release_conn()

        return await self._run(read)

    async def remove(self, bucket: str, name: str) -> None:
        """Remove the current version; does nothing if there is none."""
        await self._run(self._client.remove_object, bucket, name)

    async def remove_every_version(self, bucket: str, prefix: str) -> tuple[int, int]:
        """Remove all objects under a prefix in all their versions; returns how many, and their
        bytes."""

        def remove() -> tuple[int, int]:
            listed = self._client.list_objects(
                bucket, prefix=prefix, recursive=True, include_version=True
            )
            # If a list spans several answers, a store may list an object twice.
            found = {(item.object_name, item.version_id): item for item in listed}.values()
            objects = [DeleteObject(item.object_name, item.version_id) for item in found]
            for error in self._client.remove_objects(bucket, objects):
                raise TransientError(f"an object could not be removed: {error.code}")
            real = [item for item in found if not item.is_delete_marker]
            return len(real), sum(item.size or 0 for item in real)

        return await self._run(remove)

    async def list(self, bucket: str, prefix: str = "") -> Sequence[ObjectInfo]:
        """The objects under a prefix, by name."""

        def read() -> list[ObjectInfo]:
            return [
                ObjectInfo(item.object_name or "", item.size or 0, item.last_modified)
                for item in self._client.list_objects(bucket, prefix=prefix, recursive=True)
            ]

        return await self._run(read)

    async def presigned_put(
        self,
        bucket: str,
        name: str,
        expires: timedelta,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> str:
        """A URL that accepts one object by PUT until it expires, with exactly these headers.

        With `Content-Length` it accepts exactly that many bytes; with `If-None-Match: *` it accepts
        them once.
        """
        plain = await self._run(
            partial(self._client.presigned_put_object, bucket, name, expires=expires)
        )
        if not headers:
            return plain
        return _signed_put(plain, expires, headers, self._access_key, self._secret_key)

    async def _run(self, call: Callable[..., T], *arguments: Any) -> T:
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._pool, partial(call, *arguments))
        except S3Error as error:
            if error.code in {"NoSuchKey", "NoSuchObject"}:
                raise MissingObjectError("no such object") from None
            raise _RefusedByStoreError(error.code or "") from None
        except (MinioException, urllib3.exceptions.HTTPError, OSError):
            raise TransientError("the object store does not answer") from None


def _signed_put(
    address: str, expires: timedelta, headers: Mapping[str, str], access_key: str, secret_key: str
) -> str:
    """A PUT URL that is valid only with these headers.

    AWS Signature Version 4 in the query (S3 API, "Authenticating Requests: Using Query
    Parameters"); the library signs the host and nothing else.
    """
    parts, at = urlsplit(address), datetime.now(UTC)
    signed = {"host": parts.netloc, **{name.lower(): value for name, value in headers.items()}}
    names = ";".join(sorted(signed))
    scope = f"{at:%Y%m%d}/{_REGION}/s3/aws4_request"
    query = {
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": f"{access_key}/{scope}",
        "X-Amz-Date": f"{at:%Y%m%dT%H%M%SZ}",
        "X-Amz-Expires": str(int(expires.total_seconds())),
        "X-Amz-SignedHeaders": names,
    }
    asked = "&".join(f"{name}={quote(query[name], safe='-_.~')}" for name in sorted(query))
    lines = "".join(f"{name}:{signed[name].strip()}\n" for name in sorted(signed))
    request = f"PUT\n{parts.path}\n{asked}\n{lines}\n{names}\nUNSIGNED-PAYLOAD"
    digest = hashlib.sha256(request.encode()).hexdigest()
    to_sign = f"AWS4-HMAC-SHA256\n{at:%Y%m%dT%H%M%SZ}\n{scope}\n{digest}"
    key = f"AWS4{secret_key}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), hashlib.sha256)
    signature = hmac.digest(key, to_sign.encode(), hashlib.sha256).hex()
    return f"{parts.scheme}://{parts.netloc}{parts.path}?{asked}&X-Amz-Signature={signature}"


def _headers(body: bytes, content_type: str, locked_until: datetime | None) -> _Headers:
    headers: _Headers = {"Content-Type": content_type}
    if locked_until is not None:
        until = locked_until.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        digest = hashlib.md5(body, usedforsecurity=False).digest()
        headers |= {
            "X-Amz-Object-Lock-Mode": COMPLIANCE,
            "X-Amz-Object-Lock-Retain-Until-Date": until,
            # The store requires it with an object lock (S3 API, PutObject).
            "Content-MD5": base64.b64encode(digest).decode(),
        }
    return headers


class _RefusedByStoreError(TransientError):
    def __init__(self, code: str) -> None:
        super().__init__(f"the object store refused: {code}")
        self.code = code
