"""The log itself: its head, and what the object store does not have yet."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from direct311.audit.index_row import IndexRow
from direct311.verifier.merkle import HASH_SIZE, Frontier
from direct311.verifier.tiles import Tile


class FencedError(Exception):
    """Another sequencer has taken over since this one last did."""


class StaleStageError(Exception):
    """Writes of an earlier sequencer are in the way."""


class KeyGoneError(Exception):
    """A record was destroyed while entries about it were on their way into the log."""


class MissingTileError(Exception):
    """The log does not have this tile, or not yet."""


class IndexLostError(Exception):
    """The query index is lost or is being rebuilt: it cannot say what the log has."""


@dataclass(frozen=True)
class Head:
    """The log's current state: it contains everything below `size`, and nothing else.

    `epoch` counts take-overs. `frontier` and `edge` (the tiles that are not full) are all that
    appending needs from the tree. `logged_at`: the time of the last entry. `offsets`: how far each
    topic is in the log, for human readers.
    """

    epoch: int = 0
    frontier: Frontier = field(default_factory=Frontier)
    edge: Mapping[Tile, bytes] = field(default_factory=dict)
    logged_at: datetime | None = None
    offsets: Mapping[str, int] = field(default_factory=dict)

    @property
    def last_leaf(self) -> bytes | None:
        """The last entry's hash; `None` if the log ends with a full tile, or is empty."""
        for tile, hashes in self.edge.items():
            if tile.level == 0:
                return hashes[-HASH_SIZE:]
        return None

    @property
    def size(self) -> int:
        return self.frontier.size

    @property
    def root(self) -> bytes:
        return self.frontier.root


class Log(Protocol):
    """The log's head in the database, and what the object store does not have yet.

    That is the log's *edge*: the sealed entries of bundles that are not full, or not written. The
    query index (`Entries`) is not part of the log, and can be rebuilt from edge and store.
    """

    async def take_over(self) -> Head:
        """Raise the epoch by one; from then on no earlier epoch can commit."""
        ...

    async def sweep(self, head: Head) -> None:
        """Remove what epochs lower than `head`'s staged at or above its size and never
        committed."""
        ...

    async def head(self) -> Head: ...

    async def known(self, event_ids: Sequence[str], size: int) -> set[str]:
        """The events that have an entry below `size`, according to the query index."""
        ...

    async def whole_since(self, head: Head) -> datetime | None:
        """The time since which the query index has all entries below the head; `None` if it does
        not.

        Two things show it: a marker that is in the index and disappears with it, and the last entry
        of the log. A single removed entry does not show here; `IndexWatch` finds it.
        """
        ...

    async def mark_whole(self, at: datetime) -> None: ...

    async def mark_lost(self) -> None:
        """From now on `whole_since` is `None`."""
        ...

    async def stage(
        self, epoch: int, rows: Sequence[IndexRow], tiles: Mapping[Tile, bytes]
    ) -> None:
        """Write entries (to index and edge) and full hash tiles above the head, where nothing reads
        them yet.

        :raises StaleStageError: an earlier epoch's write came in between.
        """
        ...

    async def move(self, old: Head, new: Head) -> None:
        """Make `new` the head if it is still `old`: the one step that commits.

        :raises FencedError: it is not, or another sequencer has raised the epoch.
        """
        ...

    async def waiting_tiles(self, after: int, size: int) -> Mapping[Tile, bytes]:
        """Hash tiles that became full when the log grew from `after` to `size` entries, and that
        are not known to be in the object store."""
        ...

    async def waiting_tile(self, tile: Tile) -> bytes | None: ...

    async def forget_tile(self, tile: Tile) -> None:
        """It is in the object store."""
        ...

    async def data(self, start: int, end: int) -> Sequence[bytes]:
        """The entries [start, end), sealed, from the edge.

        :raises MissingTileError: some are missing here, because the object store has them.
        """
        ...

    async def edge_start(self) -> int:
        """The first entry in the edge; the head's size or more if the edge is empty."""
        ...

    async def release(self, before: int) -> None:
        """The object store has all entries below `before`: the edge may forget them."""
        ...


class Beginnings(Protocol):
    """Whether there is a log at all."""

    async def exists(self) -> bool:
        """Whether the log was ever begun."""
        ...

    async def begin(self) -> None:
        """Make the empty head if there is none, for an index that was never lost."""
        ...
