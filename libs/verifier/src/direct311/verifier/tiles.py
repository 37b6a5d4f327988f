"""C2SP tlog-tiles: names and contents of hash tiles and entry bundles.

    tile/<level>/<index>[.p/<width>]     up to 256 hashes of 32 bytes: complete subtrees of
                                         256**level leaves each
    tile/entries/<index>[.p/<width>]     up to 256 entries, each behind its length (16 bits,
                                         big-endian)

A tile that is not full yet is partial and carries its width. Full tiles never change.
Source: c2sp.org/tlog-tiles.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from direct311.verifier.merkle import HASH_SIZE, Growth, MemoryHashes, Node, tree_root

HEIGHT = 8
WIDTH = 1 << HEIGHT
ENTRIES = -1
"""Used as the level of a tile that is a bundle of entries."""

ENTRY_LIMIT = 0xFFFF
"""The longest entry that a bundle can hold, in bytes."""

_PATH = re.compile(r"tile/(entries|[0-9]{1,2})/((?:x[0-9]{3}/){0,5}[0-9]{3})(?:\.p/([0-9]{1,3}))?")


class TileError(ValueError):
    """A tile's name or content does not follow c2sp.org/tlog-tiles."""


class BrokenBundleError(TileError):
    """An entry bundle ends in the middle of an entry; `complete` holds the entries before it."""

    def __init__(self, complete: list[bytes]) -> None:
        super().__init__(f"the bundle breaks off in the middle of its entry {len(complete)}")
        self.complete = complete


@dataclass(frozen=True, slots=True)
class Tile:
    """The name of one tile. `level` 0 holds leaf hashes, `ENTRIES` the entries themselves."""

    level: int
    index: int
    width: int = WIDTH

    @property
    def path(self) -> str:
        level = "entries" if self.level == ENTRIES else str(self.level)
        rest, last = divmod(self.index, 1000)
        index = f"{last:03}"
        while rest:
            rest, last = divmod(rest, 1000)
            index = f"x{last:03}/{index}"
        width = "" if self.width == WIDTH else f".p/{self.width}"
        return f"tile/{level}/{index}{width}"

    @property
    def full(self) -> "Tile":
        """The full tile that this partial tile will become."""
        return replace(self, width=WIDTH)


def parse_path(path: str) -> Tile:
    """Read a tile's name. Raises `TileError` for any spelling that `Tile.path` would not give."""
    match = _PATH.fullmatch(path)
    if match is None:
        raise TileError("not the path of a tile")
    level, index, width = match.groups()
    tile = Tile(
        ENTRIES if level == "entries" else int(level),
        int(re.sub("[x/]", "", index)),
        WIDTH if width is None else int(width),
    )
    if tile.level > 63 or not tile.width or tile.path != path:
        raise TileError("not the path of a tile")
    return tile


# Which tiles exist


def hash_tiles(size: int, old: int = 0) -> list[Tile]:
    """The hash tiles that are new when a log grows from `old` to `size` leaves, lowest level
    first."""
    tiles = []
    level = 0
    while size >> HEIGHT * level:
        tiles += _row_of_tiles(level, old >> HEIGHT * level, size >> HEIGHT * level)
        level += 1
    return tiles


def entry_bundles(size: int, old: int = 0) -> list[Tile]:
    """The entry bundles that are new when a log grows from `old` to `size` entries."""
    return _row_of_tiles(ENTRIES, old, size)


def partial_tiles(size: int) -> list[Tile]:
    """The hash tiles of a tree that are not full: the only tiles that must be read again to grow
    the tree."""
    return [tile for tile in hash_tiles(size) if tile.width < WIDTH]


def _row_of_tiles(level: int, old: int, new: int) -> list[Tile]:
    if old == new:
        return []
    indexes = range(old // WIDTH, (new + WIDTH - 1) // WIDTH)
    return [Tile(level, index, min(WIDTH, new - index * WIDTH)) for index in indexes]


# Contents


def split_hashes(tile: Tile, data: bytes) -> list[bytes]:
    """The hashes of a hash tile. Raises `TileError` if it does not hold `tile.width` of them."""
    if len(data) != tile.width * HASH_SIZE:
        raise TileError(f"{tile.path} should hold {tile.width} hashes of {HASH_SIZE} bytes")
    return [data[at : at + HASH_SIZE] for at in range(0, len(data), HASH_SIZE)]


def join_entries(entries: Iterable[bytes]) -> bytes:
    """The content of an entry bundle. Raises `TileError` for an entry above `ENTRY_LIMIT`."""
    parts: list[bytes] = []
    for entry in entries:
        if len(entry) > ENTRY_LIMIT:
            raise TileError(f"an entry may be at most {ENTRY_LIMIT} bytes long")
        parts += (len(entry).to_bytes(2, "big"), entry)
    return b"".join(parts)


def split_entries(data: bytes) -> list[bytes]:
    """The entries of a bundle. Raises `BrokenBundleError` if a length runs past the end."""
    entries: list[bytes] = []
    at = 0
    while at < len(data):
        start = at + 2
        at = start + int.from_bytes(data[at:start], "big")
        if start > len(data) or at > len(data):
            raise BrokenBundleError(entries)
        entries.append(data[start:at])
    return entries


def grown_tiles(growth: Growth, partials: Mapping[Tile, bytes]) -> dict[Tile, bytes]:
    """The content of each hash tile that `growth` completes or begins.

    `partials` holds the contents of the old tree's `partial_tiles`.
    """
    tiles = {}
    for level, (first, hashes) in enumerate(growth.levels[::HEIGHT]):
        index, width = divmod(first, WIDTH)
        data = (partials[Tile(level, index, width)] if width else b"") + b"".join(hashes)
        for at in range(0, len(data), WIDTH * HASH_SIZE):
            part = data[at : at + WIDTH * HASH_SIZE]
            tiles[Tile(level, index, len(part) // HASH_SIZE)] = part
            index += 1
    return tiles


# Reading hashes out of tiles


def tile_for(node: Node, size: int) -> Tile:
    """The tile that gives a node's hash, in a tree of `size` leaves."""
    level, height = divmod(node.level, HEIGHT)
    index = (node.index << height) // WIDTH
    return Tile(level, index, min(WIDTH, (size >> HEIGHT * level) - index * WIDTH))


class TileHashes:
    """A `HashReader` over the tiles of a tree of `size` leaves.

    `read` returns a tile's content, which is not verified here.
    """

    def __init__(self, read: Callable[[Tile], bytes], size: int) -> None:
        self._read = read
        self._size = size

    def __call__(self, level: int, index: int, /) -> bytes:
        tile = tile_for(Node(level, index), self._size)
        hashes = split_hashes(tile, self._read(tile))
        count = 1 << level % HEIGHT
        start = index * count % WIDTH
        return subtree_root(hashes[start : start + count])


def subtree_root(hashes: Sequence[bytes]) -> bytes:
    """The root over neighboring hashes of one level."""
    return tree_root(MemoryHashes(hashes), len(hashes))
