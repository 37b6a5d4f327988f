"""One leaf per event, whatever is killed, repeated or run twice.

A step takes the oldest batches of the inbox into the log. In the process that holds the
sequencer's lease, events that have just arrived go into the log in the same way without having been
in the inbox, once it is empty (`append`). They are still in Kafka then: their offsets are committed
only after 7. Where 2 and 8 say inbox, read Kafka for them.

1. Read the head. The first step after a start or an error does this by taking over: the epoch in
   the head document rises by one. From then on no sequencer of an earlier epoch can commit, since
   `move` names the epoch. Whatever earlier epochs staged at or above the head's size is garbage
   (had they committed it before the take-over, it would be below that size), and is removed. Only
   documents of lower epochs are removed, so a late removal does no harm.
2. Take batches from the inbox; they stay there. Consumers commit their offsets once a batch is
   durable, so Kafka may repeat one; the repeat is another batch with the same event ids.
3. Look up the event ids below the head's size, and drop those that already have an entry: one
   query of the query index for the whole batch, and the ids in memory of the entries that the
   index may not have yet (the *tail*: it is read from the edge after a take-over, and grows with
   each commit). Nothing below the head changes, and only this epoch can add to it, so the look-up
   stays true until 7. The index is not part of the log and may be lost. So after the query, and
   before anything is written, the index must show that it is complete (`Log.indexed`), and how far
   it reaches: only what was below that before a query may leave the tail. If it is not complete,
   this step fails, and so does every other until the index has been rebuilt. An index that was lost
   before the look-up no longer shows it; an index that is lost after the look-up has already
   answered. Only a rebuild can complete the index again in between, or remove it in order to
   rebuild it, and a rebuild takes over when it begins and before it ends: then 7 fails.
4. Get the keys, making those that are missing. An unused new key does no harm, and the next
   attempt finds it.
5. Stage entries with their rows for the index (in the edge), and full tiles, by index and above the
   head, where nothing reads. If a place is taken, an earlier epoch was still writing, and the step
   fails. A sequencer that is overtaken here, and resumes after the archive has released what was
   committed there, leaves entries in the edge that no 7 commits. They are below the head then, and
   the archive removes them; readers use the store's bundle before the edge and, in the edge, what
   the latest epoch wrote.
6. Check once more whether the records under whose keys entries were sealed in 4 still have them.
   If one does not, the step fails. The next step takes over, removes what was staged, and seals
   that record's entries under the month's key. So a key destroyed before this check is noticed
   here. A key destroyed after it is noticed when the row enters the index
   (`index.handlers.follow`), or else the index has the row when the destruction makes it forget
   the record (`dispose`). Either way, what the index says about an entry disappears with the last
   key that opens it.
7. Move the head by compare-and-set on epoch and size. This commits all or nothing. The query index
   follows later.
8. Discard the batches.

If the process is killed before 7, it leaves only garbage and keys. If it is killed after 7, the
batches are still there and step 3 drops their events. After any error, including a lost answer to
7, the next step takes over again: the take-over and a late compare-and-set meet in one document,
so one of them comes first, and the step continues from what the document then says. Objects are
written after all this, from the edge of what is committed (`archive`), which then forgets it. The
query index is never read to find out what the log contains.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from direct311.audit.index_row import IndexRow, Tagger
from direct311.audit.log.domain import key_names, without
from direct311.audit.log.handlers.keyring import BodyKey, KeyRing
from direct311.audit.log.handlers.tags import Tags
from direct311.audit.log.ports.inbox import Inbox, InboxBatch, QueuedEvent
from direct311.audit.log.ports.log import (
    FencedError,
    Head,
    IndexLostError,
    KeyGoneError,
    Log,
    StagedRow,
)
from direct311.runtime.clock import Clock
from direct311.runtime.pacing import paced
from direct311.verifier.entry import seal
from direct311.verifier.merkle import Growth, leaf_hash
from direct311.verifier.tiles import WIDTH, Tile, grown_tiles, partial_tiles

MOST_STEPS = 16
"""So many steps empty the inbox, unless other processes fill it as fast."""


class InboxNotEmptyError(Exception):
    """Events that arrived earlier still wait."""


class Sequencer:
    """Appends to the log. Run one at a time, by lease; two at a time are slow, but still
    correct."""

    def __init__(
        self, inbox: Inbox, log: Log, keys: KeyRing, clock: Clock, *, batch: int = 2_000
    ) -> None:
        self._inbox = inbox
        self._log = log
        self._keys = keys
        self._tags = Tags(keys)
        self._clock = clock
        self._batch = batch
        self._turn = asyncio.Lock()
        self._epoch: int | None = None
        self._tail: dict[str, int] | None = None
        """Entries that the index may lack: event id → index. `None`: not read yet."""

    async def step(self) -> int:
        """Bring one batch into the log; returns how many events were taken from the inbox.

        :raises FencedError: another sequencer has taken over.
        :raises IndexLostError: nothing can tell which events already have an entry.
        :raises KeyGoneError: a record was destroyed in the meantime; the next step seals with
        another key.
        """
        async with self._turn:
            return await self._step(())

    async def append(self, arrived: Sequence[InboxBatch]) -> int:
        """Bring the inbox into the log, and then these batches, which are not in it; returns how
        many events were taken.

        :raises InboxNotEmptyError: others fill the inbox as fast as it is emptied; these batches
        are not in the log. Also raises what `step` raises; then nobody knows whether they are.
        """
        async with self._turn:
            taken = 0
            for _ in range(MOST_STEPS):
                if not (count := await self._step(arrived)):
                    return taken + sum(len(batch.queued_events) for batch in arrived)
                taken += count
        raise InboxNotEmptyError

    async def _step(self, arrived: Sequence[InboxBatch]) -> int:
        """One batch of the inbox, or what has `arrived` if the inbox is empty; returns how many
        events were taken from the inbox."""
        epoch, self._epoch = self._epoch, None
        if epoch is None:
            self._tail = None
            head = await self._log.take_over()
            await self._log.sweep(head)
            waiting = await self._inbox.take(self._batch)
        else:
            head, waiting = await asyncio.gather(self._log.head(), self._inbox.take(self._batch))
            if head.epoch != epoch:
                raise FencedError
        if batches := waiting or arrived:
            await self._append(head, batches)
        if waiting:
            await self._inbox.discard([batch.id for batch in waiting])
        # Kept only if nothing went wrong: see above.
        self._epoch = head.epoch
        return sum(len(batch.queued_events) for batch in waiting)

    async def _append(self, head: Head, batches: Sequence[InboxBatch]) -> None:
        queued_events: dict[str, QueuedEvent] = {}
        for batch in batches:
            for queued in batch.queued_events:
                queued_events.setdefault(queued.facts.event_id, queued)
        tail = await self._read_tail(head)
        known = await self._known(queued_events, tail, head)
        fresh = [each for event_id, each in queued_events.items() if event_id not in known]
        if not fresh:
            return
        now = self._clock.now()
        # Logging times never run backwards, because queries search them by bisection.
        at = max(now, head.logged_at or now)
        keys = await self._keys.for_sealing([each.facts for each in fresh], at)
        tag = await self._tags.tagger(at)
        staged = await _seal(fresh, keys, head.size, at, tag)
        growth = head.frontier.append([each.row.leaf for each in staged])
        tiles = grown_tiles(growth, head.edge)
        full = {tile: data for tile, data in tiles.items() if tile.width == WIDTH}
        await self._log.stage(head.epoch, staged, full)
        relied_on = {name for each in staged for name in each.tied}
        if await self._keys.destroyed(relied_on):
            raise KeyGoneError
        await self._log.move(head, _grown(head, growth, tiles, batches, at))
        tail |= {each.row.event_id: each.row.index for each in staged}

    async def _read_tail(self, head: Head) -> dict[str, int]:
        """The entries that the index may lack; kept from step to step."""
        if self._tail is None:
            indexed = await self._log.indexed()
            if indexed is None:
                raise IndexLostError
            rows, _ = await self._log.unindexed(indexed.size, head.size)
            self._tail = {each.row.event_id: each.row.index for each in rows}
        return self._tail

    async def _known(
        self, event_ids: Collection[str], tail: dict[str, int], head: Head
    ) -> set[str]:
        """Those of these events that have an entry."""
        known = await self._log.known(list(event_ids), head.size)
        known |= tail.keys() & set(event_ids)
        indexed = await self._log.indexed()
        if indexed is None:
            raise IndexLostError
        # The next look-up finds these in the index.
        for event_id in [each for each, index in tail.items() if index < indexed.size]:
            del tail[event_id]
        return known


async def _seal(
    queued_events: Sequence[QueuedEvent],
    keys: Mapping[str, BodyKey],
    first: int,
    at: datetime,
    tag: Tagger,
) -> list[StagedRow]:
    """A month's key is not destroyed as soon as a record's, so no entry counts as tied to it."""
    staged = []
    async for index, queued in paced(enumerate(queued_events, first)):
        event_id = queued.facts.event_id
        body = keys[event_id]
        data = seal(queued.event, body_key=body.key, key_reference=body.reference, logged_at=at)
        row = IndexRow(index, event_id, at, data, leaf_hash(data), without(queued.facts, body.gone))
        tied = tuple(name for name in key_names(queued.facts) if name not in body.gone)
        staged.append(StagedRow(replace(row, tag=tag(row)), tied))
    return staged


def _grown(
    head: Head,
    growth: Growth,
    tiles: Mapping[Tile, bytes],
    batches: Sequence[InboxBatch],
    at: datetime,
) -> Head:
    contents = {**head.edge, **tiles}
    edge = {tile: contents[tile] for tile in partial_tiles(growth.frontier.size)}
    offsets = dict(head.offsets)
    for batch in batches:
        for partition, offset in batch.offsets.items():
            offsets[partition] = max(offset, offsets.get(partition, -1))
    return Head(head.epoch, growth.frontier, edge, at, offsets)
