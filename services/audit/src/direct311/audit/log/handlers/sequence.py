"""One leaf per event, whatever is killed, repeated or run twice.

A step takes the oldest batches of the inbox into the log:

1. Read the head. The first step after a start or an error does this by taking over: the epoch in
   the head document rises by one. From then on no sequencer of an earlier epoch can commit, since
   `move` names the epoch. Whatever earlier epochs staged at or above the head's size is garbage
   (had they committed it before the take-over, it would be below that size), and is removed. Only
   documents of lower epochs are removed, so a late removal does no harm.
2. Take batches from the inbox; they stay there. Consumers commit their offsets once a batch is
   durable, so Kafka may repeat one; the repeat is another batch with the same event ids.
3. Look up the event ids below the head's size, and drop those that already have an entry. Nothing
   below the head changes, and only this epoch can add to it, so the look-up stays true until 7.
   The look-up uses the query index, which is not part of the log and may be lost. So afterwards,
   and before anything is written, the index must show that it is complete (`Log.whole_since`). If
   it is not, this step fails, and so does every other until the index has been rebuilt. An index
   that was lost before the look-up no longer shows it; an index that is lost after the look-up has
   already answered. Only a rebuild can complete the index again in between, or remove it in order
   to rebuild it, and a rebuild takes over when it begins and before it ends: then 7 fails.
4. Get the keys, making those that are missing. An unused new key does no harm, and the next
   attempt finds it.
5. Stage entries, first in the query index and then in the edge, and full tiles, by index and above
   the head, where nothing reads. If an index or an event id is taken, an earlier epoch was still
   writing, and the step fails. A sequencer that is overtaken between index and edge, and resumes
   after the archive has released what was committed there, leaves entries in the edge that no 7
   commits. They are below the head then, and the archive removes them; readers use the store's
   bundle before the edge and, in the edge, what the latest epoch wrote.
6. Check once more whether the records under whose keys entries were sealed in 4 still have them.
   If one does not, the step fails. The next step takes over, removes what was staged, and seals
   that record's entries under the month's key. A record's destruction first destroys its key and
   then makes the index forget it (`dispose`), including staged entries. So a key destroyed before
   this check is noticed here; a key destroyed after it is also destroyed after 5, and what was
   staged is found and forgotten, before or after 7. Either way, what the index says about an entry
   disappears with the last key that opens it.
7. Move the head by compare-and-set on epoch and size. This commits all or nothing.
8. Discard the batches.

If the process is killed before 7, it leaves only garbage and keys. If it is killed after 7, the
batches are still there and step 3 drops their events. After any error, including a lost answer to
7, the next step takes over again: the take-over and a late compare-and-set meet in one document,
so one of them comes first, and the step continues from what the document then says. Objects are
written after all this, from the edge of what is committed (`archive`), which then forgets it. The
query index is never read to find out what the log contains.
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
