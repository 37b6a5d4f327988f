"""What the observers of the log remember, in MongoDB.

fetches  fetches of keys whose event is not in the log; `_id`: the fetch's key
cursors  how far each service's fetches were read, `_id`: the service; and how far each observer
         has come in the log, `_id`: `place:` and its name
openings what emergency staff opened, `_id`: the number of the case file that explains it
numbers  of each producer the highest number, and in ranges (`first` and `last`) those that are
         missing or void; `_id`: the producer
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from pymongo import ReplaceOne

from direct311.audit.documents import insert_new
from direct311.audit.monitoring.domain.fetches import Fetch
from direct311.audit.monitoring.domain.numbers import Gap, Numbered
from direct311.audit.monitoring.domain.openings import Unexplained
from direct311.runtime.storage.database import Collection, Database, Document, Index

_LISTED = 500


class MongoWatch:
    """`Watch`."""

    def __init__(self, database: Database) -> None:
        self._fetches: Collection = database["fetches"]
        self._cursors: Collection = database["cursors"]

    async def prepare(self) -> None:
        await self._fetches.create_indexes(
            [Index([("at", 1)], name="at"), Index([("event_id", 1)], name="event")]
        )
        # In the past the event's id was the key, so only the first of many records was kept.
        async for document in self._fetches.find({"event_id": {"$exists": False}}):
            await self.keep([Fetch.model_validate({**document, "event_id": document["_id"]})])
            await self._fetches.delete_one({"_id": document["_id"]})

    async def cursor(self, service: str) -> datetime | None:
        document = await self._cursors.find_one({"_id": service})
        return document["at"] if document else None

    async def advance(self, service: str, at: datetime) -> None:
        await self._cursors.update_one({"_id": service}, {"$max": {"at": at}}, upsert=True)

    async def keep(self, fetches: Sequence[Fetch]) -> None:
        if fetches:
            await insert_new(
                self._fetches, [{"_id": each.key, **each.model_dump()} for each in fetches]
            )

    async def kept(self, after: str, limit: int) -> Sequence[Fetch]:
        found = self._fetches.find({"_id": {"$gt": after}}).sort("_id", 1).limit(limit)
        return [Fetch.model_validate(each) async for each in found]

    async def overdue(self, before: datetime, limit: int) -> Sequence[Fetch]:
        found = self._fetches.find({"at": {"$lt": before}}).sort("at", 1).limit(limit)
        return [Fetch.model_validate(each) async for each in found]

    async def late(self, before: datetime) -> Mapping[str, int]:
        found = self._fetches.aggregate(
            [
                {"$match": {"at": {"$lt": before}}},
                {"$group": {"_id": "$service", "count": {"$sum": 1}}},
            ]
        )
        return {each["_id"]: each["count"] async for each in found}

    async def drop(self, event_ids: Sequence[str]) -> None:
        if event_ids:
            await self._fetches.delete_many({"event_id": {"$in": list(event_ids)}})

    async def rewind(self) -> None:
        await self._cursors.delete_many({"at": {"$exists": True}})

    async def place(self, name: str) -> int:
        document = await self._cursors.find_one({"_id": f"place:{name}"})
        return document["index"] if document else 0

    async def move_place(self, name: str, index: int) -> None:
        await self._cursors.update_one(
            {"_id": f"place:{name}"}, {"$set": {"index": index}}, upsert=True
        )


class MongoOpenings:
    """`Openings`."""

    def __init__(self, database: Database) -> None:
        self._openings: Collection = database["openings"]

    async def prepare(self) -> None:
        await self._openings.create_indexes(
            [Index([("explained", 1), ("at", 1)], name="unexplained")]
        )

    async def keep(self, openings: Sequence[Unexplained]) -> None:
        if openings:
            await insert_new(
                self._openings,
                [
                    {
                        "_id": each.case_id,
                        **each.model_dump(exclude={"case_id"}),
                        "explained": False,
                    }
                    for each in openings
                ],
            )

    async def explain(self, case_ids: Sequence[str]) -> None:
        if case_ids:
            await self._openings.update_many(
                {"_id": {"$in": list(case_ids)}}, {"$set": {"explained": True}}
            )

    async def late(self, before: datetime) -> Sequence[Unexplained]:
        query = {"explained": False, "at": {"$lt": before}}
        found = self._openings.find(query).sort("at", 1).limit(_LISTED)
        return [Unexplained(case_id=each.pop("_id"), **each) async for each in found]


class MongoNumbers:
    """`Numbers`."""

    def __init__(self, database: Database) -> None:
        self._numbers: Collection = database["numbers"]

    async def prepare(self) -> None:
        await self._numbers.create_indexes([Index([("gaps", 1)], name="gaps", sparse=True)])

    async def of(self, producers: Iterable[str]) -> Mapping[str, Numbered]:
        found = self._numbers.find({"_id": {"$in": list(producers)}})
        return {document["_id"]: _numbered(document) async for document in found}

    async def save(self, states: Sequence[Numbered]) -> None:
        if states:
            await self._numbers.bulk_write(
                [ReplaceOne({"_id": s.producer}, _numbers_document(s), upsert=True) for s in states]
            )

    async def with_gaps(self) -> Sequence[Numbered]:
        return [_numbered(document) async for document in self._numbers.find({"gaps": True})]


def _numbers_document(state: Numbered) -> Document:
    document: Document = {
        "_id": state.producer,
        "highest": state.highest,
        "index": state.index,
        "missing": [_bounds(gap.numbers) | {"since": gap.since} for gap in state.missing],
        "void": [_bounds(each) for each in state.void],
        "closed": state.closed,
    }
    return document | ({"gaps": True} if state.missing else {})


def _numbered(document: Document) -> Numbered:
    return Numbered(
        document["_id"],
        document["highest"],
        document["index"],
        tuple(Gap(_numbers(each), each["since"]) for each in document["missing"]),
        tuple(_numbers(each) for each in document["void"]),
        document["closed"],
    )


def _bounds(numbers: range) -> Document:
    return {"first": numbers.start, "last": numbers.stop - 1}


def _numbers(kept: Document | int) -> range:
    if isinstance(kept, int):
        # Documents last written before there were ranges list each number separately.
        return range(kept, kept + 1)
    if "number" in kept:
        return _numbers(kept["number"])
    return range(kept["first"], kept["last"] + 1)
