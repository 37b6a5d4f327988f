"""Moves data to where nothing can be changed: full tiles, full bundles, hourly checkpoints.

Objects are written after the head has moved, from committed data, so that nothing that could still
be discarded is ever locked. Their contents follow from the log alone. Writing one again with the
same bytes changes nothing; an existing one with other bytes is an alarm. The database knows what is
waiting: after a crash between writing and noting it, it is written again. Entries come from the
edge and must match their tile's hashes, or nothing is locked; the edge forgets them once their
bundle is in the store.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import UTC, datetime

from direct311.audit.alarms.ports import Alarms
from direct311.audit.log.ports.files import ExistsOtherwiseError, Objects
from direct311.audit.log.ports.log import Head, Log, MissingTileError
from direct311.audit.log.ports.publication import NotPublishedError, Published
from direct311.runtime.clock import Clock
from direct311.verifier.merkle import leaf_hash
from direct311.verifier.tiles import (
    ENTRIES,
    WIDTH,
    Tile,
    TileError,
    join_entries,
    split_entries,
    split_hashes,
)

OCTETS = "application/octet-stream"
TEXT = "text/plain; charset=utf-8"


class Archive:
    """Writes the log's files. Run one at a time, by lease; two at a time write the same."""

    AT_ONCE = 8
    STRIDE = 4_096
    """How many entries' tiles are searched together."""

    def __init__(
        self, log: Log, objects: Objects, alarms: Alarms, published: Published, clock: Clock
    ) -> None:
        self._log = log
        self._objects = objects
        self._alarms = alarms
        self._published = published
        self._clock = clock
        self._written = 0
        self._released: int | None = None
        self._put_here: set[int] = set()
        self._hour: datetime | None = None

    async def step(self) -> None:
        """Write everything that is full and not written yet, and this hour's published
        checkpoint."""
        head = await self._log.head()
        for start in range(self._written, head.size, self.STRIDE):
            end = start + self.STRIDE
            waiting = await self._log.waiting_tiles(start, min(end, head.size))
            await self._write_all(list(waiting.items()))
            if end <= head.size:
                self._written = end
        await self._release(head)
        await self._write_checkpoint()

    async def _release(self, head: Head) -> None:
        """Let the edge forget the entries whose bundles are in the store.

        :raises MissingTileError: a bundle is neither in the store nor waiting to be written.
        """
        if self._released is None:
            self._released = await self._log.edge_start() // WIDTH
        before = self._released
        while self._released < head.size // WIDTH:
            if self._released not in self._put_here:
                await self._objects.get(Tile(ENTRIES, self._released).path)
            self._put_here.discard(self._released)
            self._released += 1
        if self._released > before:
            await self._log.release(self._released * WIDTH)

    async def _write_all(self, tiles: Sequence[tuple[Tile, bytes]]) -> None:
        for at in range(0, len(tiles), self.AT_ONCE):
            writing = (self._write(tile, data) for tile, data in tiles[at : at + self.AT_ONCE])
            for result in await asyncio.gather(*writing, return_exceptions=True):
                if isinstance(result, BaseException):
                    raise result

    async def _write(self, tile: Tile, data: bytes) -> None:
        at = self._clock.now()
        if tile.level == 0:
            await self._put(Tile(ENTRIES, tile.index).path, await self._bundle(tile, data), at)
            self._put_here.add(tile.index)
        await self._put(tile.path, data, at)
        await self._log.forget_tile(tile)

    async def _bundle(self, tile: Tile, hashes: bytes) -> bytes:
        """The entries of a leaf tile.

        :raises ExistsOtherwiseError: the database's entries differ from those in the tree.
        """
        path = Tile(ENTRIES, tile.index).path
        first = tile.index * WIDTH
        wanted = split_hashes(tile, hashes)
        entries: Sequence[bytes] = []
        with contextlib.suppress(MissingTileError):
            entries = await self._log.data(first, first + WIDTH)
        if [leaf_hash(entry) for entry in entries] == wanted:
            return join_entries(entries)
        # Another copy of the service may have written it, so that the edge has forgotten it.
        with contextlib.suppress(MissingTileError, TileError):
            stored = await self._objects.get(path)
            if [leaf_hash(entry) for entry in split_entries(stored)] == wanted:
                return stored
        pairs = zip(entries, wanted, strict=False)
        wrong = next((at for at, (entry, leaf) in enumerate(pairs) if leaf_hash(entry) != leaf), 0)
        detail = f"entry {first + wrong}: the database has no entry, or not the one that was logged"
        await self._alarms.raise_alarm("tree_mismatch", path, detail)
        raise ExistsOtherwiseError(path)

    async def _put(self, path: str, data: bytes, at: datetime) -> None:
        try:
            await self._objects.put_new(path, data, OCTETS, at)
        except ExistsOtherwiseError:
            await self._alarms.raise_alarm(
                "tree_mismatch", path, "the object store has a different file than the log"
            )
            raise

    async def _write_checkpoint(self) -> None:
        at = self._clock.now()
        hour = at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        if hour == self._hour:
            return
        try:
            published = await self._published.current()
        except NotPublishedError:
            return
        if not published.head.size:
            return
        # Another copy of the service may have written this hour's checkpoint at another size of the
        # log.
        with contextlib.suppress(ExistsOtherwiseError):
            await self._objects.put_new(
                f"checkpoint/{hour:%Y/%m/%dT%H}", published.note.encode(), TEXT, at
            )
        self._hour = hour
