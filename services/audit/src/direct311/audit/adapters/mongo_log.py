"""Inbox, log and query index in MongoDB.

inbox    parcels of events that are not in the log yet; `_id` sorts by arrival
log      one document, `_id: head`; the published checkpoint beside it (`mongo_published`)
entries  one document for each entry, `_id`: its index; those at or above the head's size are
         staged and do not count
tiles    full hash tiles, `_id`: path; with `end` and `data` until the object store has them
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from pymongo import ReturnDocument
from pymongo.errors import BulkWriteError

from direct311.audit.domain import Facts, Filter
from direct311.audit.ports import (
    Arrival,
    FencedError,
    Head,
    Parcel,
    Row,
    Sighting,
    StaleStageError,
)
from direct311.runtime.database import Collection, Database, Document, Index, MissingError
from direct311.verifier.event import Event
from direct311.verifier.merkle import Frontier
from direct311.verifier.tiles import HEIGHT, WIDTH, Tile, parse_path

_DUPLICATE = 11000


async def insert_new(collection: Collection, documents: Sequence[Document]) -> bool:
    """Insert those whose keys are new; whether that was all of them."""
    try:
        await collection.insert_many(documents, ordered=False)
    except BulkWriteError as error:
        if any(each.get("code") != _DUPLICATE for each in error.details["writeErrors"]):
            raise
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
        return await self._parcels.estimated_document_count()

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
        self._tiles: Collection = database["tiles"]

    async def prepare(self) -> None:
        await self._tiles.create_indexes([Index([("end", 1)], name="end")])

    async def exists(self) -> bool:
        """Whether the log was ever begun."""
        return await self._heads.find_one({"_id": "head"}, {"_id": 1}) is not None

    async def begin(self) -> None:
        """Make the empty head where there is none."""
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
        await self._tiles.delete_many({"end": {"$gt": head.size}, **earlier})

    async def head(self) -> Head:
        return head_of(await self._heads.find_one({"_id": "head"}))

    async def known(self, event_ids: Sequence[str], size: int) -> set[str]:
        query = {"event_id": {"$in": list(event_ids)}}
        found = self._entries.find(query, {"event_id": 1})
        return {document["event_id"] async for document in found if document["_id"] < size}

    async def stage(self, epoch: int, rows: Sequence[Row], tiles: Mapping[Tile, bytes]) -> None:
        whole = await insert_new(
            self._entries,
            [{"_id": row.index, "epoch": epoch, **_row_fields(row)} for row in rows],
        )
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
        found = self._entries.find({"_id": {"$gte": start, "$lt": end}}, {"data": 1})
        entries = {document["_id"]: bytes(document["data"]) async for document in found}
        return [entries[index] for index in range(start, end)]


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
    }


_SINGLE = ("actor", "purpose", "action", "outcome", "department")

_KEPT = {"_id", "epoch", "event_id", "logged_at", "data", "leaf"}
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
    )


class MongoEntries:
    """`Entries` over the same documents."""

    def __init__(self, database: Database) -> None:
        self._entries: Collection = database["entries"]

    async def prepare(self) -> None:
        await self._entries.create_indexes(
            [
                Index([("event_id", 1)], name="event", unique=True),
                *(Index([(name, 1), ("_id", 1)], name=name) for name in ("record_ids", *_SINGLE)),
                Index(
                    [("opened", 1), ("_id", 1)],
                    name="opened",
                    partialFilterExpression={"opened": {"$exists": True}},
                ),
            ]
        )

    async def find(self, query: Filter, *, before: int, floor: int, limit: int) -> Sequence[Row]:
        # Both bounds always: with one of them alone the database reads every document.
        wanted: Document = {"_id": {"$gte": floor, "$lt": before}}
        for name in _SINGLE:
            value = getattr(query, name)
            if value is not None:
                wanted[name] = value
        if query.record_ids:
            wanted["record_ids"] = {"$in": list(query.record_ids)}
        if query.since or query.until:
            bounds = {"$gte": query.since, "$lte": query.until}
            wanted["occurred_at"] = {name: at for name, at in bounds.items() if at}
        found = self._entries.find(wanted).sort("_id", -1).limit(limit)
        return [_row(document) async for document in found]

    async def sightings(self, start: int, end: int) -> Sequence[Sighting]:
        found = self._entries.find(
            {"_id": {"$gte": start, "$lt": end}}, {"data": 0, "leaf": 0, "epoch": 0}
        ).sort("_id", 1)
        return [
            Sighting(each["_id"], each["event_id"], each["logged_at"], _facts(each))
            async for each in found
        ]

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

    async def forget(self, record_id: str) -> int:
        about = {"record_ids": record_id, "event": "pii.accessed"}
        alone = await self._entries.update_many(
            {**about, "record_ids": [record_id]}, {"$unset": _FORGOTTEN}
        )
        shared = await self._entries.update_many(about, {"$pull": {"record_ids": record_id}})
        return int(alone.modified_count + shared.modified_count)

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
