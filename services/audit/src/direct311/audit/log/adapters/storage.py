"""The log's files in the object store, locked against change and removal."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from direct311.audit.log.ports.files import ExistsOtherwiseError
from direct311.audit.log.ports.log import MissingTileError
from direct311.runtime.storage.objects import ExistsError, MissingObjectError, ObjectStore


class LockedObjects:
    """`Objects` in one bucket. `locked_for` counts from the time of writing."""

    def __init__(self, store: ObjectStore, bucket: str, locked_for: timedelta) -> None:
        self._store = store
        self._bucket = bucket
        self._locked_for = locked_for

    async def ping(self) -> None:
        """:raises TransientError: the bucket does not answer."""
        await self._store.ping(self._bucket)

    async def put_new(self, path: str, body: bytes, content_type: str, at: datetime) -> None:
        try:
            await self._store.put_new(
                self._bucket, path, body, content_type, locked_until=at + self._locked_for
            )
        except ExistsError:
            if await self._store.get(self._bucket, path) != body:
                raise ExistsOtherwiseError(path) from None

    async def get(self, path: str) -> bytes:
        try:
            return await self._store.get(self._bucket, path)
        except MissingObjectError:
            raise MissingTileError(path) from None

    async def checkpoints(self) -> Sequence[str]:
        return sorted(each.name for each in await self._store.list(self._bucket, "checkpoint/"))

    async def empty(self) -> bool:
        # A log with less than a full tile has left only its hourly checkpoints.
        for prefix in ("tile/0/000", "checkpoint/"):
            if await self._store.list(self._bucket, prefix):
                return False
        return True
