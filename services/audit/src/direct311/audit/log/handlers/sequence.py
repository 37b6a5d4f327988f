"""One leaf per event, whatever is killed, repeated or run twice.

A step takes the oldest batches of the inbox into the log:

1. Read the head, on the first step after a start or an error by taking over: the epoch in the head
   document rises by one. From then on no sequencer of an earlier epoch can commit, since `move`
   names the epoch. What earlier epochs staged at or above the head's size is garbage for ever
   (they could only have committed it before the take-over, and then it would lie below), and is
   removed; only documents of lower epochs are, so that a removal that comes late hurts nobody.
2. Take batches from the inbox; they stay there. Consumers commit their offsets once a batch is
   durable, so Kafka may repeat one; the repeat is another batch with the same event ids.
3. Look the event ids up below the head's size, and drop those that have an entry. Nothing below
   the head changes, and nobody but this epoch can add to it, so the look-up stays true until 7.
   The look-up is in the query index, which is no part of the log and may be lost. So afterwards,
   and before anything is written, the index must show that it is whole (`Log.whole_since`); if not,
   the step fails, and so does every other until the index was made again. An index that was lost
   before the look-up does not show it any more; one that is lost after it has answered already.
   It can be whole again in between, or be taken away to be made anew, only by a rebuild, and that
   takes over when it begins and before it ends: then 7 fails.
4. Get the keys, making those that are missing. A key that is made and not used harms nobody, and
   the next attempt finds it.
5. Stage entries, first in the query index, then in the edge, and full tiles, by index and above the
   head: nobody reads there. An index or an event id that is taken means that an earlier epoch was
   still writing; the step fails. Who is overtaken between index and edge, and goes on when the
   archive has let go of what was committed there, leaves entries in the edge that no 7 commits:
   they lie below the head then, the archive removes them, and whoever reads takes the store's
   bundle before the edge, and in the edge what the latest epoch wrote.
6. Look once more whether the records under whose keys entries were sealed in 4 still have them. If
   one has not, the step fails; the next one takes over, sweeps, and seals what it was about under
   the month's key. Whoever destroys a record takes its key first, and then has the index forget it
   (`dispose`), staged entries too. So a key that goes before this look is seen here; one that goes
   after it goes after 5 as well, and what was staged is found and forgotten, before 7 or after it.
   Either way what the index tells of an entry goes with the last key that opens it.
7. Move the head by compare-and-set on epoch and size. This commits all or nothing.
8. Discard the batches.

Killed before 7, nothing has happened but garbage and keys. Killed after 7, the batches are still
there and step 3 drops their events. After any error, also one where the answer to 7 was lost, the
next step takes over anew: the take-over and the late compare-and-set meet in one document, so one
of them is first, and the step goes on from what the document then says. Objects are written after
all this, from the edge of what is committed (`archive`), which then forgets it. The query index is
never read for what the log is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from direct311.audit.index_row import IndexRow, Tagger
from direct311.audit.log.domain import key_names, without
from direct311.audit.log.handlers.keyring import BodyKey, KeyRing
from direct311.audit.log.handlers.tags import Tags
from direct311.audit.log.ports.inbox import Inbox, InboxBatch, QueuedEvent
from direct311.audit.log.ports.log import FencedError, Head, IndexLostError, KeyGoneError, Log
from direct311.runtime.clock import Clock
from direct311.runtime.pacing import paced
from direct311.verifier.entry import seal
from direct311.verifier.merkle import Growth, leaf_hash
from direct311.verifier.tiles import WIDTH, Tile, grown_tiles, partial_tiles


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
        self._epoch: int | None = None

    async def step(self) -> int:
        """Bring one batch into the log; returns how many events were taken from the inbox.

        :raises FencedError: another sequencer has taken over.
        :raises IndexLostError: nothing can tell which events already have an entry.
        :raises KeyGoneError: a record was destroyed in the meantime; the next step seals with
        another key.
        """
        epoch, self._epoch = self._epoch, None
        if epoch is None:
            head = await self._log.take_over()
            await self._log.sweep(head)
        else:
            head = await self._log.head()
            if head.epoch != epoch:
                raise FencedError
        batches = await self._inbox.take(self._batch)
        if batches:
            await self._append(head, batches)
            await self._inbox.discard([batch.id for batch in batches])
        # Kept only if nothing went wrong: see above.
        self._epoch = head.epoch
        return sum(len(batch.queued_events) for batch in batches)

    async def _append(self, head: Head, batches: Sequence[InboxBatch]) -> None:
        queued_events: dict[str, QueuedEvent] = {}
        for batch in batches:
            for queued in batch.queued_events:
                queued_events.setdefault(queued.facts.event_id, queued)
        known = await self._log.known(list(queued_events), head.size)
        if await self._log.whole_since(head) is None:
            raise IndexLostError
        fresh = [each for event_id, each in queued_events.items() if event_id not in known]
        if not fresh:
            return
        now = self._clock.now()
        # Logging times never run backwards, because queries search them by bisection.
        at = max(now, head.logged_at or now)
        keys = await self._keys.for_sealing([each.facts for each in fresh], at)
        tag = await self._tags.tagger(at)
        rows = await _seal(fresh, keys, head.size, at, tag)
        growth = head.frontier.append([row.leaf for row in rows])
        tiles = grown_tiles(growth, head.edge)
        full = {tile: data for tile, data in tiles.items() if tile.width == WIDTH}
        await self._log.stage(head.epoch, rows, full)
        if await self._keys.destroyed(_relied_on(fresh, keys)):
            raise KeyGoneError
        await self._log.move(head, _grown(head, growth, tiles, batches, at))


async def _seal(
    queued_events: Sequence[QueuedEvent],
    keys: Mapping[str, BodyKey],
    first: int,
    at: datetime,
    tag: Tagger,
) -> list[IndexRow]:
    rows = []
    async for index, queued in paced(enumerate(queued_events, first)):
        event_id = queued.facts.event_id
        body = keys[event_id]
        data = seal(queued.event, body_key=body.key, key_reference=body.reference, logged_at=at)
        row = IndexRow(index, event_id, at, data, leaf_hash(data), without(queued.facts, body.gone))
        rows.append(replace(row, tag=tag(row)))
    return rows


def _relied_on(queued_events: Sequence[QueuedEvent], keys: Mapping[str, BodyKey]) -> set[str]:
    """The names of the keys that existed when these were sealed. A month's key is not destroyed
    that soon."""
    return {
        name
        for queued in queued_events
        for name in key_names(queued.facts)
        if name not in keys[queued.facts.event_id].gone
    }


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
