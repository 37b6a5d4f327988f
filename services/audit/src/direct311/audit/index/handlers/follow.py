"""The query index follows the log: what is appended is in the index a moment later.

The log keeps the row of each entry beside the sealed bytes until the index has it
(`Log.unindexed`), so nothing is opened for this. A step takes the rows that come next:

1. Ask which of the keys that their entries were sealed under were destroyed since then. What a row
   says about a destroyed record is left out, as if the index had already forgotten it.
2. Insert the rows. Those that are already there stay as they are.
3. Ask again. If a record was destroyed in between, the index forgets it now.
4. Note how far the index reaches. From then on the log does not keep these rows any more.

A process that is killed anywhere leaves rows that are right, and the next step inserts the others.
Two at a time insert the same rows. The destruction of a record first destroys its key, then waits
until the index has everything that the log had at that moment (`Followed.complete`), and only then
makes the index forget the record (`dispose`). So it finds every row that was inserted before, and 1
or 3 notice the destruction for every other row.

Appending comes first. While events wait for the log, or came in large batches just now, a step puts
off its work, but not longer than `LONGEST_WAIT`, and not while a question waits for the index.
"""

import asyncio
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from direct311.audit.alarms.ports import Alarms
from direct311.audit.index.domain import unnamed
from direct311.audit.index.ports import Entries
from direct311.audit.index_row import IndexRow, Tagger
from direct311.audit.log.domain import file_of, remaining
from direct311.audit.log.handlers.keyring import KeyRing
from direct311.audit.log.handlers.tags import Tags
from direct311.audit.log.ports.inbox import Inbox
from direct311.audit.log.ports.log import (
    Followed,
    IndexBehindError,
    Indexed,
    IndexLostError,
    Log,
    StagedRow,
)
from direct311.runtime.clock import Clock

AT_ONCE = 2_000
"""About how many rows are inserted in one step."""

LONGEST_WAIT = timedelta(seconds=7)
"""How long an entry waits for its row while appending has more to do. The promise is 10 seconds."""


MANY = 250
"""An append of so many events means that more are on their way."""

SOON = timedelta(seconds=0.5)
"""How long after such an append the next one is expected."""


class Following:
    """Brings rows into the index. Run one at a time, by lease; two at a time do the same."""

    def __init__(
        self,
        *,
        log: Log,
        inbox: Inbox,
        entries: Entries,
        keys: KeyRing,
        tags: Tags,
        alarms: Alarms,
        clock: Clock,
    ) -> None:
        self._log = log
        self._inbox = inbox
        self._entries = entries
        self._keys = keys
        self._tags = tags
        self._alarms = alarms
        self._clock = clock
        self._asked = False
        self._busy_until: datetime | None = None
        self._oldest = (-1, datetime.min.replace(tzinfo=UTC))
        """The first entry that the index lacks, and when it was logged."""

    def appended(self, count: int) -> None:
        """So many events were taken into the log just now."""
        if count >= MANY:
            self._busy_until = self._clock.now() + SOON

    def hurry(self) -> None:
        """A question waits for the index: the next step does not put off its work."""
        self._asked = True

    async def step(self) -> bool:
        """Insert the rows that come next; returns whether there may be more to do at once. Does
        nothing while the index is lost, because a rebuild makes it again."""
        head = await self._log.head()
        indexed = await self._log.indexed()
        if indexed is None or indexed.size >= head.size:
            self._asked = False
            return False
        # The rows are read once, and not each time that the work is put off.
        place, oldest = self._oldest
        if place == indexed.size and await self._puts_off(oldest):
            return False
        staged, end = await self._log.unindexed(indexed.size, head.size, AT_ONCE)
        if staged and place != indexed.size:
            self._oldest = indexed.size, staged[0].row.logged_at
            if await self._puts_off(staged[0].row.logged_at):
                return False
        if staged:
            await self._insert(staged, head.epoch)
        await self._log.mark_indexed(end)
        return True

    async def behind(self) -> int:
        """How many entries of the log the index does not have yet; 0 while it is lost."""
        head, indexed = await self._log.head(), await self._log.indexed()
        return max(0, head.size - indexed.size) if indexed else 0

    async def _puts_off(self, oldest: datetime) -> bool:
        now = self._clock.now()
        if self._asked or now - oldest >= LONGEST_WAIT:
            return False
        # Between two large batches the inbox is empty for a moment.
        busy = self._busy_until is not None and now < self._busy_until
        return busy or bool(await self._inbox.length())

    async def _insert(self, staged: Sequence[StagedRow], epoch: int) -> None:
        tied = {name for each in staged for name in each.tied}
        gone = await self._keys.destroyed(tied)
        tag = await self._tags.tagger(self._clock.now())
        changed = [each for each in staged if not gone.isdisjoint(each.tied)]
        if changed:
            await self._entries.keep_ids({each.row.index: each.row.event_id for each in changed})
        rows = [_without(each, gone, tag) for each in staged]
        if refused := await self._entries.add(rows, epoch):
            await self._add_doubles(refused, epoch, tag)
        for name in sorted(await self._keys.destroyed(tied - gone)):
            await self._entries.forget(file_of(name), tag, self._keys.destroyed)

    async def _add_doubles(self, rows: Sequence[IndexRow], epoch: int, tag: Tagger) -> None:
        """Entries whose event has another row, because somebody edited the index."""
        ids = [row.event_id for row in rows]
        earlier = await self._entries.indexes_of(ids, rows[-1].index)
        for row in rows:
            detail = f"entry {row.index} holds the same event as entry {earlier.get(row.event_id)}"
            await self._alarms.raise_alarm("tree_mismatch", f"entry:{row.index}", detail)
        told = [row.under(unnamed(row.index)) for row in rows]
        await self._entries.add([replace(row, tag=tag(row)) for row in told], epoch)


def _without(staged: StagedRow, gone: AbstractSet[str], tag: Tagger) -> IndexRow:
    """The row without records that were destroyed since the entry was sealed; without facts if
    nothing else is left that it relates to."""
    row = staged.row
    if row.facts is None or not any(name in gone for name in staged.tied):
        return row
    row = replace(row, facts=remaining(row.facts, gone))
    return replace(row, tag=tag(row))


class FollowedLog(Followed):
    """`Followed`. `hurry` is called while somebody waits.

    `patience` is shorter than callers wait for an answer (5 s in `runtime.peers`).
    """

    def __init__(
        self,
        log: Log,
        hurry: Callable[[], None],
        *,
        patience: timedelta = timedelta(seconds=4),
        pause: timedelta = timedelta(seconds=0.02),
    ) -> None:
        self._log = log
        self._hurry = hurry
        self._patience = patience
        self._pause = pause

    async def head(self) -> Indexed:
        wanted = (await self._log.head()).size
        deadline = asyncio.get_running_loop().time() + self._patience.total_seconds()
        while True:
            indexed = await self._log.indexed()
            if indexed is None:
                raise IndexLostError
            if indexed.size >= wanted or asyncio.get_running_loop().time() > deadline:
                return indexed
            self._hurry()
            await asyncio.sleep(self._pause.total_seconds())

    async def check(self) -> None:
        if await self._log.indexed() is None:
            raise IndexLostError

    async def complete(self) -> Indexed:
        wanted = (await self._log.head()).size
        indexed = await self.head()
        if indexed.size < wanted:
            raise IndexBehindError
        return indexed
