"""RFC 6962 Merkle trees over SHA-256: hashes, proofs, and growth by whole batches.

A leaf is identified by its leaf hash (32 bytes). `Node(level, index)` is the root of the complete
subtree over leaves [index * 2**level, (index + 1) * 2**level). Only complete subtrees are stored;
every root and every proof combines at most a few dozen of them, read through a `HashReader`. The
`*_nodes` functions list them in advance, for callers that fetch asynchronously. Proofs are verified
by the algorithms of RFC 9162, section 2.1, which share no code with the functions that make proofs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import NamedTuple, Protocol

HASH_SIZE = 32
EMPTY_ROOT = sha256().digest()


class ProofError(ValueError):
    """A proof does not lead to the root it was checked against."""


@dataclass(frozen=True, slots=True)
class Node:
    """The complete subtree of `2**level` leaves that starts at leaf `index * 2**level`."""

    level: int
    index: int


class HashReader(Protocol):
    """Returns the hash (32 bytes) of a complete subtree."""

    def __call__(self, level: int, index: int, /) -> bytes: ...


def leaf_hash(data: bytes) -> bytes:
    """Hash of a leaf's data (RFC 6962, section 2.1)."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of an inner node (RFC 6962, section 2.1)."""
    return sha256(b"\x01" + left + right).digest()


# The subtrees that make up a root or a proof


def root_nodes(size: int) -> list[Node]:
    """The complete subtrees that a tree of `size` leaves consists of, left to right."""
    return _nodes_between(0, size)


def inclusion_nodes(index: int, size: int) -> list[Node]:
    """The nodes that `inclusion_proof` reads."""
    return [node for span in _inclusion_spans(index, size) for node in _nodes_between(*span)]


def consistency_nodes(old: int, size: int) -> list[Node]:
    """The nodes that `consistency_proof` reads."""
    return [node for span in _consistency_spans(old, size) for node in _nodes_between(*span)]


def _nodes_between(start: int, end: int) -> list[Node]:
    nodes = []
    while start < end:
        level = (end - start).bit_length() - 1
        if start:
            level = min(level, (start & -start).bit_length() - 1)
        nodes.append(Node(level, start >> level))
        start += 1 << level
    return nodes


def _split(start: int, end: int) -> int:
    """Where RFC 6962 splits a range: after the largest power of two below its length."""
    return start + (1 << ((end - start - 1).bit_length() - 1))


def _inclusion_spans(index: int, size: int) -> list[tuple[int, int]]:
    """PATH(index, D[size]) of RFC 6962, section 2.1.1, as ranges of leaves."""
    if not 0 <= index < size:
        raise ValueError("the index is not in the tree")
    start, end = 0, size
    spans = []
    while end - start > 1:
        middle = _split(start, end)
        if index < middle:
            spans.append((middle, end))
            end = middle
        else:
            spans.append((start, middle))
            start = middle
    return spans[::-1]


def _consistency_spans(old: int, size: int) -> list[tuple[int, int]]:
    """PROOF(old, D[size]) of RFC 6962, section 2.1.2, as ranges of leaves."""
    if not 0 <= old <= size:
        raise ValueError("the older tree is larger than the newer one")
    if old in (0, size):
        return []
    start, end = 0, size
    spans = []
    while end != old:
        middle = _split(start, end)
        if old <= middle:
            spans.append((middle, end))
            end = middle
        else:
            spans.append((start, middle))
            start = middle
    # The verifier knows the old root itself; the proof must contain any other last subtree.
    if start:
        spans.append((start, end))
    return spans[::-1]


# Making roots and proofs


def tree_root(read: HashReader, size: int) -> bytes:
    """Root of the tree's first `size` leaves."""
    return _span_root(read, 0, size)


def inclusion_proof(read: HashReader, index: int, size: int) -> list[bytes]:
    """Audit path of leaf `index` in the tree of `size` leaves, from its sibling upwards."""
    return [_span_root(read, *span) for span in _inclusion_spans(index, size)]


def consistency_proof(read: HashReader, old: int, size: int) -> list[bytes]:
    """Proof that the tree of `size` leaves begins with the tree of `old` leaves.

    Empty if the proof is trivial: `old` is 0 or `size`.
    """
    return [_span_root(read, *span) for span in _consistency_spans(old, size)]


def _span_root(read: HashReader, start: int, end: int) -> bytes:
    return _fold([read(node.level, node.index) for node in _nodes_between(start, end)])


def _fold(hashes: Sequence[bytes]) -> bytes:
    """The root over complete subtrees of decreasing size, left to right."""
    if not hashes:
        return EMPTY_ROOT
    folded = hashes[-1]
    for left in reversed(hashes[:-1]):
        folded = node_hash(left, folded)
    return folded


# Verifying proofs


def verify_inclusion(
    leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes
) -> None:
    """Check that the leaf with hash `leaf` is number `index` of the tree (RFC 9162, 2.1.3.2).

    Raises `ProofError` if it is not.
    """
    if not 0 <= index < size:
        raise ProofError(f"a tree of {size} entries has no entry {index}")
    position, last, folded = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise ProofError("the inclusion proof is longer than the tree is high")
        if position & 1 or position == last:
            folded = node_hash(sibling, folded)
            while position and not position & 1:
                position >>= 1
                last >>= 1
        else:
            folded = node_hash(folded, sibling)
        position >>= 1
        last >>= 1
    if last:
        raise ProofError("the inclusion proof is shorter than the tree is high")
    if folded != root:
        raise ProofError("the inclusion proof leads to another root")


def verify_consistency(
    old: int, size: int, proof: Sequence[bytes], old_root: bytes, root: bytes
) -> None:
    """Check that the tree of `size` leaves begins with that of `old` leaves (RFC 9162, 2.1.4.2).

    Raises `ProofError` if it does not.
    """
    if not 0 <= old <= size:
        raise ProofError(f"a tree of {size} entries cannot begin with {old} entries")
    if old in (0, size):
        if proof:
            raise ProofError("the consistency proof should be empty")
        if old_root != (root if old else EMPTY_ROOT):
            raise ProofError(f"the roots of the trees of {old} entries differ")
        return
    hashes = list(proof)
    if old & (old - 1) == 0:
        hashes.insert(0, old_root)
    if not hashes:
        raise ProofError("the consistency proof is empty")
    position, last = old - 1, size - 1
    while position & 1:
        position >>= 1
        last >>= 1
    folded_old = folded = hashes[0]
    for sibling in hashes[1:]:
        if last == 0:
            raise ProofError("the consistency proof is longer than the tree is high")
        if position & 1 or position == last:
            folded_old = node_hash(sibling, folded_old)
            folded = node_hash(sibling, folded)
            while position and not position & 1:
                position >>= 1
                last >>= 1
        else:
            folded = node_hash(folded, sibling)
        position >>= 1
        last >>= 1
    if last:
        raise ProofError("the consistency proof is shorter than the tree is high")
    if folded_old != old_root:
        raise ProofError("the consistency proof leads to another old root")
    if folded != root:
        raise ProofError("the consistency proof leads to another root")


# Growing a tree


class Row(NamedTuple):
    """Neighboring hashes of one level; `first` is the index of the first."""

    first: int
    hashes: list[bytes]


@dataclass(frozen=True, slots=True)
class Frontier:
    """The right edge of a tree: all that appending needs to know about the existing tree.

    `hashes` are the hashes of `root_nodes(size)`, in that order: at most 64, of 32 bytes each.
    """

    size: int = 0
    hashes: tuple[bytes, ...] = ()

    @property
    def root(self) -> bytes:
        return _fold(self.hashes)

    def append(self, leaf_hashes: Sequence[bytes]) -> "Growth":
        """Add leaves on the right; costs one hash per leaf, whatever the tree's size."""
        size = self.size + len(leaf_hashes)
        edge = dict(zip(root_nodes(self.size), self.hashes, strict=True))
        levels = []
        first, row = self.size, list(leaf_hashes)
        while row:
            levels.append(Row(first, row))
            if first & 1:
                row = [edge[Node(len(levels) - 1, first - 1)], *row]
            row = [node_hash(row[i], row[i + 1]) for i in range(0, len(row) - 1, 2)]
            first >>= 1
        for level, (first, row) in enumerate(levels):
            edge[Node(level, first + len(row) - 1)] = row[-1]
        return Growth(Frontier(size, tuple(edge[node] for node in root_nodes(size))), tuple(levels))


@dataclass(frozen=True, slots=True)
class Growth:
    """The result of appending: the new right edge and, level by level, each new complete
    subtree."""

    frontier: Frontier
    levels: tuple[Row, ...]


class MemoryHashes:
    """A `HashReader` over a tree in memory."""

    def __init__(self, leaf_hashes: Sequence[bytes]) -> None:
        self._levels = Frontier().append(leaf_hashes).levels

    def __call__(self, level: int, index: int, /) -> bytes:
        return self._levels[level].hashes[index]
