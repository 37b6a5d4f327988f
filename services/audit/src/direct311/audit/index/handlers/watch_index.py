"""Compares the query index with the tree, entry by entry, in endless rounds.

No key is fetched: the sealed entry in the index must have the hash that the tree has, and the
cleartext beside it must have the tag that the service gave it (`tags`). A round compares one
window, so that the walk costs next to nothing, and compares one locked checkpoint with the current
tree.
"""

from collections.abc import Sequence

from direct311.audit.alarms.ports import Alarms
from direct311.audit.index.ports import Entries, Progress
from direct311.audit.index_row import IndexRow, Tagger
from direct311.audit.log.handlers.files import LogFiles
from direct311.audit.log.handlers.tags import Tags, is_right
from direct311.audit.log.ports.files import Objects
from direct311.audit.log.ports.log import Head, Log, MissingTileError
from direct311.runtime.clock import Clock
from direct311.verifier.checkpoint import Trust, verify_checkpoint
from direct311.verifier.merkle import leaf_hash
from direct311.verifier.note import NoteError
from direct311.verifier.tiles import WIDTH, Tile, TileError, entry_bundles, split_hashes


class IndexWatch:
    """Walks the index. Run one at a time, by lease; two at a time compare the same entries."""

    BUNDLES = 8
    """In one round."""

    def __init__(
        self,
        *,
        progress: Progress,
        log: Log,
        entries: Entries,
        files: LogFiles,
        objects: Objects,
        tags: Tags,
        alarms: Alarms,
        trust: Trust,
        clock: Clock,
    ) -> None:
        self._progress = progress
        self._log = log
        self._entries = entries
        self._files = files
        self._objects = objects
        self._tags = tags
        self._alarms = alarms
        self._trust = trust
        self._clock = clock
        self._paths: Sequence[str] = ()

    async def step(self) -> None:
        """Compare the next window, and the next checkpoint. A mismatch is an alarm that names it.

        If the index is lost, that is the alarm, unless a rebuild was requested.
        """
        head = await self._log.head()
        indexed = await self._log.indexed()
        if indexed is None:
            await self._tell_lost(head)
            return
        walk = await self._progress.walk()
        start = walk.next if walk.next < indexed.size else 0
        end = min(indexed.size, start + self.BUNDLES * WIDTH)
        try:
            found = await self._compare(start, end, head)
        except (MissingTileError, TileError):
            says = f"a leaf tile of the entries {start} to {end - 1} is missing or broken"
            await self._alarms.raise_alarm("tree_mismatch", f"tiles:{start}", says)
            raise
        if found and await self._log.indexed() is None:
            # The index was removed in the meantime.
            return
        if found:
            index, says = found[0]
            more = f"; so are {len(found) - 1} more up to entry {found[-1][0]}" if found[1:] else ""
            detail = f"entry {index}: {says}{more}. `direct311 audit rebuild` repairs the index"
            await self._raise(f"entry:{index}", detail)
        path = await self._next_checkpoint(walk.checkpoint)
        if path is not None:
            await self._compare_checkpoint(path, head)
        ended = end >= indexed.size
        checked = path or ""
        await self._progress.keep_walk(
            walk.ended(checked, len(found)) if ended else walk.advanced(end, checked, len(found))
        )

    async def mismatches(self) -> int:
        """Mismatches found in the current walk, or in the previous one."""
        walk = await self._progress.walk()
        return max(walk.found, walk.found_before)

    async def _tell_lost(self, head: Head) -> None:
        asked = await self._progress.rebuild()
        if asked is None or asked.state != "running":
            says = "the query index is gone or not whole; nothing is appended and no question is "
            says += "answered until `direct311 audit rebuild` has made it again"
            await self._raise(f"index:{head.size}", says)

    async def _raise(self, about: str, detail: str) -> None:
        """Once a day, because repaired entries may be edited again."""
        today = f"{self._clock.now():%Y-%m-%d}"
        await self._alarms.raise_alarm("index_mismatch", f"{about} {today}", detail)

    async def _compare(self, start: int, end: int, head: Head) -> list[tuple[int, str]]:
        """What differs, by index, in words."""
        tag = await self._tags.tagger(self._clock.now())
        leaves: list[bytes] = []
        for bundle in entry_bundles(end, start):
            tile = Tile(0, bundle.index, bundle.width)
            leaves += split_hashes(tile, await self._files.read(tile, head))
        rows = {row.index: row for row in await self._entries.rows(start, end)}
        return [
            (index, says)
            for index, leaf in enumerate(leaves, start)
            if (says := _difference(rows.get(index), leaf, tag))
        ]

    async def _next_checkpoint(self, last: str) -> str | None:
        """The checkpoint after `last`; at the end the list is read again from its beginning."""
        if not self._paths or last >= self._paths[-1]:
            self._paths = await self._objects.checkpoints()
            last = ""
        return next((path for path in self._paths if path > last), None)

    async def _compare_checkpoint(self, path: str, head: Head) -> None:
        try:
            note = (await self._objects.get(path)).decode()
            checkpoint = verify_checkpoint(note, self._trust).checkpoint
        except (NoteError, UnicodeDecodeError):
            says = "no known key of this log signed the locked checkpoint"
        else:
            if checkpoint.size > head.size:
                says = f"the log had {checkpoint.size:,} entries and has {head.size:,}"
            elif await self._files.root(checkpoint.size, head) != checkpoint.root:
                says = f"the first {checkpoint.size:,} entries do not lead to the root signed then"
            else:
                return
        await self._alarms.raise_alarm("tree_mismatch", path, says)


def _difference(row: IndexRow | None, leaf: bytes, tag: Tagger) -> str | None:
    if row is None:
        return "it is missing from the index, or cannot be read there"
    if leaf_hash(row.data) != leaf:
        return "the index has a different entry than the log"
    if not is_right(row, leaf, tag):
        return "what the index says about it was changed"
    return None
