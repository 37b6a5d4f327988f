"""The log itself: its head, and what the object store does not have yet."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from direct311.audit.index_row import IndexRow
from direct311.runtime.errors import RefusedError
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


class IndexLostError(RefusedError):
    """The query index is lost or is being rebuilt: it cannot say what the log has."""

    def __init__(self) -> None:
        super().__init__(
            "index_rebuilding",
            "The index is being rebuilt from the log. Nothing is lost; try again later.",
            retry_after=30,
        )


class IndexBehindError(RefusedError):
    """The query index does not have the newest entries of the log yet."""

    def __init__(self) -> None:
        super().__init__(
            "index_rebuilding",
            "The index does not have the newest entries yet. Nothing is lost; try again.",
            retry_after=5,
        )


@dataclass(frozen=True, slots=True)
class Indexed:
    """How far the query index has the log: it has every entry below `size`. `since`: the time from
    which it counts as complete."""

    size: int
    since: datetime


@dataclass(frozen=True, slots=True)
class StagedRow:
    """A row on its way into the query index. `tied`: the names of the keys that its entry was
    sealed under; what the row says disappears with them."""

    row: IndexRow
    tied: tuple[str, ...] = ()


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
    query index (`Entries`) is not part of the log, and can be rebuilt from edge and store. It
    follows the log: until it has an entry, the edge keeps the entry's row beside the sealed bytes.
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
        """The events that have an entry below `size`, according to the query index. It does not
        know those that it does not have yet (`unindexed`)."""
        ...

    async def indexed(self) -> Indexed | None:
        """How far the query index has the log; `None` if it is not complete up to there.

        Two things show it: a marker that is in the index and disappears with it, and the last entry
        that it should have. A single removed entry does not show here; `IndexWatch` finds it.
        """
        ...

    async def mark_whole(self, at: datetime, size: int) -> None:
        """The query index has every entry below `size`."""
        ...

    async def mark_lost(self) -> None:
        """From now on `indexed` is `None`."""
        ...

    async def unindexed(
        self, start: int, size: int, limit: int | None = None
    ) -> tuple[Sequence[StagedRow], int]:
        """Rows of the entries [start, size) that the query index may lack, in order, and the entry
        up to which these are all: about `limit` entries after `start`, and not more than `size`,
        which is the head's."""
        ...

    async def mark_indexed(self, size: int) -> None:
        """The query index has every entry below `size`, and the edge may forget their rows.

        :raises IndexLostError: the index lacks the last of them.
        """
        ...

    async def stage(
        self, epoch: int, rows: Sequence[StagedRow], tiles: Mapping[Tile, bytes]
    ) -> None:
        """Write entries and their rows to the edge, and full hash tiles, above the head, where
        nothing reads them yet.

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
        """The object store has all entries below `before`: the edge may forget those that the query
        index has too."""
        ...


class Followed(Protocol):
    """The log as far as the query index has it: what every question about entries goes by."""

    async def head(self) -> Indexed:
        """Waits a moment until the index has what the log has now; if it takes longer, returns how
        far it has come.

        :raises IndexLostError: the index cannot be used.
        """
        ...

    async def check(self) -> None:
        """:raises IndexLostError: the index cannot be used."""
        ...

    async def complete(self) -> Indexed:
        """The same, with everything that the log has now.

        :raises IndexLostError: the index cannot be used.
        :raises IndexBehindError: it took too long.
        """
        ...


class Beginnings(Protocol):
    """Whether there is a log at all."""

    async def exists(self) -> bool:
        """Whether the log was ever begun."""
        ...

    async def begin(self) -> None:
        """Make the empty head if there is none, for an index that was never lost."""
        ...
