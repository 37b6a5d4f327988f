"""Rebuilds the query index from the log itself: bundles in the store, the edge, and body keys.

A request for a rebuild leaves a document (`Rebuild`). A loop carries it out, in windows, and
resumes after a crash. In each window the sealed entries are hashed and compared with their leaf
tile, and the tree is grown from them just as when they were appended: its root must match each
locked checkpoint on the way, and the head at the end. Only then does the index count as complete
again. Until then the sequencer appends nothing and no question is answered.

The index is changed only where an entry is missing or wrong (`tags`). The bodies of these entries
are opened, which is an access: one event per window, durable before the keys are fetched. An entry
whose key is destroyed gets its index, its time and its event's id, which was kept when its record
was destroyed (`Entries.forgotten`), so that a repeat is still recognized.

What disclosure cases said about their exemption is stored beside the index, so it may be lost with
it. The entries of their events are opened too, also where the index is right, and their word is
noted again, in the order of the log.
"""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from direct311 import schemas
from direct311.audit.alarms.ports import Alarms
from direct311.audit.index.domain import Rebuild, unnamed
from direct311.audit.index.handlers.secrecy import CaseSecrecy
from direct311.audit.index.ports import Entries, FetchCursors, Progress
from direct311.audit.index_row import IndexRow, Tagger
from direct311.audit.log.domain import facts_of, key_names, without
from direct311.audit.log.handlers.files import LogFiles
from direct311.audit.log.handlers.keyring import BodyKey, KeyRing
from direct311.audit.log.handlers.tags import Tags, is_right
from direct311.audit.log.ports.files import Objects
from direct311.audit.log.ports.log import Head, Log, MissingTileError
from direct311.runtime.access.ledger import Access
from direct311.runtime.access.rules import Caller, RecordFacts
from direct311.runtime.clock import Clock
from direct311.runtime.errors import RefusedError
from direct311.runtime.vault.vault import DeniedError, Vault
from direct311.schemas import ALL, DecodeError, decode
from direct311.schemas.model import Model
from direct311.schemas.secrecy import NoticeError
from direct311.verifier.checkpoint import Trust, verify_checkpoint
from direct311.verifier.entry import Entry, EntryError, derive_entry_key
from direct311.verifier.event import Event
from direct311.verifier.merkle import Frontier, leaf_hash
from direct311.verifier.note import NoteError
from direct311.verifier.tiles import (
    WIDTH,
    Tile,
    TileError,
    entry_bundles,
    split_entries,
    split_hashes,
)

PURPOSE = "county_business"
FIELDS = ("audit_entry",)
OF_CASES = frozenset(kind.name for kind in ALL if kind.topic == "disclosure")
SELF = Caller("svc:audit", ("service",), authentication="service")


class LogBrokenError(Exception):
    """The log itself is damaged; the message says where."""


@dataclass(frozen=True, slots=True)
class _Window:
    """Entries [first, first + len(data)) and their hashes in the tree."""

    first: int
    data: Sequence[bytes]
    leaves: Sequence[bytes]


class Rebuilding:
    """Starts a rebuild, carries it out and reports its state."""

    BUNDLES = 8
    """In one window."""

    def __init__(
        self,
        *,
        progress: Progress,
        log: Log,
        entries: Entries,
        files: LogFiles,
        objects: Objects,
        keys: KeyRing,
        tags: Tags,
        vault: Vault,
        watch: FetchCursors,
        secrecy: CaseSecrecy,
        alarms: Alarms,
        trust: Trust,
        clock: Clock,
    ) -> None:
        self._progress = progress
        self._log = log
        self._entries = entries
        self._files = files
        self._objects = objects
        self._keys = keys
        self._tags = tags
        self._vault = vault
        self._watch = watch
        self._secrecy = secrecy
        self._alarms = alarms
        self._trust = trust
        self._clock = clock
        self._checkpoints: dict[int, tuple[bytes, str]] | None = None

    async def start(self, caller: Caller, reference: str) -> Rebuild:
        """Request a rebuild; returns the one in progress, if there is one."""
        while True:
            last = await self._progress.rebuild()
            if last is not None and last.state == "running":
                return last
            new = Rebuild(
                step=last.step + 1 if last else 1,
                reference=reference,
                started_by=caller.sub,
                started_at=self._clock.now(),
            )
            if await self._progress.keep_rebuild(last, new):
                return new

    async def state(self) -> Rebuild:
        """:raises RefusedError: there never was one."""
        found = await self._progress.rebuild()
        if found is None:
            raise RefusedError("not_found", "The index has never been rebuilt.")
        return found

    async def step(self) -> bool:
        """Do the next window of a requested rebuild; returns whether more is left."""
        work = await self._progress.rebuild()
        if work is None or work.state != "running":
            self._checkpoints = None
            return False
        try:
            done = await self._go_on(work)
        except LogBrokenError as error:
            await self._alarms.raise_alarm("tree_mismatch", f"entry:{work.next}", str(error))
            done = work.failed(str(error))
        except DeniedError as error:
            if error.retry_after:
                raise
            # The county's own rules lack the grant.
            done = work.failed(error.detail)
        if done.state != "running":
            done = done.finished(self._clock.now())
        kept = await self._progress.keep_rebuild(work, done.counted(work.step + 1))
        return kept and done.state == "running"

    async def _go_on(self, work: Rebuild) -> Rebuild:
        if work.size == 0:
            return await self._begin(work)
        head = await self._log.head()
        if work.next < work.size:
            return await self._window(work, head)
        return await self._finish(work, head)

    async def _begin(self, work: Rebuild) -> Rebuild:
        """Take the index away from sequencer and readers: in this order (see `sequence`)."""
        await self._log.mark_lost()
        head = await self._log.take_over()
        await self._log.sweep(head)
        signed = max(await self._stored_checkpoints(), default=0)
        if signed > head.size:
            raise LogBrokenError(
                f"entry {head.size}: the log ends before it, and a checkpoint under lock covers "
                f"{signed:,} entries"
            )
        if head.size:
            return work.sized(head.size)
        await self._log.mark_whole(self._clock.now(), 0)
        return work.done()

    async def _finish(self, work: Rebuild, head: Head) -> Rebuild:
        # If this was interrupted after the index was complete, the log has grown since.
        same = head.size == work.size
        root = head.root if same else await self._files.root(work.size, head)
        if Frontier(work.next, work.frontier).root != root:
            raise LogBrokenError(
                f"the {work.size:,} entries do not lead to the root of the log's head"
            )
        await self._log.take_over()
        # The fetches are read again from the services, as far back as they report.
        await self._watch.rewind()
        await self._log.mark_whole(self._clock.now(), work.size)
        return work.done()

    async def _window(self, work: Rebuild, head: Head) -> Rebuild:
        window = await self._read(work.next, min(work.size, work.next + self.BUNDLES * WIDTH), head)
        frontier = await self._grow(Frontier(work.next, work.frontier), window)
        tag = await self._tags.tagger(self._clock.now())
        end = window.first + len(window.data)
        there = {row.index: row for row in await self._entries.rows(window.first, end)}
        wrong = {
            index
            for index, leaf in enumerate(window.leaves, window.first)
            if not is_right(there.get(index), leaf, tag)
        }
        unknown = 0
        right = [row for index, row in there.items() if index not in wrong]
        cases = {row.index for row in right if row.facts and row.facts.event in OF_CASES}
        entries = await self._opened(work, window, sorted(wrong | cases))
        if wrong:
            rows = await self._rows([entries[index] for index in sorted(wrong)], window, right, tag)
            unknown = sum(row.facts is None and row.event_id == unnamed(row.index) for row in rows)
            await self._entries.restore(rows, head.epoch)
        await self._note_cases([entries[index] for index in sorted(entries)])
        return work.advanced(end, frontier.hashes, mended=len(wrong), unnamed=unknown)

    # --- the log

    async def _read(self, start: int, end: int, head: Head) -> _Window:
        """:raises LogBrokenError: a file is missing, broken, or does not match its leaf tile."""
        bundles = entry_bundles(end, start)
        parts = await asyncio.gather(*(self._bundle(bundle, head) for bundle in bundles))
        data = [entry for entries, _ in parts for entry in entries]
        return _Window(start, data, [leaf for _, leaves in parts for leaf in leaves])

    async def _bundle(self, bundle: Tile, head: Head) -> tuple[list[bytes], list[bytes]]:
        tile = Tile(0, bundle.index, bundle.width)
        first = bundle.index * WIDTH
        try:
            entries = split_entries(await self._files.read(bundle, head))
            stored = split_hashes(tile, await self._files.read(tile, head))
        except MissingTileError:
            says = f"entry {first}: {bundle.path} or {tile.path} is missing"
            raise LogBrokenError(says) from None
        except TileError:
            says = f"entry {first}: {bundle.path} or {tile.path} is broken"
            raise LogBrokenError(says) from None
        leaves = [leaf_hash(entry) for entry in entries]
        if leaves != stored:
            pairs = enumerate(zip(leaves, stored, strict=False))
            at = next(
                (at for at, (leaf, own) in pairs if leaf != own), min(len(leaves), tile.width)
            )
            raise LogBrokenError(f"entry {first + at}: {bundle.path} differs from {tile.path}")
        return entries, leaves

    async def _grow(self, frontier: Frontier, window: _Window) -> Frontier:
        """The tree with the window's entries; every checkpoint on the way must match it."""
        end = window.first + len(window.leaves)
        checkpoints = await self._stored_checkpoints()
        for size in sorted(size for size in checkpoints if frontier.size < size <= end):
            part = window.leaves[frontier.size - window.first : size - window.first]
            frontier = frontier.append(part).frontier
            root, path = checkpoints[size]
            if frontier.root != root:
                raise LogBrokenError(
                    f"the first {size:,} entries do not lead to the root of {path}"
                )
        return frontier.append(window.leaves[frontier.size - window.first :]).frontier

    async def _stored_checkpoints(self) -> Mapping[int, tuple[bytes, str]]:
        """Size → root and path of the locked checkpoints that a known key signed."""
        if self._checkpoints is None:
            found = {}
            for path in await self._objects.checkpoints():
                try:
                    note = (await self._objects.get(path)).decode()
                    checkpoint = verify_checkpoint(note, self._trust).checkpoint
                except (NoteError, UnicodeDecodeError):
                    # No known key signed it: the walk raises the alarm.
                    continue
                found[checkpoint.size] = (checkpoint.root, path)
            self._checkpoints = found
        return self._checkpoints

    # --- the rows

    async def _opened(
        self, work: Rebuild, window: _Window, wanted: Sequence[int]
    ) -> Mapping[int, "_Opened"]:
        """These entries with their events, as far as their keys still exist.

        :raises LogBrokenError: an entry does not contain what it should.
        """
        if not wanted:
            return {}
        entries = {index: Entry.parse(window.data[index - window.first]) for index in wanted}
        keys = await self._open(work, entries)

        def opened() -> dict[int, _Opened]:
            return {
                index: _Opened(index, entry, _event_in(index, entry, keys.get(entry.key_reference)))
                for index, entry in entries.items()
            }

        return await asyncio.to_thread(opened)

    async def _note_cases(self, entries: Sequence["_Opened"]) -> None:
        """What their events say about cases counts again; the others say nothing."""
        for each in entries:
            if each.event is not None:
                # It had no effect either when it arrived.
                with contextlib.suppress(NoticeError):
                    await self._secrecy.take(each.event)

    async def _rows(
        self,
        wrong: Sequence["_Opened"],
        window: _Window,
        right: Sequence[IndexRow],
        tag: Tagger,
    ) -> list[IndexRow]:
        """What the index should say about the wrong entries, in order."""
        known = await self._entries.forgotten(wrong[0].index, wrong[-1].index + 1)
        rows = [_row(each, window.leaves[each.index - window.first], known) for each in wrong]
        rows = await self._without_gone(rows)
        ids = {row.event_id for row in rows}
        rows += [row for row in right if row.event_id in ids]
        rows = await self._without_doubles(sorted(rows, key=lambda row: row.index), window.first)
        return [replace(row, tag=tag(row)) for row in rows]

    async def _open(self, work: Rebuild, entries: Mapping[int, Entry]) -> Mapping[bytes, BodyKey]:
        """The keys of these entries that still exist, after the access was recorded."""
        access = Access(
            SELF,
            action="key_use",
            purpose=PURPOSE,
            operation=f"rebuild of the index, entries {min(entries)} to {max(entries)}",
            fields=FIELDS,
            reference=work.reference,
            justification=f"The query index is being rebuilt; requested by {work.started_by}.",
            result_count=len(entries),
        )
        event_id, _ = await self._vault.authorise(access, RecordFacts())
        references = {entry.key_reference for entry in entries.values()}
        return await self._keys.for_reading(references, event_id, self._clock.now())

    async def _without_gone(self, rows: Sequence[IndexRow]) -> list[IndexRow]:
        """Destroying a record also removed its id from entries that relate to something else too;
        it stays removed."""
        names = [key_names(row.facts) for row in rows if row.facts]
        shared = {name for each in names if len(each) > 1 for name in each}
        gone = await self._keys.destroyed(shared)
        return [replace(row, facts=row.facts and without(row.facts, gone)) for row in rows]

    async def _without_doubles(self, rows: Sequence[IndexRow], before: int) -> list[IndexRow]:
        """An event with an earlier entry keeps its id there: the index has each id only once."""
        first = dict(await self._entries.indexes_of([row.event_id for row in rows], before))
        told = []
        for row in rows:
            earlier = first.setdefault(row.event_id, row.index)
            if earlier != row.index:
                detail = f"entry {row.index} holds the same event as entry {earlier}"
                await self._alarms.raise_alarm("tree_mismatch", f"entry:{row.index}", detail)
                told.append(row.under(unnamed(row.index)))
            else:
                told.append(row)
        return told


@dataclass(frozen=True, slots=True)
class _Opened:
    """An entry and its event; `None` if its key is destroyed."""

    index: int
    entry: Entry
    event: schemas.Event[Model] | None


def _event_in(index: int, entry: Entry, key: BodyKey | None) -> schemas.Event[Model] | None:
    """:raises LogBrokenError: the entry does not contain what it should."""
    if key is None:
        return None
    try:
        event = entry.open(derive_entry_key(key.key, entry.key_reference, entry.nonce))
        return decode(_headers(event), event.body)
    except (EntryError, DecodeError):
        raise LogBrokenError(f"entry {index} does not open with its key") from None


def _row(opened: _Opened, leaf: bytes, forgotten: Mapping[int, str]) -> IndexRow:
    index, entry = opened.index, opened.entry
    data = entry.encode()
    if opened.event is None:
        event_id = forgotten.get(index, unnamed(index))
        return IndexRow(index, event_id, entry.logged_at, data, leaf, None)
    # Its fetch may have been long ago: fetches that reconciliation does not learn about stay open.
    facts = facts_of(opened.event).without_fetch()
    return IndexRow(index, facts.event_id, entry.logged_at, data, leaf, facts)


def _headers(event: Event) -> dict[str, str]:
    return {
        "ce_specversion": "1.0",
        **{f"ce_{name}": value for name, value in event.attributes.items()},
    }
