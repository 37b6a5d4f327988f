"""RFC 6962 trees: known vectors, the RFC's own definitions, pymerkle, and damage."""

from collections.abc import Sequence
from hashlib import sha256

import pymerkle
import pytest
from hypothesis import given
from hypothesis import strategies as st

from direct311.verifier import merkle
from direct311.verifier.merkle import (
    EMPTY_ROOT,
    Frontier,
    MemoryHashes,
    ProofError,
    consistency_nodes,
    consistency_proof,
    inclusion_nodes,
    inclusion_proof,
    leaf_hash,
    node_hash,
    root_nodes,
    tree_root,
    verify_consistency,
    verify_inclusion,
)

# The eight leaves, and the roots of the trees over the first 0 to 8 of them, with which the
# implementations of Certificate Transparency are tested.
LEAVES = [
    bytes.fromhex(data)
    for data in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    bytes.fromhex(root)
    for root in (
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    )
]
NODE_1_0 = "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"
NODE_1_2 = "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a"
NODE_1_3 = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0"
NODE_2_0 = "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"
NODE_2_1 = "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"
LEAF_1 = "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7"
LEAF_2 = "0298d122906dcfc10892cb53a73992fc5b9f493ea4c9badb27b791b4127a7fe7"
LEAF_4 = "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"
NODE_1_1 = "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e"


def leaves(count: int) -> list[bytes]:
    return [leaf_hash(number.to_bytes(4, "big")) for number in range(count)]


# The definitions of RFC 6962, section 2.1, word for word


def mth(hashes: Sequence[bytes]) -> bytes:
    if len(hashes) < 2:
        return hashes[0] if hashes else sha256().digest()
    k = largest_power_below(len(hashes))
    return node_hash(mth(hashes[:k]), mth(hashes[k:]))


def path(m: int, hashes: Sequence[bytes]) -> list[bytes]:
    if len(hashes) == 1:
        return []
    k = largest_power_below(len(hashes))
    if m < k:
        return [*path(m, hashes[:k]), mth(hashes[k:])]
    return [*path(m - k, hashes[k:]), mth(hashes[:k])]


def subproof(m: int, hashes: Sequence[bytes], complete: bool) -> list[bytes]:
    if m == len(hashes):
        return [] if complete else [mth(hashes)]
    k = largest_power_below(len(hashes))
    if m <= k:
        return [*subproof(m, hashes[:k], complete), mth(hashes[k:])]
    return [*subproof(m - k, hashes[k:], False), mth(hashes[:k])]


def largest_power_below(n: int) -> int:
    k = 1
    while k * 2 < n:
        k *= 2
    return k


@pytest.mark.parametrize("size", range(9))
def test_roots_of_the_reference_leaves(size: int) -> None:
    hashes = [leaf_hash(data) for data in LEAVES[:size]]
    assert tree_root(MemoryHashes(hashes), size) == ROOTS[size]
    assert Frontier().append(hashes).frontier.root == ROOTS[size]


@pytest.mark.parametrize(
    ("index", "size", "expected"),
    [
        (0, 1, []),
        (0, 8, [LEAF_1, NODE_1_1, NODE_2_1]),
        (5, 8, [LEAF_4, NODE_1_3, NODE_2_0]),
        (2, 3, [NODE_1_0]),
        (
            1,
            5,
            ["6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d", NODE_1_1, LEAF_4],
        ),
    ],
)
def test_inclusion_proofs_of_the_reference_leaves(
    index: int, size: int, expected: list[str]
) -> None:
    read = MemoryHashes([leaf_hash(data) for data in LEAVES])
    proof = inclusion_proof(read, index, size)
    assert [each.hex() for each in proof] == expected
    verify_inclusion(leaf_hash(LEAVES[index]), index, size, proof, ROOTS[size])


@pytest.mark.parametrize(
    ("old", "size", "expected"),
    [
        (1, 1, []),
        (1, 8, [LEAF_1, NODE_1_1, NODE_2_1]),
        (6, 8, [NODE_1_2, NODE_1_3, NODE_2_0]),
        (2, 5, [NODE_1_1, LEAF_4]),
    ],
)
def test_consistency_proofs_of_the_reference_leaves(
    old: int, size: int, expected: list[str]
) -> None:
    read = MemoryHashes([leaf_hash(data) for data in LEAVES])
    proof = consistency_proof(read, old, size)
    assert [each.hex() for each in proof] == expected
    verify_consistency(old, size, proof, ROOTS[old], ROOTS[size])


def test_proofs_are_those_of_the_rfc_for_all_small_trees() -> None:
    for size in range(1, 40):
        hashes = leaves(size)
        read = MemoryHashes(hashes)
        assert tree_root(read, size) == mth(hashes)
        for index in range(size):
            assert inclusion_proof(read, index, size) == path(index, hashes)
            assert consistency_proof(read, index + 1, size) == subproof(index + 1, hashes, True)


@given(st.integers(1, 300).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n - 1))))
def test_every_inclusion_proof_verifies(drawn: tuple[int, int]) -> None:
    size, index = drawn
    hashes = leaves(size)
    read = MemoryHashes(hashes)
    verify_inclusion(
        hashes[index], index, size, inclusion_proof(read, index, size), tree_root(read, size)
    )


@given(st.integers(0, 300).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n))))
def test_every_consistency_proof_verifies(drawn: tuple[int, int]) -> None:
    size, old = drawn
    read = MemoryHashes(leaves(size))
    verify_consistency(
        old, size, consistency_proof(read, old, size), tree_root(read, old), tree_root(read, size)
    )


def flipped(data: bytes, bit: int) -> bytes:
    return bytes(byte ^ (1 << bit % 8) if at == bit // 8 else byte for at, byte in enumerate(data))


@given(st.integers(2, 300), st.data())
def test_any_flipped_bit_breaks_an_inclusion_proof(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    hashes = leaves(size)
    read = MemoryHashes(hashes)
    parts = [hashes[index], tree_root(read, size), *inclusion_proof(read, index, size)]
    damaged = data.draw(st.integers(0, len(parts) - 1))
    parts[damaged] = flipped(parts[damaged], data.draw(st.integers(0, 255)))
    with pytest.raises(ProofError):
        verify_inclusion(parts[0], index, size, parts[2:], parts[1])


@given(st.integers(2, 300), st.data())
def test_any_flipped_bit_breaks_a_consistency_proof(size: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(1, size))
    read = MemoryHashes(leaves(size))
    parts = [tree_root(read, old), tree_root(read, size), *consistency_proof(read, old, size)]
    damaged = data.draw(st.integers(0, len(parts) - 1))
    parts[damaged] = flipped(parts[damaged], data.draw(st.integers(0, 255)))
    with pytest.raises(ProofError):
        verify_consistency(old, size, parts[2:], parts[0], parts[1])


@given(st.integers(1, 300), st.data())
def test_a_proof_serves_no_other_index_and_no_other_length(size: int, data: st.DataObject) -> None:
    hashes = leaves(size)
    read = MemoryHashes(hashes)
    index = data.draw(st.integers(0, size - 1))
    other = data.draw(st.integers(0, size + 2).filter(lambda each: each != index))
    proof = inclusion_proof(read, index, size)
    root = tree_root(read, size)
    with pytest.raises(ProofError):
        verify_inclusion(hashes[index], other, size, proof, root)
    with pytest.raises(ProofError):
        verify_inclusion(hashes[index], index, size, [*proof, root], root)
    if proof:
        with pytest.raises(ProofError):
            verify_inclusion(hashes[index], index, size, proof[:-1], root)


def test_consistency_between_trees_that_are_none_is_refused() -> None:
    root = tree_root(MemoryHashes(leaves(4)), 4)
    for old, size, proof in ((5, 4, []), (-1, 4, []), (3, 4, []), (4, 4, [root]), (0, 4, [root])):
        with pytest.raises(ProofError):
            verify_consistency(old, size, proof, root, root)
    with pytest.raises(ProofError):
        verify_consistency(0, 4, [], root, root)
    verify_consistency(0, 4, [], EMPTY_ROOT, root)
    long = consistency_proof(MemoryHashes(leaves(4)), 3, 4)
    with pytest.raises(ProofError, match="longer"):
        verify_consistency(3, 4, [*long, root], tree_root(MemoryHashes(leaves(3)), 3), root)
    with pytest.raises(ProofError, match="shorter"):
        verify_consistency(3, 4, long[:-1], tree_root(MemoryHashes(leaves(3)), 3), root)


def test_what_does_not_lie_in_the_tree_has_no_proof() -> None:
    read = MemoryHashes(leaves(4))
    with pytest.raises(ValueError, match="index"):
        inclusion_proof(read, 4, 4)
    with pytest.raises(ValueError, match="older"):
        consistency_proof(read, 5, 4)


@given(st.lists(st.integers(0, 80), max_size=6))
def test_appending_in_batches_gives_the_same_tree_as_at_once(batches: list[int]) -> None:
    hashes = leaves(sum(batches))
    whole = Frontier().append(hashes)
    frontier = Frontier()
    seen: list[list[bytes]] = [[] for _ in whole.levels]
    for batch in batches:
        growth = frontier.append(hashes[frontier.size : frontier.size + batch])
        frontier = growth.frontier
        for level, (first, row) in enumerate(growth.levels):
            assert first == len(seen[level])
            seen[level] += row
    assert frontier == whole.frontier
    assert seen == [row.hashes for row in whole.levels]


@given(st.integers(1, 300), st.data())
def test_the_nodes_named_beforehand_are_all_that_is_read(size: int, data: st.DataObject) -> None:
    memory = MemoryHashes(leaves(size))
    index = data.draw(st.integers(0, size - 1))
    asked: set[tuple[int, int]] = set()

    def read(level: int, at: int) -> bytes:
        asked.add((level, at))
        return memory(level, at)

    for work, nodes in (
        (lambda: inclusion_proof(read, index, size), inclusion_nodes(index, size)),
        (lambda: consistency_proof(read, index, size), consistency_nodes(index, size)),
        (lambda: tree_root(read, size), root_nodes(size)),
    ):
        asked.clear()
        work()
        assert asked == {(node.level, node.index) for node in nodes}
        assert len(nodes) <= 2 * size.bit_length()


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 9, 100, 255, 256, 257, 300])
def test_roots_agree_with_pymerkle(size: int) -> None:
    other = pymerkle.InmemoryTree(algorithm="sha256")
    data = [number.to_bytes(4, "big") for number in range(size)]
    for each in data:
        other.append_entry(each)
    assert tree_root(MemoryHashes(leaves(size)), size) == other.get_root(size)


def test_appending_costs_one_hash_a_leaf_whatever_is_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hashed = 0

    def counted(left: bytes, right: bytes) -> bytes:
        nonlocal hashed
        hashed += 1
        return node_hash(left, right)

    frontier = Frontier().append(leaves(5_000)).frontier
    monkeypatch.setattr(merkle, "node_hash", counted)
    frontier.append(leaves(10_000))
    assert hashed <= 10_000 + 14
