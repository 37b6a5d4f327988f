"""The audit service's ports in memory, held to the same contract as the real adapters."""

import asyncio
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from direct311.audit.disposition.domain.holds import LogHold
from direct311.audit.entry import Filter
from direct311.audit.index.domain import (
    CaseExemption,
    Dimension,
    Exempt,
    Group,
    IndexWalk,
    Rebuild,
)
from direct311.audit.index.ports import DestroyedKeys
from direct311.audit.index_row import EntrySummary, IndexRow, Tagger
from direct311.audit.log.domain import MOST_COUNTED, case_key, left_of
from direct311.audit.log.ports.files import ExistsOtherwiseError
from direct311.audit.log.ports.inbox import InboxBatch
from direct311.audit.log.ports.keys import StoredKey
from direct311.audit.log.ports.log import (
    FencedError,
    Head,
    Indexed,
    IndexLostError,
    MissingTileError,
    StagedRow,
    StaleStageError,
)
from direct311.audit.log.ports.publication import Publication
from direct311.audit.monitoring.domain.fetches import Fetch
from direct311.audit.monitoring.domain.numbers import Numbered
from direct311.audit.monitoring.ports import FetchPage
from direct311.audit.questions.ports import Persons
from direct311.verifier.tiles import HEIGHT, WIDTH, Tile, parse_path
from tests.unit.audit.index.grouping import keys_of


class InMemoryInbox:
    def __init__(self) -> None:
        self.batches: dict[str, InboxBatch] = {}

    async def put(self, batches: Sequence[InboxBatch]) -> None:
        self.batches |= {batch.id: batch for batch in batches}

    async def take(self, limit: int) -> Sequence[InboxBatch]:
        taken: list[InboxBatch] = []
        total = 0
        for name in sorted(self.batches):
            total += len(self.batches[name].queued_events)
            if taken and total > limit:
                break
            taken.append(self.batches[name])
        return taken

    async def discard(self, batch_ids: Sequence[str]) -> None:
        for name in batch_ids:
            self.batches.pop(name, None)

    async def length(self) -> int:
        return len(self.batches)

    async def oldest(self) -> datetime | None:
        return self.batches[min(self.batches)].arrived_at if self.batches else None


@dataclass
class _Tile:
    epoch: int
    end: int
    data: bytes | None


@dataclass
class _Entry:
    epoch: int
    row: IndexRow
    opened: bool | None = None


@dataclass
class _Edge:
    epoch: int
    end: int
    entries: list[bytes]
    rows: list[StagedRow] | None


class InMemoryLog:
    """`Log` and `Entries`; writing many documents pauses between them, as a server may."""

    def __init__(self) -> None:
        self.current = Head()
        self.entries: dict[int, _Entry] = {}
        self.tiles: dict[str, _Tile] = {}
        self.edge: dict[int, _Edge] = {}
        self.marker: datetime | None = datetime(2026, 1, 1, tzinfo=UTC)
        self.kept_ids: dict[int, str] = {}
        self.place = 0

    def drop_index(self) -> None:
        """As an administrator of the database may."""
        self.entries.clear()
        self.marker = None

    async def take_over(self) -> Head:
        self.current = replace(self.current, epoch=self.current.epoch + 1)
        return self.current

    async def sweep(self, head: Head) -> None:
        for index, entry in list(self.entries.items()):
            if index >= head.size and entry.epoch < head.epoch:
                del self.entries[index]
        for path, tile in list(self.tiles.items()):
            if tile.end > head.size and tile.epoch < head.epoch:
                del self.tiles[path]
        for first, part in list(self.edge.items()):
            if part.end > head.size and part.epoch < head.epoch:
                del self.edge[first]

    async def head(self) -> Head:
        return self.current

    async def known(self, event_ids: Sequence[str], size: int) -> set[str]:
        stored = {each.row.event_id for index, each in self.entries.items() if index < size}
        return stored & set(event_ids)

    async def stage(
        self, epoch: int, rows: Sequence[StagedRow], tiles: Mapping[Tile, bytes]
    ) -> None:
        whole = True
        await asyncio.sleep(0)
        if rows and rows[0].row.index in self.edge:
            raise StaleStageError
        if rows:
            entries = [each.row.data for each in rows]
            part = _Edge(epoch, rows[-1].row.index + 1, entries, list(rows))
            self.edge[rows[0].row.index] = part
        for tile, data in tiles.items():
            await asyncio.sleep(0)
            if tile.path in self.tiles:
                whole = False
            else:
                end = (tile.index + 1) * WIDTH << HEIGHT * tile.level
                self.tiles[tile.path] = _Tile(epoch, end, data)
        if not whole:
            raise StaleStageError

    async def move(self, old: Head, new: Head) -> None:
        if (self.current.epoch, self.current.size) != (old.epoch, old.size):
            raise FencedError
        self.current = new

    async def waiting_tiles(self, after: int, size: int) -> Mapping[Tile, bytes]:
        return {
            parse_path(path): tile.data
            for path, tile in self.tiles.items()
            if after < tile.end <= size and tile.data is not None
        }

    async def waiting_tile(self, tile: Tile) -> bytes | None:
        found = self.tiles.get(tile.path)
        return found.data if found else None

    async def forget_tile(self, tile: Tile) -> None:
        self.tiles[tile.path].data = None

    async def data(self, start: int, end: int) -> Sequence[bytes]:
        entries: dict[int, bytes] = {}
        for first, part in sorted(self.edge.items(), key=lambda each: each[1].epoch):
            entries |= enumerate(part.entries, first)
        if not entries.keys() >= set(range(start, end)):
            raise MissingTileError
        return [entries[index] for index in range(start, end)]

    async def edge_start(self) -> int:
        return min(self.edge, default=self.current.size)

    async def release(self, before: int) -> None:
        for first, part in list(self.edge.items()):
            if part.end <= before and part.rows is None:
                del self.edge[first]

    async def indexed(self) -> Indexed | None:
        if self.marker is None or (self.place and self.place - 1 not in self.entries):
            return None
        return Indexed(self.place, self.marker)

    async def mark_whole(self, at: datetime, size: int) -> None:
        if size:
            await self.mark_indexed(size)
        self.marker = at

    async def unindexed(
        self, start: int, size: int, limit: int | None = None
    ) -> tuple[Sequence[StagedRow], int]:
        to = size if limit is None else min(size, start + limit)
        found: dict[int, StagedRow | None] = {}
        for first, part in sorted(self.edge.items(), key=lambda each: each[1].epoch):
            rows: Sequence[StagedRow | None] = part.rows or [None for _ in part.entries]
            found |= enumerate(rows, first)
        chosen = (found.get(index) for index in range(start, to))
        return [row for row in chosen if row is not None], to

    async def mark_indexed(self, size: int) -> None:
        if size - 1 not in self.entries:
            raise IndexLostError
        for part in self.edge.values():
            if part.end <= size:
                part.rows = None
        await asyncio.sleep(0)
        self.place = max(self.place, size)

    async def mark_lost(self) -> None:
        self.marker = None

    # --- the meddler's part

    async def drop(self) -> None:
        self.drop_index()

    async def remove(self, index: int) -> None:
        del self.entries[index]

    async def edit(self, index: int, fields: Mapping[str, Any]) -> None:
        row = self.entries[index].row
        own = {name: value for name, value in fields.items() if name in _OF_ROWS}
        told = {name: value for name, value in fields.items() if name not in _OF_ROWS}
        facts = row.facts.model_copy(update=told) if row.facts and told else row.facts
        self.entries[index].row = replace(row, **{"facts": facts, **own})

    # --- Entries

    async def find(
        self,
        query: Filter,
        *,
        before: int,
        floor: int,
        limit: int,
        exempt: Exempt | None = None,
        oldest_first: bool = False,
    ) -> Sequence[IndexRow]:
        rows = [self.entries[index].row for index in range(before - 1, floor - 1, -1)]
        everything = query == Filter()
        fitting = [
            row
            for row in rows
            if (query.takes(row.facts, row.logged_at) if row.facts else everything)
            and (exempt is None or exempt.takes(row.facts))
        ]
        return (fitting[::-1] if oldest_first else fitting)[:limit]

    async def groups(
        self,
        query: Filter,
        by: Sequence[Dimension],
        *,
        before: int,
        floor: int,
        exempt: Exempt | None = None,
    ) -> Sequence[Group]:
        found: dict[tuple[str | None, ...], Group] = {}
        rows = await self.find(query, before=before, floor=floor, limit=before, exempt=exempt)
        for facts in (row.facts for row in rows if row.facts):
            for key in keys_of(facts, by):
                times = min(facts.count, MOST_COUNTED)
                one = Group(key, 1, facts.occurred_at, facts.occurred_at, times)
                found[key] = one.joined(found.get(key))
        return list(found.values())

    async def forget_rows(self, rows: Sequence[IndexRow], tag: Tagger) -> None:
        for row in rows:
            self.kept_ids[row.index] = row.event_id
            left = replace(row, facts=None)
            entry = self.entries[row.index]
            entry.row, entry.opened = replace(left, tag=tag(left)), None

    async def summaries(self, start: int, end: int) -> Sequence[EntrySummary]:
        rows = await self.rows(start, end)
        return [EntrySummary(row.index, row.event_id, row.logged_at, row.facts) for row in rows]

    async def by_event(self, event_id: str, size: int) -> IndexRow | None:
        for index, entry in self.entries.items():
            if entry.row.event_id == event_id and index < size:
                return entry.row
        return None

    async def first_logged(self, at: datetime, size: int) -> int:
        times = [self.entries[index].row.logged_at for index in range(size)]
        return next((index for index, logged in enumerate(times) if logged >= at), size)

    async def rows(self, start: int, end: int) -> Sequence[IndexRow]:
        return [self.entries[index].row for index in range(start, end) if index in self.entries]

    async def indexes_of(self, event_ids: Sequence[str], before: int) -> Mapping[str, int]:
        return {
            each.row.event_id: index
            for index, each in self.entries.items()
            if index < before and each.row.event_id in event_ids
        }

    async def add(self, rows: Sequence[IndexRow], epoch: int) -> Sequence[IndexRow]:
        refused = []
        for row in rows:
            await asyncio.sleep(0)
            if row.index in self.entries:
                continue
            if await self.indexes_of([row.event_id], rows[0].index):
                refused.append(row)
                continue
            opens = row.facts is not None and row.facts.opens
            self.entries[row.index] = _Entry(epoch, _kept(row), False if opens else None)
        return refused

    async def keep_ids(self, ids: Mapping[int, str]) -> None:
        self.kept_ids |= ids

    async def restore(self, rows: Sequence[IndexRow], epoch: int) -> None:
        ids = {row.event_id: row.index for row in rows}
        for index, each in list(self.entries.items()):
            if ids.get(each.row.event_id, index) != index:
                del self.entries[index]
        for row in rows:
            there = self.entries.get(row.index)
            if there is None or there.row != _kept(row):
                self.entries[row.index] = _Entry(epoch, _kept(row))

    async def forgotten(self, start: int, end: int) -> Mapping[int, str]:
        return {index: name for index, name in self.kept_ids.items() if start <= index < end}

    async def forget(self, record_id: str, tag: Tagger, destroyed: DestroyedKeys) -> int:
        count = 0
        for entry in self.entries.values():
            facts = entry.row.facts
            if facts is None or facts.event != "pii.accessed":
                continue
            gone = await destroyed([case_key(facts.case_id or "")])
            of_case = facts.case_id == record_id and gone and not facts.record_ids
            if record_id not in facts.record_ids and not of_case:
                continue
            kept = left_of(facts, record_id, gone)
            self.kept_ids[entry.row.index] = entry.row.event_id
            row = replace(entry.row, facts=kept)
            entry.row = replace(row, tag=tag(row))
            entry.opened = entry.opened if kept else None
            count += 1
        return count

    async def mark_opened(self, event_ids: Sequence[str], size: int) -> set[str]:
        found = set()
        for index, entry in self.entries.items():
            if entry.row.event_id in event_ids and index < size:
                entry.opened = True
                found.add(entry.row.event_id)
        return found

    async def not_opened(self, start: int, end: int, limit: int) -> tuple[int, list[str]]:
        ids = [
            each.row.event_id
            for index, each in self.entries.items()
            if each.opened is False and start <= index < end
        ]
        return len(ids), ids[:limit]

    async def opened(self, start: int, end: int) -> int:
        return sum(each.opened is True and start <= i < end for i, each in self.entries.items())


_OF_ROWS = ("event_id", "logged_at", "data", "leaf", "tag", "facts")


def _kept(row: IndexRow) -> IndexRow:
    """As a database gives it back: `opens` becomes the mark of reconciliation."""
    facts = row.facts.model_copy(update={"opens": False}) if row.facts else None
    return replace(row, facts=facts)


@dataclass
class InMemoryPublications:
    published: Publication | None = None

    async def latest(self) -> Publication | None:
        return self.published

    async def keep(self, publication: Publication) -> bool:
        if self.published is not None:
            there, new = self.published.head, publication.head
            if there.size > new.size or (there.size == new.size and there.root != new.root):
                return False
        self.published = publication
        return True


class InMemoryBodyKeys:
    def __init__(self) -> None:
        self.keys: dict[str, StoredKey] = {}
        self.fetches: list[tuple[str, str]] = []
        """Name of the key, id of the access event."""
        self.going: set[str] = set()

    async def named(self, names: Iterable[str]) -> Mapping[str, StoredKey]:
        return {name: self.keys[name] for name in names if name in self.keys}

    async def destroyed(self, names: Iterable[str]) -> set[str]:
        return {name for name in names if name in self.keys and not self.keys[name].wrapped}

    async def insert_new(self, keys: Sequence[StoredKey]) -> None:
        for key in keys:
            self.keys.setdefault(key.name, key)

    async def fetch_for(
        self, references: Iterable[bytes], event_id: str, at: datetime
    ) -> Mapping[bytes, StoredKey]:
        wanted = set(references)
        found = {key.reference: key for key in self.keys.values() if key.reference in wanted}
        self.fetches += [(key.name, event_id) for key in found.values()]
        return found

    async def months(self) -> Sequence[StoredKey]:
        found = [key for name, key in self.keys.items() if name.startswith("month:")]
        return sorted((key for key in found if key.wrapped), key=lambda key: key.name)

    async def being_destroyed(self) -> Sequence[StoredKey]:
        return [key for key in await self.months() if key.name in self.going]

    async def leave(self, name: str) -> None:
        self.going.add(name)

    async def stay(self, name: str) -> None:
        self.going.discard(name)

    async def destroy(self, record_id: str) -> bool:
        for name in (case_key(record_id), record_id):
            if name in self.keys:
                self.keys[name] = replace(self.keys[name], kek_id="", wrapped=b"")
        return record_id in self.keys


class InMemoryObjects:
    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    async def put_new(self, path: str, body: bytes, content_type: str, at: datetime) -> None:
        if self.objects.setdefault(path, body) != body:
            raise ExistsOtherwiseError(path)

    async def get(self, path: str) -> bytes:
        if path not in self.objects:
            raise MissingTileError(path)
        return self.objects[path]

    async def empty(self) -> bool:
        return "tile/0/000" not in self.objects

    async def checkpoints(self) -> Sequence[str]:
        return sorted(path for path in self.objects if path.startswith("checkpoint/"))


@dataclass
class InMemoryWatch:
    cursors: dict[str, datetime] = field(default_factory=dict)
    fetches: dict[str, Fetch] = field(default_factory=dict)
    places: dict[str, int] = field(default_factory=dict)

    async def cursor(self, service: str) -> datetime | None:
        return self.cursors.get(service)

    async def advance(self, service: str, at: datetime) -> None:
        self.cursors[service] = max(at, self.cursors.get(service, at))

    async def keep(self, fetches: Sequence[Fetch]) -> None:
        for fetch in fetches:
            self.fetches.setdefault(fetch.key, fetch)

    async def kept(self, after: str, limit: int) -> Sequence[Fetch]:
        return [self.fetches[key] for key in sorted(self.fetches) if key > after][:limit]

    async def overdue(self, before: datetime, limit: int) -> Sequence[Fetch]:
        found = [fetch for fetch in self.fetches.values() if fetch.at < before]
        return sorted(found, key=lambda fetch: fetch.at)[:limit]

    async def late(self, before: datetime) -> Mapping[str, int]:
        return Counter(fetch.service for fetch in await self.overdue(before, len(self.fetches)))

    async def drop(self, event_ids: Sequence[str]) -> None:
        for key, fetch in list(self.fetches.items()):
            if fetch.event_id in event_ids:
                del self.fetches[key]

    async def rewind(self) -> None:
        self.cursors.clear()

    async def place(self, name: str) -> int:
        return self.places.get(name, 0)

    async def move_place(self, name: str, index: int) -> None:
        self.places[name] = index


@dataclass
class InMemoryNumbers:
    states: dict[str, Numbered] = field(default_factory=dict)

    async def of(self, producers: Iterable[str]) -> Mapping[str, Numbered]:
        return {name: self.states[name] for name in producers if name in self.states}

    async def save(self, states: Sequence[Numbered]) -> None:
        self.states |= {state.producer: state for state in states}

    async def with_gaps(self) -> Sequence[Numbered]:
        return [state for state in self.states.values() if state.missing]


@dataclass
class InMemoryProgress:
    asked: Rebuild | None = None
    at: IndexWalk = field(default_factory=IndexWalk)

    async def rebuild(self) -> Rebuild | None:
        return self.asked

    async def keep_rebuild(self, old: Rebuild | None, new: Rebuild) -> bool:
        if old is not None and (self.asked is None or self.asked.step != old.step):
            return False
        if old is None and self.asked is not None:
            return False
        self.asked = new
        return True

    async def walk(self) -> IndexWalk:
        return self.at

    async def keep_walk(self, walk: IndexWalk) -> None:
        self.at = walk


@dataclass
class InMemoryCaseExemptions:
    """`CaseExemptions`."""

    said: dict[str, CaseExemption] = field(default_factory=dict)
    mattering: set[str] = field(default_factory=set)

    async def keep(self, said: CaseExemption, *, matters: bool) -> None:
        before = self.said.get(said.case_id)
        if before is None or before.version < said.version:
            self.said[said.case_id] = said
        if matters:
            self.mattering.add(said.case_id)

    async def that_matter(self) -> Sequence[CaseExemption]:
        return [self.said[case_id] for case_id in sorted(self.mattering)]

    async def of(self, case_ids: Collection[str]) -> Sequence[CaseExemption]:
        return [self.said[case_id] for case_id in case_ids if case_id in self.said]


@dataclass
class InMemoryFetches:
    service: str
    fetches: list[Fetch] = field(default_factory=list)
    confirmed: list[str] = field(default_factory=list)
    down: bool = False
    page: int = 1_000
    producers: tuple[str, ...] = ()

    async def after(self, at: datetime) -> FetchPage:
        if self.down:
            raise ConnectionRefusedError
        found = sorted((f for f in self.fetches if f.at > at), key=lambda fetch: fetch.at)
        return FetchPage(tuple(found[: self.page]), len(found) <= self.page, self.producers)

    async def confirm(self, fetches: Sequence[Fetch]) -> None:
        self.confirmed += [fetch.event_id for fetch in fetches]


@dataclass
class InMemoryAlarms:
    raised: list[tuple[str, str]] = field(default_factory=list)
    down: bool = False

    async def raise_alarm(self, kind: str, about: str, detail: str) -> None:
        if self.down:
            raise ConnectionRefusedError
        if (kind, about) not in self.raised:
            self.raised.append((kind, about))


@dataclass
class InMemoryPeople:
    """`records` of each person; `without_contact`: records of nobody that can be told; `senders`:
    how many others left contact data, by record."""

    records: dict[str, list[str]] = field(default_factory=dict)
    without_contact: set[str] = field(default_factory=set)
    senders: dict[str, int] = field(default_factory=dict)
    grouped: list[tuple[list[str], str, str]] = field(default_factory=list)
    asked: list[tuple[dict[str, str], str, str]] = field(default_factory=list)

    async def resolve(
        self, person: Mapping[str, str], reference: str, authorization: str
    ) -> Sequence[str]:
        self.asked.append((dict(person), reference, authorization))
        return self.records.get("".join(person.values()), [])

    async def group(self, record_ids: Sequence[str], reference: str, authorization: str) -> Persons:
        self.grouped.append((list(record_ids), reference, authorization))
        of = [[each for each in record_ids if each in mine] for mine in self.records.values()]
        without = [each for each in record_ids if each in self.without_contact]
        senders = {name: count for name, count in self.senders.items() if name in record_ids}
        return Persons([each for each in of if each], without, senders)


class InMemoryLogHolds:
    def __init__(self) -> None:
        self.holds: dict[str, LogHold] = {}

    async def add(self, hold: LogHold) -> None:
        self.holds[hold.hold_id] = hold

    async def replace(self, hold: LogHold) -> None:
        self.holds[hold.hold_id] = hold

    async def get(self, hold_id: str) -> LogHold | None:
        return self.holds.get(hold_id)

    async def all(self) -> Sequence[LogHold]:
        return list(self.holds.values())

    async def standing(self) -> Sequence[LogHold]:
        return [hold for hold in self.holds.values() if hold.released_at is None]
