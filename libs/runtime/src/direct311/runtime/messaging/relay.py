"""The relay: from the outboxes to the broker, at least once, in order for each record.

A process publishes from memory what it has just written, in batches, and marks it in bulk. The
holder of the lease publishes from the database what was left behind (by a crash, a broker that did
not answer, another copy of the service). It takes over from a dead process as soon as it knows that
the process is dead.
"""

import asyncio
import contextlib
import itertools
import time
from collections import OrderedDict, deque
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

import structlog

from direct311.runtime.clock import Clock
from direct311.runtime.messaging.records import Entry, Outbox
from direct311.runtime.telemetry import Metrics

_log = structlog.get_logger(__name__)


class Publisher(Protocol):
    async def publish(self, entries: Sequence[Entry]) -> Sequence[bool]:
        """Send all, in order for each key; returns which of them the broker has stored durably."""
        ...


class Lease(Protocol):
    async def hold(self, now: datetime) -> bool: ...

    async def release(self) -> None: ...


class Presence(Protocol):
    """Which relays of an outbox are alive: each one reports regularly."""

    async def confirm(self, now: datetime) -> None:
        """Report that this relay is alive."""
        ...

    async def gone(self, now: datetime) -> Sequence[str]:
        """The relays that have been silent for too long, by the names with which they write."""
        ...

    async def forget(self, writer: str) -> None:
        """Forget a relay: what it left behind has been taken over."""
        ...

    async def leave(self) -> None:
        """Report that this relay is stopping and leaves nothing behind."""
        ...


class Relay:
    """One per process and outbox collection."""

    BATCH = 500
    IN_HAND = 20_000
    """The most writes that wait in memory. While the broker accepts nothing, further writes wait in
    their outboxes for the holder of the lease."""
    REMEMBERED = 200_000
    """The most entries known to be published: more than can arrive before their documents are
    marked."""
    POLL_SECONDS = 0.25
    SMALL = 50
    GATHER_SECONDS = 0.02
    """After a small batch, the next entries wait this long, so that they go out together."""
    MARKED_AT_ONCE = 100
    MARK_SECONDS = 0.5
    QUIET_SECONDS = 2.0
    """Published entries are marked once nothing has been offered for this long."""
    MARK_AFTER_SECONDS = 60.0
    """If it is never quiet, entries are marked after this long. By then the next event has nearly
    always written the document again; even with `MARK_SECONDS` and a slow database it is well
    within `IN_HAND_GRACE`."""
    LOOK_SECONDS = 1.0
    """How often the holder of the lease looks for dead relays."""

    def __init__(
        self,
        outbox: Outbox,
        publisher: Publisher,
        lease: Lease,
        presence: Presence,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self._outbox = outbox
        self._publisher = publisher
        self._lease = lease
        self._presence = presence
        self._clock = clock
        self._metrics = metrics
        self._queue: deque[tuple[str, tuple[Entry, ...]]] = deque()
        self._queued: set[str] = set()
        self._published: OrderedDict[str, None] = OrderedDict()
        self._unmarked: dict[str, tuple[float, list[str]]] = {}
        self._refused: set[str] = set()
        self._passed = 0
        self._offered = time.monotonic()
        self._looked = 0.0
        self._wake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = False

    # -- called by writers

    def owned(self, entry_ids: Sequence[str]) -> bool:
        return all(i in self._published or i in self._queued for i in entry_ids)

    def published(self, entry_id: str) -> bool:
        return entry_id in self._published

    def offer(self, record_id: str, entries: Sequence[Entry]) -> None:
        if len(self._queue) >= self.IN_HAND:
            self.leave(record_id)
            return
        self._queue.append((record_id, tuple(entries)))
        self._queued.update(entry.id for entry in entries)
        self._offered = time.monotonic()
        self._wake.set()

    def leave(self, record_id: str) -> None:
        self._refused.add(record_id)

    def settled(self, record_id: str, entry_ids: Sequence[str]) -> None:
        """A later write of the document has dropped these, so they need no separate mark."""
        since, ids = self._unmarked.pop(record_id, (0.0, []))
        left = [i for i in ids if i not in entry_ids]
        if left:
            self._unmarked[record_id] = (since, left)

    # -- start and stop

    def start(self) -> None:
        self._tasks = [
            asyncio.create_task(self._from_memory(), name="relay-memory"),
            asyncio.create_task(self._from_database(), name="relay-database"),
            asyncio.create_task(self._marking(), name="relay-marks"),
        ]

    async def stop(self) -> None:
        """Publish what is waiting, then stop. Entries that fail now stay in the outboxes."""
        self._stopping = True
        self._wake.set()
        if self._tasks:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(self._tasks[0]), timeout=5)
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            with contextlib.suppress(Exception):
                await self.mark_published()
            if not (self._queued or self._refused or self._unmarked):
                with contextlib.suppress(Exception):
                    await self._presence.leave()
            with contextlib.suppress(Exception):
                await self._lease.release()

    @property
    def waiting(self) -> int:
        """Waiting entries that are not published yet."""
        return len(self._queued)

    async def oldest(self) -> datetime | None:
        """The time since which the longest-waiting outbox could have been published."""
        return await self._outbox.oldest()

    async def _from_memory(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._queue:
                batch = [self._queue.popleft() for _ in range(min(self.BATCH, len(self._queue)))]
                await self._publish_in_hand(batch)
                if len(batch) < self.SMALL and not self._stopping:
                    await asyncio.sleep(self.GATHER_SECONDS)
            if self._stopping:
                return

    async def _publish_in_hand(self, batch: Sequence[tuple[str, tuple[Entry, ...]]]) -> None:
        entries = [entry for _, group in batch for entry in group]
        try:
            results = await self._publisher.publish(entries)
        except Exception as error:
            _log.warning("relay.publish_failed", error=type(error).__name__)
            results = [False] * len(entries)
        works = dict(zip((entry.id for entry in entries), results, strict=True))
        failed: set[str] = set()
        done: dict[str, list[str]] = {}
        for record_id, group in batch:
            for entry in group:
                self._queued.discard(entry.id)
                if works[entry.id] and record_id not in failed:
                    done.setdefault(record_id, []).append(entry.id)
                    self._remember(entry.id)
                else:
                    failed.add(record_id)
        if failed:
            # Later entries of these records must not overtake, so the lease's holder takes them
            # all.
            kept = [item for item in self._queue if item[0] not in failed]
            for record_id, group in self._queue:
                if record_id in failed:
                    self._queued.difference_update(entry.id for entry in group)
            self._queue = deque(kept)
        self._metrics.published.inc(sum(len(ids) for ids in done.values()))
        self._leave_unmarked(done)
        if failed:
            self._refused |= failed
            try:
                await self._release()
            except Exception as error:
                # The next poll retries this.
                _log.warning("relay.release_failed", error=type(error).__name__)

    async def _release(self) -> None:
        """Leave what the broker refused to the holder of the lease, which keeps trying."""
        while self._refused:
            refused = list(itertools.islice(self._refused, self.BATCH))
            # Entries refused meanwhile are added again.
            self._refused.difference_update(refused)
            try:
                await self._outbox.release(refused, self._clock.now())
            except BaseException:
                self._refused.update(refused)
                raise

    def _leave_unmarked(self, done: Mapping[str, Sequence[str]]) -> None:
        now = time.monotonic()
        for record_id, ids in done.items():
            self._unmarked.setdefault(record_id, (now, []))[1].extend(ids)

    async def _marking(self) -> None:
        """Marks wait for a quiet moment: many documents are written again by the next event, and
        that write drops what was published without a mark."""
        while True:
            await asyncio.sleep(self.MARK_SECONDS)
            try:
                while await self._mark(self._ripe(self._mark_before())):
                    pass
            except Exception as error:
                _log.warning("relay.mark_failed", error=type(error).__name__)

    def _mark_before(self) -> float:
        """Mark what was published until this time (seconds of the monotonic clock)."""
        now = time.monotonic()
        quiet = now - self._offered >= self.QUIET_SECONDS
        return now if quiet else now - self.MARK_AFTER_SECONDS

    async def mark_published(self) -> None:
        """Remove everything that was published from the outboxes, in bulk."""
        while await self._mark(self._ripe(time.monotonic())):
            pass

    async def _mark(self, record_ids: Sequence[str]) -> bool:
        """Mark those of these that were published; returns whether there were any."""
        if not record_ids:
            return False
        marks = {record_id: self._unmarked.pop(record_id) for record_id in record_ids}
        try:
            await self._outbox.mark_dispatched(
                {record_id: ids for record_id, (_, ids) in marks.items()}
            )
        except BaseException:
            for record_id, (since, ids) in marks.items():
                self._unmarked.setdefault(record_id, (since, []))[1].extend(ids)
            raise
        return True

    def _ripe(self, before: float) -> list[str]:
        found: list[str] = []
        # Oldest first, as they were put in.
        for record_id, (since, _) in self._unmarked.items():
            if since > before or len(found) == self.MARKED_AT_ONCE:
                break
            found.append(record_id)
        return found

    def _remember(self, entry_id: str) -> None:
        self._published[entry_id] = None
        if len(self._published) > self.REMEMBERED:
            self._published.popitem(last=False)

    async def _from_database(self) -> None:
        while not self._stopping:
            full = False
            try:
                now = self._clock.now()
                await self._presence.confirm(now)
                await self._release()
                if await self._lease.hold(now):
                    if time.monotonic() - self._looked >= self.LOOK_SECONDS:
                        self._looked = time.monotonic()
                        await self.take_over()
                    full = await self.publish_due()
            except Exception as error:
                _log.warning("relay.poll_failed", error=type(error).__name__)
            if not full:
                await asyncio.sleep(self.POLL_SECONDS)

    async def take_over(self) -> None:
        """Make the waiting entries of dead relays due at once."""
        now = self._clock.now()
        for writer in await self._presence.gone(now):
            taken = await self._outbox.take_over(writer, now)
            await self._presence.forget(writer)
            _log.info("relay.taken_over", writer=writer, outboxes=taken)

    async def publish_due(self) -> bool:
        """Publish what was left behind; returns whether there may be more. An entry that cannot be
        published, for example because its topic is missing, keeps its place and is skipped until
        all others have had their turn.
        """
        waiting = await self._outbox.due(self._clock.now(), self.BATCH, self._passed)
        if not waiting:
            self._passed = 0
            return False
        entries = [
            entry
            for group in waiting.values()
            for entry in group
            if entry.id not in self._published
        ]
        results = await self._publisher.publish(entries) if entries else []
        works = dict(zip((entry.id for entry in entries), results, strict=True))
        done = {}
        for record_id, group in waiting.items():
            prefix = []
            for entry in group:
                if not works.get(entry.id, True):
                    break
                prefix.append(entry.id)
                self._remember(entry.id)
            if prefix:
                done[record_id] = prefix
        self._metrics.published.inc(sum(len(ids) for ids in done.values()))
        self._metrics.left_behind.inc(sum(len(ids) for ids in done.values()))
        await self._outbox.mark_dispatched(done)
        more = len(waiting) == self.BATCH
        stay = sum(
            len(done.get(record_id, ())) < len(group) for record_id, group in waiting.items()
        )
        self._passed = self._passed + stay if more else 0
        return more
