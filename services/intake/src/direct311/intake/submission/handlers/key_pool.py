"""Keys made ahead: under load a record's key is stored before the record arrives.

A key must be durable before anything it seals is written, which takes a separate journaled write.
While many submissions arrive, keys for the next half second are stored in bulk alongside them; when
none arrive, no keys are made ahead.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import structlog

from direct311.runtime.clock import Ids
from direct311.runtime.micro_batch import MicroBatcher
from direct311.runtime.vault.vault import DataKey, RecordKey

_log = structlog.get_logger(__name__)

New = tuple[str, DataKey]
"""A record's id and its key."""


class KeyMaker(Protocol):
    """What a key pool needs of the vault."""

    async def new_key(self, record_id: str) -> tuple[RecordKey, DataKey]: ...


class KeyPool:
    """New record ids with their keys, already stored.

    A key made ahead is used within `FRESH_SECONDS` or not at all. Unused keys are removed together
    with other keys whose records were never stored.
    """

    AHEAD_SECONDS = 0.5
    LARGEST = 256
    LEAST = 8
    """If fewer than this are needed, each key is made on demand."""
    FRESH_SECONDS = 10.0

    def __init__(
        self, vault: KeyMaker, store: Callable[[Sequence[RecordKey]], Awaitable[None]], ids: Ids
    ) -> None:
        self._vault = vault
        self._store = store
        self._ids = ids
        self._keeping: MicroBatcher[RecordKey, None] = MicroBatcher("keys", self._keep)
        self._ready: deque[tuple[float, New]] = deque()
        self._taken = 0
        self._since = time.monotonic()
        self._making: asyncio.Task[None] | None = None

    def at_hand(self) -> New | None:
        """A key that was made ahead, if there is one."""
        self._taken += 1
        now = time.monotonic()
        while self._ready and self._ready[0][0] < now - self.FRESH_SECONDS:
            self._ready.popleft()
        self._make_ahead(now)
        return self._ready.popleft()[1] if self._ready else None

    async def make(self) -> New:
        """:raises TransientError: the database did not store it."""
        key, new = await self._new()
        await self._keeping(key)
        return new

    def _make_ahead(self, now: float) -> None:
        elapsed = now - self._since
        if self._making is not None or elapsed < self.AHEAD_SECONDS / 10:
            return
        wanted = min(int(self._taken / elapsed * self.AHEAD_SECONDS), self.LARGEST)
        if elapsed > self.AHEAD_SECONDS:
            self._taken, self._since = 0, now
        if wanted >= self.LEAST and len(self._ready) <= wanted // 2:
            self._making = asyncio.create_task(self._make(wanted), name="keys ahead")

    async def _make(self, wanted: int) -> None:
        try:
            # All at once, so that a provider on another machine gets them as one call.
            made = await asyncio.gather(*(self._new() for _ in range(wanted)))
            await self._store([key for key, _ in made])
            at = time.monotonic()
            self._ready.extend((at, new) for _, new in made)
        except Exception as error:
            # Then each key is made on demand, which reports the error if that fails too.
            _log.warning("keys.none_ahead", error=type(error).__name__)
        finally:
            self._making = None

    async def _new(self) -> tuple[RecordKey, New]:
        record_id = self._ids.new()
        key, data_key = await self._vault.new_key(record_id)
        return key, (record_id, data_key)

    async def _keep(self, keys: Sequence[RecordKey]) -> Sequence[None]:
        await self._store(keys)
        return [None] * len(keys)
