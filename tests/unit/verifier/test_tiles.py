"""Tiles and entry bundles: names, contents, which ones arise, reading through them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from direct311.verifier.merkle import (
    Frontier,
    MemoryHashes,
    Node,
    consistency_proof,
    inclusion_nodes,
    inclusion_proof,
    leaf_hash,
    tree_root,
)
from direct311.verifier.tiles import (
    ENTRIES,
    ENTRY_LIMIT,
    BrokenBundleError,
    Tile,
    TileError,
    TileHashes,
    entry_bundles,
    grown_tiles,
    hash_tiles,
    join_entries,
    parse_path,
    partial_tiles,
    split_entries,
    split_hashes,
    tile_for,
)
from tests.support.audit_log import grown_bundles

TILES = st.builds(Tile, st.integers(ENTRIES, 63), st.integers(0, 10**12), st.integers(1, 256))


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        (Tile(0, 0), "tile/0/000"),
        (Tile(1, 1_234_067), "tile/1/x001/x234/067"),
        (Tile(63, 999, 255), "tile/63/999.p/255"),
        (Tile(ENTRIES, 1000, 1), "tile/entries/x001/000.p/1"),
    ],
)
def test_paths_are_those_of_the_specification(tile: Tile, path: str) -> None:
    assert tile.path == path
    assert parse_path(path) == tile


@given(TILES)
def test_a_path_names_one_tile(tile: Tile) -> None:
    assert parse_path(tile.path) == tile


@pytest.mark.parametrize(
    "path",
    [
        "tile/0/0",
        "tile/0/0000",
        "tile/00/000",
        "tile/64/000",
        "tile/0/x000/000",
        "tile/0/001/000",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/000/",
        "/tile/0/000",
        "tile/8/0/000",
        "tile/data/000",
        "tile/0/\u0660\u0660\u0660",
        "tile/0/../000",
        "",
    ],
)
def test_other_spellings_are_no_paths(path: str) -> None:
    with pytest.raises(TileError):
        parse_path(path)


def test_the_tree_of_the_specification_has_the_tiles_that_it_lists() -> None:
    tiles = hash_tiles(70_000)
    assert sum(tile.level == 0 and tile.width == 256 for tile in tiles) == 273
    assert [tile for tile in tiles if tile.level or tile.width < 256] == [
        Tile(0, 273, 112),
        Tile(1, 0),
        Tile(1, 1, 17),
        Tile(2, 0, 1),
    ]
    assert hash_tiles(256) == [Tile(0, 0), Tile(1, 0, 1)]
    assert hash_tiles(0) == entry_bundles(0) == []
    assert entry_bundles(600, 500) == [Tile(ENTRIES, 1), Tile(ENTRIES, 2, 88)]
    assert partial_tiles(600) == [Tile(0, 2, 88), Tile(1, 0, 2)]


@given(st.lists(st.binary(max_size=300), max_size=256))
def test_entries_survive_a_bundle(entries: list[bytes]) -> None:
    assert split_entries(join_entries(entries)) == entries


def test_lengths_of_entries_are_big_endian_and_bounded() -> None:
    assert join_entries([b"ab", b""]) == b"\x00\x02ab\x00\x00"
    assert split_entries(join_entries([bytes(ENTRY_LIMIT)])) == [bytes(ENTRY_LIMIT)]
    with pytest.raises(TileError):
        join_entries([bytes(ENTRY_LIMIT + 1)])


@given(st.lists(st.binary(min_size=1, max_size=30), min_size=1, max_size=20), st.data())
def test_a_bundle_that_breaks_off_says_where(entries: list[bytes], data: st.DataObject) -> None:
    content = join_entries(entries)
    ends = [0]
    for entry in entries:
        ends.append(ends[-1] + 2 + len(entry))
    cut = data.draw(st.integers(1, len(content) - 1).filter(lambda each: each not in ends))
    with pytest.raises(BrokenBundleError) as error:
        split_entries(content[:cut])
    assert error.value.complete == entries[: sum(end <= cut for end in ends) - 1]


def test_a_tile_with_another_number_of_hashes_is_refused() -> None:
    assert split_hashes(Tile(0, 0, 2), bytes(64)) == [bytes(32)] * 2
    for size in (0, 63, 65, 96):
        with pytest.raises(TileError):
            split_hashes(Tile(0, 0, 2), bytes(size))


def test_a_log_grown_in_batches_has_the_same_tiles_as_one_written_at_once() -> None:
    entries = [number.to_bytes(4, "big") for number in range(66_000)]
    sizes = [1, 1, 255, 256, 257, 600, 65_535, 65_536, 66_000]
    tiles: dict[Tile, bytes] = {}
    bundles: dict[Tile, bytes] = {}
    frontier = Frontier()
    for size in sizes:
        old = frontier.size
        batch = entries[old:size]
        growth = frontier.append([leaf_hash(entry) for entry in batch])
        frontier = growth.frontier
        new_tiles = grown_tiles(growth, {tile: tiles[tile] for tile in partial_tiles(old)})
        last = bundles.get(Tile(ENTRIES, old // 256, old % 256), b"")
        new_bundles = grown_bundles(old, batch, last)
        assert sorted(new_tiles, key=str) == sorted(hash_tiles(size, old), key=str)
        assert list(new_bundles) == entry_bundles(size, old)
        tiles |= new_tiles
        bundles |= new_bundles
    once = Frontier().append([leaf_hash(entry) for entry in entries])
    assert {tile: tiles[tile] for tile in hash_tiles(66_000)} == grown_tiles(once, {})
    assert {each: bundles[each] for each in entry_bundles(66_000)} == grown_bundles(0, entries, b"")


LEAVES = [leaf_hash(number.to_bytes(4, "big")) for number in range(66_000)]
MEMORY = MemoryHashes(LEAVES)


@pytest.mark.parametrize("size", [1, 255, 256, 257, 511, 65_535, 65_536, 66_000])
def test_proofs_read_through_tiles_are_those_read_from_memory(size: int) -> None:
    tiles = grown_tiles(Frontier().append(LEAVES[:size]), {})
    read = TileHashes(lambda tile: tiles[tile], size)
    assert tree_root(read, size) == tree_root(MEMORY, size)
    for index in {0, size // 3, size - 1}:
        assert inclusion_proof(read, index, size) == inclusion_proof(MEMORY, index, size)
        assert consistency_proof(read, index, size) == consistency_proof(MEMORY, index, size)


def test_a_proof_needs_few_tiles_that_can_be_named_beforehand() -> None:
    size = 66_000
    tiles = grown_tiles(Frontier().append(LEAVES[:size]), {})
    needed = {tile_for(node, size) for node in inclusion_nodes(40_000, size)}
    assert len(needed) <= 6
    read = TileHashes(lambda tile: tiles[tile] if tile in needed else b"", size)
    assert inclusion_proof(read, 40_000, size) == inclusion_proof(MEMORY, 40_000, size)
    assert tile_for(Node(8, 3), size) == Tile(1, 0)
