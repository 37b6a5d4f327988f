"""The log in MongoDB.

log      two documents: `_id: head`, and `_id: indexed`, how far the query index has the log; the
         published checkpoint beside them (`mongo_published`)
edge     sealed entries that no full bundle in the object store has yet; a document for each
         staged batch (several for a large one), `_id`: index of the first, `end`: that behind
         the last; with `unindexed` and `rows`, what the query index will say, until it does
tiles    full hash tiles, `_id`: path; with `end` and `data` until the object store has them
entries  the query index (`index.adapters.mongo_index`), which follows; one document of it
         (`COMPLETENESS_MARKER`) goes when the collection goes

In `edge` and `tiles`, anything at or above the head's size is staged, and does not count.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

from pymongo import ReturnDocument

from direct311.audit.documents import insert_new
from direct311.audit.entry import Facts
from direct311.audit.index_row import IndexRow
from direct311.audit.log.adapters.mongo_inbox import offset_documents, offsets_of
from direct311.audit.log.ports.log import (
    FencedError,
    Head,
    Indexed,
    IndexLostError,
    MissingTileError,
    StagedRow,
    StaleStageError,
)
from direct311.runtime.storage.database import Collection, Database, Document, Index, MissingError
from direct311.verifier.merkle import Frontier, leaf_hash
from direct311.verifier.tiles import HEIGHT, WIDTH, Tile, parse_path

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

COMPLETENESS_MARKER = -1
"""`_id` of the document in the query index that marks it as complete. No query looks below 0."""

EDGE_BYTES = 8_000_000
"""Entries in one document of the edge; the database takes 16 MiB."""


class MongoLog:
    """`Log`. A take-over removes only documents of lower epochs: see `sequence`.

    Rows that this process staged are not read back: documents of the edge never change, except that
    they lose their rows.
    """

    IN_HAND = 12
    """How many documents' rows."""

    def __init__(self, database: Database) -> None:
        self._in_hand: dict[tuple[int, int], Sequence[StagedRow]] = {}
        self._committed: dict[int, Sequence[StagedRow]] = {}
        """Those that this process also committed, by their first entry: no other can be there."""
        self._heads: Collection = database["log"]
        self._entries: Collection = database["entries"]
        self._edge: Collection = database["edge"]
        self._tiles: Collection = database["tiles"]

    async def prepare(self) -> None:
        for collection in (self._tiles, self._edge):
            await collection.create_indexes([Index([("end", 1)], name="end")])
        await self._begin_following()

    async def _begin_following(self) -> None:
        """A log from before the index followed it has all of its entries in the index."""
        head = await self._heads.find_one({"_id": "head"}, {"size": 1})
        if head is not None:
            await self._heads.update_one(
                {"_id": "indexed"}, {"$setOnInsert": {"size": head["size"]}}, upsert=True
            )

    async def exists(self) -> bool:
        """Whether the log was ever begun."""
        return await self._heads.find_one({"_id": "head"}, {"_id": 1}) is not None

    async def begin(self) -> None:
        """Make the empty head if there is none, for an index that was never lost."""
        await self.mark_whole(_EPOCH, 0)
        await self._heads.update_one(
            {"_id": "head"}, {"$setOnInsert": {"epoch": 0, **head_fields(Head())}}, upsert=True
        )

    async def take_over(self) -> Head:
        document = await self._heads.find_one_and_update(
            {"_id": "head"}, {"$inc": {"epoch": 1}}, return_document=ReturnDocument.AFTER
        )
        return head_of(document)

    async def sweep(self, head: Head) -> None:
        earlier = {"epoch": {"$lt": head.epoch}}
        await self._entries.delete_many({"_id": {"$gte": head.size}, **earlier})
        await self._edge.delete_many({"end": {"$gt": head.size}, **earlier})
        await self._tiles.delete_many({"end": {"$gt": head.size}, **earlier})

    async def head(self) -> Head:
        return head_of(await self._heads.find_one({"_id": "head"}))

    async def known(self, event_ids: Sequence[str], size: int) -> set[str]:
        query = {"event_id": {"$in": list(event_ids)}}
        found = self._entries.find(query, {"event_id": 1})
        return {document["event_id"] async for document in found if document["_id"] < size}

    async def indexed(self) -> Indexed | None:
        place = await self._heads.find_one({"_id": "indexed"})
        if place is None:
            return None
        last = place["size"] - 1
        signs = self._entries.find(
            {"_id": {"$in": [COMPLETENESS_MARKER, last]}}, {"since": 1, "leaf": 1}
        )
        found = {document["_id"]: document async for document in signs}
        if COMPLETENESS_MARKER not in found or last not in found:
            return None
        if place.get("leaf", found[last].get("leaf")) != found[last].get("leaf"):
            return None
        return Indexed(place["size"], found[COMPLETENESS_MARKER]["since"])

    async def mark_whole(self, at: datetime, size: int) -> None:
        await self._heads.update_one({"_id": "indexed"}, {"$setOnInsert": {"size": 0}}, upsert=True)
        if size:
            await self.mark_indexed(size)
        await self._entries.update_one(
            {"_id": COMPLETENESS_MARKER}, {"$set": {"event_id": "mark", "since": at}}, upsert=True
        )

    async def mark_lost(self) -> None:
        await self._entries.delete_one({"_id": COMPLETENESS_MARKER})

    async def unindexed(
        self, start: int, size: int, limit: int | None = None
    ) -> tuple[Sequence[StagedRow], int]:
        if limit is not None and (here := self._unindexed_here(start, size, limit)):
            return here, start + len(here)
        within = {"_id": {"$lt": size}, "end": {"$gt": start}}
        # As in `data`: where documents overlap, that of the later epoch was committed. One whose
        # entries the index has counts too.
        found = self._edge.find(within, {"epoch": 1, "end": 1, "unindexed": 1}).sort("epoch", 1)
        parts = [document async for document in found]
        to = size
        if limit is not None and start + limit < size:
            # Preferably up to where a document ends.
            ends = (each["end"] for each in parts if each["end"] <= start + limit)
            to = max(ends, default=start + limit)
        chosen: dict[int, StagedRow | None] = {}
        for part in parts:
            if part["_id"] < to:
                chosen |= enumerate(await self._rows_of(part), part["_id"])
        rows = (chosen.get(index) for index in range(start, to))
        return [row for row in rows if row is not None], to

    def _unindexed_here(self, start: int, size: int, limit: int) -> Sequence[StagedRow]:
        """What `unindexed` returns, if this process committed it."""
        here: list[StagedRow] = []
        for rows in self._committed_here(start):
            if here and len(here) + len(rows) > limit:
                break
            here += rows
        return here[: size - start]

    async def _rows_of(self, part: Document) -> Sequence[StagedRow | None]:
        """The rows of a document of the edge; `None` for each that the index has."""
        if not part.get("unindexed"):
            return [None] * (part["end"] - part["_id"])
        if rows := self._in_hand.get((part["epoch"], part["_id"])):
            return rows
        document = await self._edge.find_one({"_id": part["_id"], "epoch": part["epoch"]})
        if document is None or "rows" not in document:
            return [None] * (part["end"] - part["_id"])
        return list(_staged_rows(document))

    async def mark_indexed(self, size: int) -> None:
        last = await self._entries.find_one({"_id": size - 1}, {"leaf": 1})
        if last is None:
            raise IndexLostError
        # First the rows: wherever the index is said to reach, nothing else says in cleartext what
        # it says.
        await self._edge.update_many(
            {"end": {"$lte": size}, "unindexed": True}, {"$unset": {"rows": "", "unindexed": ""}}
        )
        for name, rows in list(self._in_hand.items()):
            if rows[-1].row.index < size:
                self._let_go(name)
        await self._heads.update_one(
            {"_id": "indexed", "size": {"$lt": size}},
            {"$set": {"size": size, "leaf": last.get("leaf")}},
        )

    async def stage(
        self, epoch: int, rows: Sequence[StagedRow], tiles: Mapping[Tile, bytes]
    ) -> None:
        parts = list(_parts(rows))
        whole = await insert_new(self._edge, [_edge_document(epoch, part) for part in parts])
        if whole:
            self._in_hand |= {(epoch, part[0].row.index): part for part in parts}
            for name in list(self._in_hand)[: -self.IN_HAND]:
                self._let_go(name)
        if whole and tiles:
            documents = [
                {"_id": tile.path, "epoch": epoch, "end": _end(tile), "data": data}
                for tile, data in tiles.items()
            ]
            whole = await insert_new(self._tiles, documents)
        if not whole:
            raise StaleStageError

    async def move(self, old: Head, new: Head) -> None:
        result = await self._heads.update_one(
            {"_id": "head", "epoch": old.epoch, "size": old.size}, {"$set": head_fields(new)}
        )
        if not result.matched_count:
            raise FencedError
        self._committed |= {
            first: rows
            for (epoch, first), rows in self._in_hand.items()
            if epoch == old.epoch and old.size <= first < new.size
        }

    def _let_go(self, name: tuple[int, int]) -> None:
        del self._in_hand[name]
        self._committed.pop(name[1], None)

    def _committed_here(self, start: int) -> Iterator[Sequence[StagedRow]]:
        """Rows from `start`, document by document, as far as this process committed them."""
        for first, rows in sorted(self._committed.items()):
            if first + len(rows) <= start:
                continue
            if first > start:
                return
            yield rows[start - first :]
            start = first + len(rows)

    async def waiting_tiles(self, after: int, size: int) -> Mapping[Tile, bytes]:
        found = self._tiles.find({"end": {"$gt": after, "$lte": size}})
        return {parse_path(each["_id"]): bytes(each["data"]) async for each in found}

    async def waiting_tile(self, tile: Tile) -> bytes | None:
        document = await self._tiles.find_one({"_id": tile.path})
        return bytes(document["data"]) if document and "data" in document else None

    async def forget_tile(self, tile: Tile) -> None:
        # The document stays: a committed path stays taken, even for a sequencer that was stopped in
        # the middle of staging and resumes an hour later.
        await self._tiles.update_one({"_id": tile.path}, {"$unset": {"end": "", "data": ""}})

    async def data(self, start: int, end: int) -> Sequence[bytes]:
        here: list[bytes] = []
        for rows in self._committed_here(start):
            here += (each.row.data for each in rows[: end - start - len(here)])
            if len(here) == end - start:
                return here
        # A sequencer that was stopped while staging may leave a document below the head when it
        # resumes. Documents committed there, but not in the store yet, have a later epoch.
        within = {"_id": {"$lt": end}, "end": {"$gt": start}}
        found = self._edge.find(within, {"entries": 1}).sort("epoch", 1)
        entries: dict[int, bytes] = {}
        async for document in found:
            entries |= enumerate(map(bytes, document["entries"]), document["_id"])
        try:
            return [entries[index] for index in range(start, end)]
        except KeyError:
            raise MissingTileError from None

    async def edge_start(self) -> int:
        document = await self._edge.find_one({}, {"_id": 1}, sort=[("_id", 1)])
        return int(document["_id"]) if document else (await self.head()).size

    async def release(self, before: int) -> None:
        await self._edge.delete_many({"end": {"$lte": before}, "unindexed": {"$exists": False}})


def _parts(rows: Sequence[StagedRow]) -> Iterator[Sequence[StagedRow]]:
    """Splits rows so that each part fits into one document."""
    part: list[StagedRow] = []
    size = 0
    for at, staged in enumerate(rows, 1):
        part.append(staged)
        size += len(staged.row.data)
        if size >= EDGE_BYTES or at == len(rows):
            yield part
            part, size = [], 0


def _edge_document(epoch: int, part: Sequence[StagedRow]) -> Document:
    return {
        "_id": part[0].row.index,
        "epoch": epoch,
        "end": part[-1].row.index + 1,
        "entries": [each.row.data for each in part],
        "unindexed": True,
        "rows": [_row_document(each) for each in part],
    }


def _row_document(staged: StagedRow) -> Document:
    """A row without what the document has for all: its index, the sealed entry and its hash."""
    row = staged.row
    return {
        "event_id": row.event_id,
        "logged_at": row.logged_at,
        "tag": row.tag,
        "tied": list(staged.tied),
        "facts": row.facts.model_dump(exclude_defaults=True) if row.facts else None,
    }


def _staged_rows(document: Document) -> Iterator[StagedRow]:
    entries = map(bytes, document["entries"])
    for index, (data, told) in enumerate(
        zip(entries, document["rows"], strict=True), document["_id"]
    ):
        facts = Facts.model_validate(told["facts"]) if told["facts"] else None
        yield StagedRow(
            IndexRow(
                index,
                told["event_id"],
                told["logged_at"],
                data,
                leaf_hash(data),
                facts,
                bytes(told["tag"]),
            ),
            tuple(told["tied"]),
        )


def _end(tile: Tile) -> int:
    """How many entries the log has when the full tile is complete."""
    return (tile.index + 1) * WIDTH << HEIGHT * tile.level


def head_fields(head: Head) -> Document:
    """A head as a document, without its epoch."""
    return {
        "size": head.size,
        "root": head.root,
        "frontier": list(head.frontier.hashes),
        "edge": {tile.path: data for tile, data in head.edge.items()},
        "logged_at": head.logged_at,
        "offsets": offset_documents(head.offsets),
    }


def head_of(document: Document | None) -> Head:
    """:raises MissingError: there is no head."""
    if document is None:
        raise MissingError("the head of the log")
    return Head(
        document["epoch"],
        Frontier(document["size"], tuple(map(bytes, document["frontier"]))),
        {parse_path(path): bytes(data) for path, data in document["edge"].items()},
        document["logged_at"],
        offsets_of(document["offsets"]),
    )
