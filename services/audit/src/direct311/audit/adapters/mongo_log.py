"""Inbox, log and query index in MongoDB.

inbox    parcels of events that are not in the log yet; `_id` sorts by arrival
log      one document, `_id: head`; the published checkpoint beside it (`mongo_published`)
edge     sealed entries that no full bundle in the object store has yet; a document for each staged
         batch (several for a large one), `_id`: index of the first, `end`: that behind the last
tiles    full hash tiles, `_id`: path; with `end` and `data` until the object store has them
entries  the query index: one document for each entry, `_id`: its index, and one (`MARK`) that goes
         when the collection goes
forgotten  the event's id of each entry whose facts went with its record, `_id`: its index

In `edge`, `tiles` and `entries`, what lies at or above the head's size is staged, and does not
count.
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from pymongo import DeleteOne, ReplaceOne, ReturnDocument, UpdateOne

from direct311.audit.adapters.mongo_entries import INDEXES, grouping, key_of, matching
from direct311.audit.domain import Dimension, Exempt, Facts, Filter, Group, unnamed
from direct311.audit.ports import (
    Arrival,
    FencedError,
    Head,
    MissingTileError,
    Parcel,
    Row,
    Sighting,
    StaleStageError,
    Tagger,
)
from direct311.runtime.errors import TransientError
from direct311.runtime.storage.database import (
    BulkError,
    Collection,
    Database,
    Document,
    DuplicateError,
    Index,
    MissingError,
)
from direct311.verifier.event import Event
from direct311.verifier.merkle import Frontier
from direct311.verifier.tiles import HEIGHT, WIDTH, Tile, parse_path

_DUPLICATE = 11000

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MARK = -1
"""`_id` of the document in the query index that says that it is whole. No query looks below 0."""

FORGOTTEN_AT_ONCE = 500

EDGE_BYTES = 8_000_000
"""Entries in one document of the edge; the database takes 16 MiB."""


async def insert_new(collection: Collection, documents: Sequence[Document]) -> bool:
    """Insert those whose keys are new; whether that was all of them."""
    try:
        await collection.insert_many(documents, ordered=False)
    except BulkError as error:
        if any(each.get("code") != _DUPLICATE for each in error.details["writeErrors"]):
            raise
        return False
    except DuplicateError:
        # How the local server tells of a second unique index, for the whole command.
        return False
    return True


class MongoInbox:
    """`Inbox`: one document for each parcel, a few hundred events in it, so that taking a thousand
    events in and out again costs a handful of writes.

    A parcel that this process has put in is not read back: documents here never change.
    """

    IN_HAND = 32

    def __init__(self, database: Database) -> None:
        self._parcels: Collection = database["inbox"]
        self._in_hand: dict[str, Parcel] = {}

    async def put(self, parcels: Sequence[Parcel]) -> None:
        await self._parcels.insert_many([_parcel_document(parcel) for parcel in parcels])
        self._in_hand |= {parcel.id: parcel for parcel in parcels}
        for name in list(self._in_hand)[: -self.IN_HAND]:
            del self._in_hand[name]

    async def take(self, limit: int) -> Sequence[Parcel]:
        chosen: list[str] = []
        total = 0
        async for document in self._parcels.find({}, {"count": 1}).sort("_id", 1):
            total += document["count"]
            if chosen and total > limit:
                break
            chosen.append(document["_id"])
        found = {name: self._in_hand[name] for name in chosen if name in self._in_hand}
        if missing := [name for name in chosen if name not in found]:
            async for document in self._parcels.find({"_id": {"$in": missing}}):
                found[document["_id"]] = _parcel(document)
        return [found[name] for name in chosen if name in found]

    async def discard(self, parcel_ids: Sequence[str]) -> None:
        await self._parcels.delete_many({"_id": {"$in": list(parcel_ids)}})
        for name in parcel_ids:
            self._in_hand.pop(name, None)

    async def length(self) -> int:
        # Counted: the server's own figure may be wrong for ever after it was killed.
        return await self._parcels.count_documents({})

    async def oldest(self) -> datetime | None:
        document = await self._parcels.find_one({}, {"arrived_at": 1}, sort=[("_id", 1)])
        return document["arrived_at"] if document else None


def _parcel_document(parcel: Parcel) -> Document:
    return {
        "_id": parcel.id,
        "arrived_at": parcel.arrived_at,
        "count": len(parcel.arrivals),
        "events": [
            {
                "attributes": each.event.attributes,
                "body": each.event.body,
                "keyid": each.event.keyid,
                "signature": each.event.signature,
                "facts": each.facts.model_dump(),
            }
            for each in parcel.arrivals
        ],
        "offsets": _offset_documents(parcel.offsets),
    }


def _parcel(document: Document) -> Parcel:
    arrivals = []
    for each in document["events"]:
        event = Event(
            **each["attributes"],
            body=bytes(each["body"]),
            keyid=each["keyid"],
            signature=bytes(each["signature"]),
        )
        arrivals.append(Arrival(event, Facts.model_validate(each["facts"])))
    return Parcel(
        document["_id"], document["arrived_at"], tuple(arrivals), _offsets(document["offsets"])
    )


def _offset_documents(offsets: Mapping[str, int]) -> list[Document]:
    # Names of topics hold dots, which names of fields may not.
    return [{"partition": name, "offset": offset} for name, offset in offsets.items()]


def _offsets(documents: Sequence[Document]) -> dict[str, int]:
    return {each["partition"]: each["offset"] for each in documents}


# ---------------------------------------------------------------- log


class MongoLog:
    """`Log`. Documents that a take-over removes are those of lower epochs alone: see `sequence`."""

    def __init__(self, database: Database) -> None:
        self._heads: Collection = database["log"]
        self._entries: Collection = database["entries"]
        self._edge: Collection = database["edge"]
        self._tiles: Collection = database["tiles"]

    async def prepare(self) -> None:
        for collection in (self._tiles, self._edge):
            await collection.create_indexes([Index([("end", 1)], name="end")])

    async def exists(self) -> bool:
        """Whether the log was ever begun."""
        return await self._heads.find_one({"_id": "head"}, {"_id": 1}) is not None

    async def begin(self) -> None:
        """Make the empty head where there is none, over an index that was never lost."""
        await self.mark_whole(_EPOCH)
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

    async def whole_since(self, head: Head) -> datetime | None:
        last = head.size - 1
        signs = self._entries.find({"_id": {"$in": [MARK, last]}}, {"since": 1, "leaf": 1})
        found = {document["_id"]: document async for document in signs}
        if MARK not in found or last not in found:
            return None
        if head.size and head.last_leaf not in (None, bytes(found[last].get("leaf", b""))):
            return None
        since: datetime = found[MARK]["since"]
        return since

    async def mark_whole(self, at: datetime) -> None:
        await self._entries.update_one(
            {"_id": MARK}, {"$set": {"event_id": "mark", "since": at}}, upsert=True
        )

    async def mark_lost(self) -> None:
        await self._entries.delete_one({"_id": MARK})

    async def stage(self, epoch: int, rows: Sequence[Row], tiles: Mapping[Tile, bytes]) -> None:
        whole = await insert_new(
            self._entries,
            [{"_id": row.index, "epoch": epoch, **_row_fields(row)} for row in rows],
        )
        if whole:
            whole = await insert_new(self._edge, list(_edge_documents(epoch, rows)))
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

    async def waiting_tiles(self, after: int, size: int) -> Mapping[Tile, bytes]:
        found = self._tiles.find({"end": {"$gt": after, "$lte": size}})
        return {parse_path(each["_id"]): bytes(each["data"]) async for each in found}

    async def waiting_tile(self, tile: Tile) -> bytes | None:
        document = await self._tiles.find_one({"_id": tile.path})
        return bytes(document["data"]) if document and "data" in document else None

    async def forget_tile(self, tile: Tile) -> None:
        # The document stays: a path once committed is taken, also for a sequencer that was stopped
        # in the middle of staging and goes on an hour later.
        await self._tiles.update_one({"_id": tile.path}, {"$unset": {"end": "", "data": ""}})

    async def data(self, start: int, end: int) -> Sequence[bytes]:
        # A sequencer that was stopped while staging may leave a document below the head when it
        # goes on. What was committed there, and is not in the store yet, is of a later epoch.
        found = self._edge.find({"_id": {"$lt": end}, "end": {"$gt": start}}).sort("epoch", 1)
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
        await self._edge.delete_many({"end": {"$lte": before}})


def _edge_documents(epoch: int, rows: Sequence[Row]) -> Iterator[Document]:
    part: list[bytes] = []
    size = 0
    for at, row in enumerate(rows, 1):
        part.append(row.data)
        size += len(row.data)
        if size >= EDGE_BYTES or at == len(rows):
            end = row.index + 1
            yield {"_id": end - len(part), "epoch": epoch, "end": end, "entries": part}
            part, size = [], 0


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
        "offsets": _offset_documents(head.offsets),
    }


def head_of(document: Document | None) -> Head:
    """:raises MissingError: there is none."""
    if document is None:
        raise MissingError("the head of the log")
    return Head(
        document["epoch"],
        Frontier(document["size"], tuple(map(bytes, document["frontier"]))),
        {parse_path(path): bytes(data) for path, data in document["edge"].items()},
        document["logged_at"],
        _offsets(document["offsets"]),
    )


def _row_fields(row: Row) -> Document:
    fields = row.facts.model_dump(exclude_defaults=True) if row.facts else {}
    if fields.pop("opens", False):
        fields["opened"] = False
    return {
        **fields,
        "event_id": row.event_id,
        "logged_at": row.logged_at,
        "data": row.data,
        "leaf": row.leaf,
        "tag": row.tag,
    }


_KEPT = {"_id", "epoch", "event_id", "logged_at", "data", "leaf", "tag"}
"""What stays of an entry's document when its record goes: the sealed leaf, and the event's id, so
that a repeated event is still known."""

_FORGOTTEN = {name: "" for name in (*Facts.model_fields, "opened") if name not in _KEPT}


def _facts(document: Document) -> Facts | None:
    return Facts.model_validate(document) if "actor" in document else None


def _row(document: Document) -> Row:
    return Row(
        document["_id"],
        document["event_id"],
        document["logged_at"],
        bytes(document["data"]),
        bytes(document["leaf"]),
        _facts(document),
        bytes(document.get("tag", b"")),
    )


def _told(document: Document) -> Document:
    """What an entry's document says, whoever wrote it and whatever was opened since."""
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in document.items()
        if name not in ("epoch", "opened")
    }


def _forgetting(document: Document, record_id: str, tag: Tagger) -> UpdateOne:
    """Without the record; without all that is in clear where it is about no other."""
    row = _row(document)
    left = tuple(each for each in document["record_ids"] if each != record_id)
    facts = row.facts.model_copy(update={"record_ids": left}) if row.facts and left else None
    change: Document = {"$set": {"tag": tag(replace(row, facts=facts))}}
    if facts:
        change["$set"]["record_ids"] = list(left)
    else:
        change["$unset"] = _FORGOTTEN
    # Only if it still is as it was seen, or it is found again: another record of the same entry may
    # go at the same time, and what was only staged may have been swept and sealed anew.
    seen = {name: document.get(name) for name in ("_id", "record_ids", "tag")}
    return UpdateOne(seen, change)


class MongoEntries:
    """`Entries` over the same documents."""

    def __init__(self, database: Database) -> None:
        self._entries: Collection = database["entries"]
        self._forgotten: Collection = database["forgotten"]

    async def prepare(self) -> None:
        await self._entries.create_indexes(
            [
                Index([("event_id", 1)], name="event", unique=True),
                *INDEXES,
                Index(
                    [("opened", 1), ("_id", 1)],
                    name="opened",
                    partialFilterExpression={"opened": {"$exists": True}},
                ),
            ]
        )

    async def find(
        self,
        query: Filter,
        *,
        before: int,
        floor: int,
        limit: int,
        exempt: Exempt | None = None,
        oldest_first: bool = False,
    ) -> Sequence[Row]:
        if not limit:
            return []
        found = self._entries.aggregate(
            [
                *matching(query, floor, before, exempt),
                {"$sort": {"_id": 1 if oldest_first else -1}},
                {"$limit": limit},
            ]
        )
        return [_row(document) async for document in found]

    async def sightings(self, start: int, end: int) -> Sequence[Sighting]:
        found = self._entries.find(
            {"_id": {"$gte": start, "$lt": end}}, {"data": 0, "leaf": 0, "epoch": 0}
        ).sort("_id", 1)
        return [
            Sighting(each["_id"], each["event_id"], each["logged_at"], _facts(each))
            async for each in found
        ]

    async def groups(
        self,
        query: Filter,
        by: Sequence[Dimension],
        *,
        before: int,
        floor: int,
        exempt: Exempt | None = None,
    ) -> Sequence[Group]:
        found = self._entries.aggregate([*matching(query, floor, before, exempt), *grouping(by)])
        return [
            Group(key_of(each, by), each["count"], each["first"], each["last"], each["times"])
            async for each in found
        ]

    async def forget_rows(self, rows: Sequence[Row], tag: Tagger) -> None:
        await self._keep_ids({row.index: row.event_id for row in rows})
        changes = [
            UpdateOne(
                {"_id": row.index},
                {"$set": {"tag": tag(replace(row, facts=None))}, "$unset": _FORGOTTEN},
            )
            for row in rows
        ]
        await self._entries.bulk_write(changes, ordered=False)

    async def by_event(self, event_id: str, size: int) -> Row | None:
        document = await self._entries.find_one({"event_id": event_id})
        return _row(document) if document and document["_id"] < size else None

    async def first_logged(self, at: datetime, size: int) -> int:
        low, high = 0, size
        while low < high:
            middle = (low + high) // 2
            document = await self._entries.find_one({"_id": middle}, {"logged_at": 1})
            if document is not None and document["logged_at"] >= at:
                high = middle
            else:
                low = middle + 1
        return low

    async def rows(self, start: int, end: int) -> Sequence[Row]:
        found = self._entries.find({"_id": {"$gte": start, "$lt": end}}).sort("_id", 1)
        rows = []
        async for document in found:
            # What is no row any more counts as missing.
            with contextlib.suppress(KeyError, TypeError, ValueError):
                rows.append(_row(document))
        return rows

    async def indexes_of(self, event_ids: Sequence[str], before: int) -> Mapping[str, int]:
        query = {"event_id": {"$in": list(event_ids)}, "_id": {"$gte": 0, "$lt": before}}
        found = self._entries.find(query, {"event_id": 1})
        return {document["event_id"]: int(document["_id"]) async for document in found}

    async def restore(self, rows: Sequence[Row], epoch: int) -> None:
        wanted = {row.index: {"_id": row.index, "epoch": epoch, **_row_fields(row)} for row in rows}
        span = {"_id": {"$gte": rows[0].index, "$lte": rows[-1].index}}
        for _ in range(3):
            there = {each["_id"]: each async for each in self._entries.find(span)}
            missing = [document for index, document in wanted.items() if index not in there]
            # Each only if it still is as it was seen: who was overtaken long ago changes nothing.
            # A row that loses its event to an earlier one goes first and comes anew: the local
            # server keeps the old key of a unique index when a document is replaced.
            other: list[ReplaceOne[Document] | DeleteOne] = []
            for index, document in wanted.items():
                seen = there.get(index)
                if seen is None or _told(seen) == _told(document):
                    continue
                if document["event_id"] == unnamed(index):
                    other.append(DeleteOne(seen))
                    missing.append(document)
                else:
                    other.append(ReplaceOne(seen, document))
            if not missing and not other:
                return
            if other:
                with contextlib.suppress(BulkError):
                    await self._entries.bulk_write(other, ordered=False)
            whole = await insert_new(self._entries, missing) if missing else True
            if other or not whole:
                await self._remove_strays(wanted)
        raise TransientError("the query index changes while it is mended")

    async def _remove_strays(self, wanted: Mapping[int, Document]) -> None:
        """Events that stand at another index than their own, or were staged and never committed."""
        own = {document["event_id"]: index for index, document in wanted.items()}
        found = self._entries.find({"event_id": {"$in": list(own)}}, {"event_id": 1})
        strays = [each["_id"] async for each in found if own[each["event_id"]] != each["_id"]]
        await self._entries.delete_many({"_id": {"$in": strays}})

    async def forget(self, record_id: str, tag: Tagger) -> int:
        about = {"record_ids": record_id, "event": "pii.accessed"}
        count = 0
        while True:
            found = self._entries.find(about).limit(FORGOTTEN_AT_ONCE)
            documents = [document async for document in found]
            if not documents:
                return count
            await self._keep_ids({each["_id"]: each["event_id"] for each in documents})
            changes = [_forgetting(document, record_id, tag) for document in documents]
            count += (await self._entries.bulk_write(changes, ordered=False)).modified_count

    async def _keep_ids(self, ids: Mapping[int, str]) -> None:
        """The last word counts: one that was staged there and never committed may have been
        forgotten before."""
        kept = [
            UpdateOne({"_id": index}, {"$set": {"event_id": event_id}}, upsert=True)
            for index, event_id in ids.items()
        ]
        await self._forgotten.bulk_write(kept, ordered=False)

    async def forgotten(self, start: int, end: int) -> Mapping[int, str]:
        found = self._forgotten.find({"_id": {"$gte": start, "$lt": end}})
        return {document["_id"]: document["event_id"] async for document in found}

    async def mark_opened(self, event_ids: Sequence[str], size: int) -> set[str]:
        found: dict[str, bool] = {}
        if event_ids:
            query = {"event_id": {"$in": list(event_ids)}}
            async for document in self._entries.find(query, {"event_id": 1, "opened": 1}):
                if document["_id"] < size:
                    found[document["event_id"]] = document.get("opened") is True
        new = [event_id for event_id, opened in found.items() if not opened]
        if new:
            await self._entries.update_many({"event_id": {"$in": new}}, {"$set": {"opened": True}})
        return set(found)

    async def not_opened(self, start: int, end: int, limit: int) -> tuple[int, list[str]]:
        query = {"opened": False, "_id": {"$gte": start, "$lt": end}}
        count = await self._entries.count_documents(query)
        found = self._entries.find(query, {"event_id": 1}).limit(limit)
        return count, [document["event_id"] async for document in found]

    async def opened(self, start: int, end: int) -> int:
        return await self._entries.count_documents(
            {"opened": True, "_id": {"$gte": start, "$lt": end}}
        )
