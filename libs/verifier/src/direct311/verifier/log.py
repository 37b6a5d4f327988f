"""Verify a whole log, file by file, against its checkpoint and against older ones.

Every entry is hashed again and must lead to the signed root; so must every tile. If files were
changed, the report says which entry or tile was changed, and how. This works because entries and
leaf tiles hold the same hashes twice, and the tiles of level 1 summarize them a third time.
Whichever reading leads to the signed root is the true one, and whatever differs from it was
changed. If no reading does, somebody rewrote entries and tiles together, and older checkpoints
narrow down the place. The check needs about 100 bytes of memory per entry, to find entries that
appear twice.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Generic, TypeVar

from direct311.verifier.checkpoint import Checkpoint, SignedCheckpoint, Trust, verify_checkpoint
from direct311.verifier.difference import describe_difference
from direct311.verifier.entry import Entry, MalformedEntryError
from direct311.verifier.event import CLOCK_TOLERANCE
from direct311.verifier.merkle import HASH_SIZE, Frontier, leaf_hash
from direct311.verifier.note import NoteError
from direct311.verifier.report import Fault, Finding, Report, count
from direct311.verifier.tiles import (
    ENTRIES,
    HEIGHT,
    WIDTH,
    BrokenBundleError,
    Tile,
    entry_bundles,
    grown_tiles,
    hash_tiles,
    split_entries,
    split_hashes,
    subtree_root,
)

MAX_FINDINGS = 50
"""Beyond this number, findings are only counted."""

T = TypeVar("T")

Read = Callable[[str], bytes]
"""Returns a file of the log by its path; raises `FileNotFoundError` if there is none."""


def directory(root: Path) -> Read:
    """Read a log from files under a directory."""

    def read(path: str) -> bytes:
        try:
            return (root / path).read_bytes()
        except (IsADirectoryError, NotADirectoryError) as error:
            raise FileNotFoundError(path) from error

    return read


def verify_log(
    read: Read, trust: Trust, older: Sequence[str] = (), *, checkpoint: str | None = None
) -> Report:
    """Verify all files of a log up to a checkpoint, by default the log's own.

    `older` holds earlier checkpoints (signed notes) that other parties kept: the log must begin
    with each of them. For these, the log's own signature is enough; they need no cosignatures.
    """
    if checkpoint is None:
        try:
            checkpoint = read("checkpoint").decode()
        except FileNotFoundError:
            return Report((Finding(Fault.MISSING, "the log has no checkpoint"),))
        except UnicodeDecodeError:
            return Report((Finding(Fault.CHECKPOINT, "the checkpoint is not valid UTF-8"),))
    try:
        signed = verify_checkpoint(checkpoint, trust)
    except NoteError as error:
        return Report((Finding(Fault.CHECKPOINT, f"{error}; nothing else was checked"),))
    head = signed.checkpoint
    findings: list[Finding] = []
    prefixes = []
    for position, note in enumerate(older, 1):
        try:
            # The log must answer for whatever it signed, even before it had witnesses.
            each = verify_checkpoint(note, Trust(trust.log_keys)).checkpoint
        except NoteError as error:
            findings.append(Finding(Fault.CHECKPOINT, f"older checkpoint {position}: {error}"))
            continue
        findings += _compare_heads(each, head)
        if each.origin == head.origin and each.size < head.size:
            prefixes.append(each)
    walk = _Walk(_Files(read, head.size), {each.size for each in prefixes})
    walk.run()
    return _Judgement(walk, signed, prefixes, findings).report()


def _compare_heads(older: Checkpoint, head: Checkpoint) -> Iterator[Finding]:
    """How two signed checkpoints contradict each other, without looking at the entries."""
    if older.origin != head.origin:
        yield Finding(
            Fault.CHECKPOINT, f"an older checkpoint belongs to another log: {older.origin}"
        )
    elif older.size > head.size:
        yield Finding(
            Fault.ROLLED_BACK,
            f"the log ends before it with {count(head.size, 'entry')}, but a signed checkpoint "
            f"says that it had {older.size:,}: {older.size - head.size:,} are gone",
            head.size,
        )
    elif older.size == head.size and older.root != head.root:
        yield Finding(
            Fault.FORKED,
            f"two signed checkpoints over {count(head.size, 'entry')} have different roots: "
            "the log shows different histories to different readers",
        )


class _Files:
    """The files of a log of `size` entries."""

    def __init__(self, read: Read, size: int) -> None:
        self._read = read
        self.size = size

    def _content(self, tile: Tile) -> bytes | None:
        # A full tile may replace a partial one that was deleted.
        for each in dict.fromkeys((tile, tile.full)):
            try:
                return self._read(each.path)
            except FileNotFoundError:
                continue
        return None

    def hashes(self, tile: Tile) -> list[bytes] | None:
        """The hashes of a tile, as many as there are; None if the file is missing."""
        data = self._content(tile)
        if data is None:
            return None
        end = min(len(data), tile.width * HASH_SIZE)
        return [data[at : at + HASH_SIZE] for at in range(0, end, HASH_SIZE)]

    def entries(self, bundle: Tile) -> list[bytes] | None:
        """The entries of a bundle; None if the file is missing. Raises `BrokenBundleError`."""
        data = self._content(bundle)
        if data is None:
            return None
        entries = split_entries(data)
        return entries[: bundle.width] if len(entries) == WIDTH else entries


@dataclass(frozen=True, slots=True)
class _Sides(Generic[T]):
    """Two accounts of the same thing: the entries and the leaf tile."""

    by_entries: T
    by_tile: T


class _Walk:
    """One pass over all entries and leaf tiles, with what each says the leaves are.

    `full` holds the roots of the full bundles, and `kept` the leaf hashes of bundles in which the
    log, or an older checkpoint's log, ends. `differing` holds bundles whose two accounts differ,
    and `repeated` the entries (index, leaf hash) that may be in the log already. `readable` is how
    many entries at least one account gives without a gap.
    """

    def __init__(self, files: _Files, marks: set[int]) -> None:
        self.files = files
        self.findings: list[Finding] = []
        self.full: list[_Sides[bytes]] = []
        self.kept: dict[int, _Sides[list[bytes]]] = {}
        self.differing: list[Tile] = []
        self.repeated: list[tuple[int, bytes]] = []
        self.readable = 0
        self._ends = {size // WIDTH for size in (*marks, files.size)}
        self._seen: set[bytes] = set()
        self._last_logged_at: datetime | None = None

    def run(self) -> None:
        for bundle in entry_bundles(self.files.size):
            entries, stored = self._read(bundle)
            leaves = None if entries is None else [leaf_hash(entry) for entry in entries]
            if entries is not None and stored is not None and leaves == stored:
                self._inspect(entries, stored, bundle.index * WIDTH)
            elif leaves is not None and stored is not None:
                self.differing.append(bundle)
            by_entries, by_tile = _complete(leaves, bundle), _complete(stored, bundle)
            either = by_entries or by_tile
            if either is None:
                return
            self._keep(bundle, _Sides(by_entries or either, by_tile or either))

    def _read(self, bundle: Tile) -> tuple[list[bytes] | None, list[bytes] | None]:
        """A bundle's entries and the hashes of its leaf tile, as many as there are."""
        first = bundle.index * WIDTH
        tile = Tile(0, bundle.index, bundle.width)
        stored = self.files.hashes(tile)
        if stored is None:
            self.findings.append(Finding(Fault.MISSING, f"its tile {tile.path} is missing", first))
        try:
            entries = self.files.entries(bundle)
        except BrokenBundleError as error:
            pairs = zip(error.complete, stored or [], strict=False)
            whole = [leaf_hash(entry) == leaf for entry, leaf in pairs]
            at = whole.index(False) if False in whole else len(error.complete)
            says = f"from here on {bundle.path} is broken: a length was changed, or bytes are lost"
            self.findings.append(Finding(Fault.MALFORMED, says, first + at))
            return None, stored
        if entries is None:
            says = f"its bundle {bundle.path} is missing"
            self.findings.append(Finding(Fault.MISSING, says, first))
        return entries, stored

    def _inspect(self, entries: Sequence[bytes], leaves: Sequence[bytes], first: int) -> None:
        """Check entries that agree with their tile: format, time, repetition."""
        for index, data in enumerate(entries, first):
            try:
                logged_at = Entry.parse(data).logged_at
            except MalformedEntryError as error:
                self.findings.append(Finding(Fault.MALFORMED, str(error), index))
                continue
            last = self._last_logged_at
            if last is not None and logged_at < last - CLOCK_TOLERANCE:
                says = "its own time says that it was logged before the entry in front of it"
                self.findings.append(Finding(Fault.CLOCK, says, index))
            self._last_logged_at = logged_at
        for index, leaf in enumerate(leaves, first):
            if leaf[:8] in self._seen:
                self.repeated.append((index, leaf))
            self._seen.add(leaf[:8])

    def _keep(self, bundle: Tile, leaves: _Sides[list[bytes]]) -> None:
        self.readable += bundle.width
        if bundle.index in self._ends:
            self.kept[bundle.index] = leaves
        if bundle.width == WIDTH:
            root = subtree_root(leaves.by_tile)
            same = leaves.by_entries == leaves.by_tile
            self.full.append(_Sides(root if same else subtree_root(leaves.by_entries), root))


def _complete(hashes: list[bytes] | None, bundle: Tile) -> list[bytes] | None:
    if hashes is None or len(hashes) != bundle.width or len(hashes[-1]) != HASH_SIZE:
        return None
    return hashes


@dataclass(frozen=True, slots=True)
class _Reading:
    """One choice of account per bundle: roots, and leaves in bundles where a log ends."""

    full: list[bytes]
    ends: dict[int, list[bytes]]

    def root(self, size: int) -> bytes:
        """Root of the log's first `size` entries, read this way."""
        whole, rest = divmod(size, WIDTH)
        hashes = Frontier().append(self.full[:whole]).frontier.hashes
        if rest:
            hashes += Frontier().append(self.ends[whole][:rest]).frontier.hashes
        return Frontier(size, hashes).root


def _readings(walk: _Walk) -> Iterator[_Reading]:
    """Reads full bundles by their entries, by their leaf tiles, or by whichever of the two the tile
    above confirms. Reads the last bundle, which no tile above covers yet, by its entries or its
    tile."""
    parents: list[bytes] = []
    for tile in hash_tiles(walk.files.size):
        if tile.level == 1:
            row = walk.files.hashes(tile) or []
            parents += row + [b""] * (tile.width - len(row))
    by_entries = [root.by_entries for root in walk.full]
    by_tile = [root.by_tile for root in walk.full]
    by_parent = [
        root.by_entries if root.by_entries == parent else root.by_tile
        for root, parent in zip(walk.full, parents, strict=False)
    ]
    ends_by_entries = {index: leaves.by_entries for index, leaves in walk.kept.items()}
    ends_by_tile = {index: leaves.by_tile for index, leaves in walk.kept.items()}
    for full in (by_entries, by_tile, by_parent):
        yield _Reading(full, ends_by_entries)
        yield _Reading(full, ends_by_tile)


class _Judgement:
    """Finds the reading that the signed root confirms, and from it what was changed."""

    def __init__(
        self,
        walk: _Walk,
        signed: SignedCheckpoint,
        older: Sequence[Checkpoint],
        findings: list[Finding],
    ) -> None:
        self._walk = walk
        self._files = walk.files
        self._head = signed.checkpoint
        self._older = older
        self._findings = findings + walk.findings
        self._verified = [signed.says]
        self._notes = ["this check does not show what the entries say; receipts and bundles do"]

    def report(self) -> Report:
        head = self._head
        readings = list(_readings(self._walk))
        true = None
        if self._walk.readable == head.size:
            true = next((each for each in readings if each.root(head.size) == head.root), None)
        if true is None:
            self._bound(readings)
        else:
            self._judge_bundles(true)
            self._judge_tiles(true)
            self._judge_older(true)
        self._judge_repeated()
        if not self._findings:
            tiles = len(hash_tiles(head.size))
            self._verified.append(
                f"all entries were hashed again; they and {count(tiles, 'tile')} lead to its root"
            )
        if len(self._findings) > MAX_FINDINGS:
            rest = len(self._findings) - MAX_FINDINGS
            self._notes.append(f"{count(rest, 'further finding')} not shown")
        return Report(
            tuple(self._findings[:MAX_FINDINGS]), tuple(self._verified), tuple(self._notes)
        )

    def _judge_bundles(self, true: _Reading) -> None:
        """Report how bundles came to differ from their leaf tiles."""
        moved = False
        behind = 0
        for bundle in self._walk.differing:
            leaves = self._leaves(bundle)
            if _reads_so(true, bundle, leaves):
                self._compare(Tile(0, bundle.index, bundle.width), leaves)
            elif moved:
                behind += 1
            else:
                told, moved = self._describe(bundle)
                self._findings += told
                # If the bundle became shorter or longer, the next bundles have stayed in place.
                moved = moved and len(leaves) == bundle.width
        if behind:
            self._notes.append(
                f"{count(behind, 'later bundle')} differ too, as they must where entries have moved"
            )

    def _describe(self, bundle: Tile) -> tuple[list[Finding], bool]:
        # Entries may have moved across the bundle's ends, so look into its neighbors too.
        first = bundle.index * WIDTH
        window = entry_bundles(min(self._head.size, first + 2 * WIDTH), first)
        signed = [leaf for each in window for leaf in self._stored(each)]
        found = [leaf for each in window for leaf in self._leaves(each)]
        before = self._stored(Tile(ENTRIES, bundle.index - 1)) if bundle.index else []
        return describe_difference(signed, found, first, bundle.width, before)

    def _leaves(self, bundle: Tile) -> list[bytes]:
        try:
            return [leaf_hash(entry) for entry in self._files.entries(bundle) or []]
        except BrokenBundleError as error:
            return [leaf_hash(entry) for entry in error.complete]

    def _stored(self, bundle: Tile) -> list[bytes]:
        return self._files.hashes(Tile(0, bundle.index, bundle.width)) or []

    def _judge_tiles(self, true: _Reading) -> None:
        """Compare the tiles above the leaves with the hashes of the true entries."""
        above = grown_tiles(Frontier().append(true.full), {})
        for tile, data in above.items():
            self._compare(Tile(tile.level + 1, tile.index, tile.width), split_hashes(tile, data))

    def _compare(self, tile: Tile, true: Sequence[bytes]) -> None:
        stored = self._files.hashes(tile)
        span = 1 << HEIGHT * tile.level
        first = tile.index * WIDTH * span
        if stored is None:
            self._findings.append(Finding(Fault.MISSING, f"tile {tile.path} is missing", first))
            return
        stored += [b""] * (tile.width - len(stored))
        for position, (found, wanted) in enumerate(zip(stored, true, strict=True)):
            if found != wanted:
                index = first + position * span
                what = "this entry" if span == 1 else f"the {span:,} entries from here on"
                says = f"hash {position} of {tile.path} does not match {what}"
                self._findings.append(Finding(Fault.TILE, says, index))

    def _judge_older(self, true: _Reading) -> None:
        kept = 0
        for each in sorted(self._older, key=lambda each: each.size):
            if true.root(each.size) == each.root:
                self._verified.append(f"it begins with the {each.size:,} of an older checkpoint")
                kept = each.size
                continue
            says = (
                f"the log does not begin with the {count(each.size, 'entry')} that an older signed "
                "checkpoint covers: it shows different histories to different readers, which "
                f"diverge between entries {kept:,} and {each.size - 1:,}"
            )
            self._findings.append(Finding(Fault.FORKED, says))

    def _bound(self, readings: Sequence[_Reading]) -> None:
        """No reading leads to the signed root: report what is still known."""
        walk, size = self._walk, self._head.size
        if walk.readable < size:
            says = (
                "from here on neither entries nor tiles can be read, but the "
                f"checkpoint covers {count(size, 'entry')}"
            )
            self._findings.append(Finding(Fault.MISSING, says, walk.readable))
        else:
            says = "the files do not lead to the signed root: entries and tiles were rewritten"
            self._findings.append(Finding(Fault.REWRITTEN, says))
        for bundle in walk.differing:
            pairs = zip(self._leaves(bundle), self._stored(bundle), strict=False)
            same = [entry == leaf for entry, leaf in pairs]
            at = same.index(False) if False in same else len(same)
            says = "entry and leaf tile differ here, and neither leads to the signed root"
            self._findings.append(Finding(Fault.CHANGED, says, bundle.index * WIDTH + at))
        kept, lost = 0, size
        for each in self._older:
            if each.size <= walk.readable:
                if any(reading.root(each.size) == each.root for reading in readings):
                    kept = max(kept, each.size)
                else:
                    lost = min(lost, each.size)
        if self._older:
            self._notes.append(
                f"the older checkpoints show that the first {kept:,} entries are unchanged; the "
                f"first change lies between entries {kept:,} and {lost - 1:,}"
            )

    def _judge_repeated(self) -> None:
        """Report which entries appear twice, and where they appear first."""
        wanted = {leaf for _, leaf in self._walk.repeated}
        first: dict[bytes, int] = {}
        for bundle in entry_bundles(self._walk.readable) if wanted else []:
            for index, leaf in enumerate(self._leaves(bundle), bundle.index * WIDTH):
                if leaf in wanted:
                    first.setdefault(leaf, index)
        for index, leaf in self._walk.repeated:
            if first.get(leaf, index) < index:
                says = f"it repeats entry {first[leaf]}, byte for byte"
                self._findings.append(Finding(Fault.DOUBLED, says, index))


def _reads_so(reading: _Reading, bundle: Tile, leaves: Sequence[bytes]) -> bool:
    """Whether the reading takes these leaves for the bundle's."""
    if len(leaves) != bundle.width:
        return False
    if bundle.width == WIDTH:
        return reading.full[bundle.index] == subtree_root(leaves)
    return reading.ends[bundle.index] == leaves
