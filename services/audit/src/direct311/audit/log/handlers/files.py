"""The log's files as witnesses and verifiers read them, and proofs made from them.

Full files come from the object store. Growing files come from the database, never from the query
index: the edge of the tree is in the head document, so a checkpoint and the tiles that lead to it
always match. A partial tile is the beginning of the tile that replaces it, so those of earlier
checkpoints can be answered too.
"""

import asyncio
import contextlib
from collections.abc import Iterable, Mapping, Sequence

from direct311.audit.log.ports.files import Objects
from direct311.audit.log.ports.log import Head, Log, MissingTileError
from direct311.verifier.merkle import (
    HASH_SIZE,
    Node,
    consistency_nodes,
    consistency_proof,
    inclusion_nodes,
    inclusion_proof,
    root_nodes,
    tree_root,
)
from direct311.verifier.tiles import (
    ENTRIES,
    HEIGHT,
    WIDTH,
    Tile,
    TileHashes,
    join_entries,
    split_entries,
    tile_for,
)


class LogFiles:
    """Reads tiles and makes proofs."""

    def __init__(self, log: Log, objects: Objects) -> None:
        self._log = log
        self._objects = objects

    async def read(self, tile: Tile, head: Head) -> bytes:
        """A tile or bundle of the log below `head`.

        :raises MissingTileError: the log does not reach that far.
        """
        level = max(tile.level, 0)
        if (tile.index * WIDTH + tile.width) << HEIGHT * level > head.size:
            raise MissingTileError
        if tile.level == ENTRIES:
            return await self._bundle(tile, head)
        return (await self._hashes(tile, head))[: tile.width * HASH_SIZE]

    async def _bundle(self, tile: Tile, head: Head) -> bytes:
        first = tile.index * WIDTH
        full = first + WIDTH <= head.size
        if full:
            # The store comes first: nobody can change what is there.
            with contextlib.suppress(MissingTileError):
                return await self._stored(tile)
        try:
            return join_entries(await self._log.data(first, first + tile.width))
        except MissingTileError:
            # It has been written since.
            return await self._stored(tile)

    async def _stored(self, tile: Tile) -> bytes:
        bundle = await self._objects.get(tile.full.path)
        return bundle if tile.width == WIDTH else join_entries(split_entries(bundle)[: tile.width])

    async def _hashes(self, tile: Tile, head: Head) -> bytes:
        """The tile, full or as far as it reaches at `head`."""
        for growing, data in head.edge.items():
            if growing.full == tile.full:
                return data
        waiting = await self._log.waiting_tile(tile.full)
        return waiting if waiting is not None else await self._objects.get(tile.full.path)

    async def inclusion(self, indexes: Iterable[int], head: Head) -> Mapping[int, list[bytes]]:
        """Audit paths of entries in the tree at `head`."""
        wanted = list(dict.fromkeys(indexes))
        nodes = [node for index in wanted for node in inclusion_nodes(index, head.size)]
        read = await self._reader(nodes, head.size, head)
        return {index: inclusion_proof(read, index, head.size) for index in wanted}

    async def consistency(self, old: int, new: int, head: Head) -> list[bytes]:
        """Proof that the tree of `new` entries (at most those of `head`) begins with `old`."""
        read = await self._reader(consistency_nodes(old, new), new, head)
        return consistency_proof(read, old, new)

    async def root(self, size: int, head: Head) -> bytes:
        """Root of the first `size` entries."""
        return tree_root(await self._reader(root_nodes(size), size, head), size)

    async def _reader(self, nodes: Sequence[Node], size: int, head: Head) -> TileHashes:
        tiles = list(dict.fromkeys(tile_for(node, size) for node in nodes))
        contents: dict[Tile, bytes] = {}
        for at in range(0, len(tiles), 16):
            part = tiles[at : at + 16]
            read = await asyncio.gather(*(self.read(tile, head) for tile in part))
            contents |= zip(part, read, strict=True)
        return TileHashes(contents.__getitem__, size)
