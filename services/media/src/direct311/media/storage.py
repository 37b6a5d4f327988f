"""The three buckets.

`direct311-incoming`: `<upload id>`, as received. `direct311-sealed`: `<shard>/<record id>/<media
id>`, ciphertext, versioned. `direct311-public`: `<token>.<ending>`, read by anybody who knows the
name. A shard is two hexadecimal digits, so that a sweep never lists more than a part of a bucket.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from direct311.media.record import CleanCopy
from direct311.runtime.storage.objects import MissingObjectError, ObjectStore

INCOMING = "direct311-incoming"
SEALED = "direct311-sealed"
PUBLIC = "direct311-public"


class StoreIncoming:
    """Implements `Incoming`."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    async def ticket(
        self, upload_id: str, expires: timedelta, content_type: str, size: int
    ) -> tuple[str, Mapping[str, str]]:
        headers = {"Content-Type": content_type, "If-None-Match": "*"}
        # The length is signed too, but the sender does not write that header.
        signed = {**headers, "Content-Length": str(size)}
        return await self._store.presigned_put(INCOMING, upload_id, expires, signed), headers

    async def fetch(self, upload_id: str) -> bytes | None:
        try:
            return await self._store.get(INCOMING, upload_id)
        except MissingObjectError:
            return None

    async def discard(self, upload_id: str) -> None:
        await self._store.remove(INCOMING, upload_id)

    async def waiting(self) -> Sequence[tuple[str, datetime]]:
        return [(found.name, found.modified_at) for found in await self._store.list(INCOMING)]


class StoreOriginals:
    """Implements `Originals`."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    async def put(self, record_id: str, media_id: str, sealed: bytes) -> None:
        await self._store.put(SEALED, _folder(record_id) + media_id, sealed)

    async def get(self, record_id: str, media_id: str) -> bytes:
        return await self._store.get(SEALED, _folder(record_id) + media_id)

    async def of_record(self, record_id: str) -> Sequence[str]:
        found = await self._store.list(SEALED, _folder(record_id))
        return [info.name.rpartition("/")[2] for info in found]

    async def remove_all(self, record_id: str) -> tuple[int, int]:
        return await self._store.remove_every_version(SEALED, _folder(record_id))

    async def records_of_shard(self, shard: int, older_than: datetime) -> Sequence[str]:
        found = await self._store.list(SEALED, f"{shard:02x}/")
        old = {info.name.split("/")[1] for info in found if info.modified_at < older_than}
        return sorted(old)


class StoreCopies:
    """Implements `Copies`."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    async def put(self, name: str, copy: CleanCopy) -> None:
        await self._store.put(PUBLIC, name, copy.data, copy.content_type)

    async def remove(self, names: Iterable[str]) -> None:
        for name in names:
            await self._store.remove(PUBLIC, name)

    async def names_of_shard(self, shard: int, older_than: datetime) -> Sequence[str]:
        found = await self._store.list(PUBLIC, f"{shard:02x}")
        return [info.name for info in found if info.modified_at < older_than]


def _folder(record_id: str) -> str:
    shard = hashlib.sha256(record_id.encode()).hexdigest()[:2]
    return f"{shard}/{record_id}/"
