"""The keys collection of a service, in MongoDB and in memory."""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from pymongo import ReturnDocument, UpdateOne
from pymongo.errors import BulkWriteError, PyMongoError

from direct311.runtime.errors import TransientError
from direct311.runtime.micro_batch import MicroBatcher
from direct311.runtime.storage.database import Collection, Document, Index, duplicates
from direct311.runtime.vault.vault import KeyFetch, RecordKey


class MongoKeys:
    """One document per record: `_id`, `kek`, `wrapped`, `created_at`, `fetches`.

    When a key is destroyed, its document stays with only the fetches, so that the audit service can
    still match every fetch with its event.
    """

    def __init__(self, collection: Collection) -> None:
        self.collection = collection
        self._fetching: MicroBatcher[KeyFetch, RecordKey | None] = MicroBatcher(
            "key fetches", self._fetch
        )

    async def prepare(self) -> None:
        await self.collection.create_indexes(
            [Index([("fetched_at", 1)], name="fetched", sparse=True)]
        )

    async def insert(self, keys: Sequence[RecordKey]) -> set[str]:
        if not keys:
            return set()
        documents = [
            {
                "_id": key.record_id,
                "kek": key.kek_id,
                "wrapped": key.wrapped,
                "created_at": key.created_at,
            }
            for key in keys
        ]
        try:
            await self.collection.insert_many(documents, ordered=False)
        except BulkWriteError as error:
            return {keys[index].record_id for index in duplicates(error)}
        return set()

    async def fetch(self, record_id: str, event_id: str, at: datetime) -> RecordKey | None:
        return await self._fetching(KeyFetch(record_id, event_id, at))

    async def _fetch(self, fetches: Sequence[KeyFetch]) -> Sequence[RecordKey | None]:
        """One answer for each. Calls that arrive together share one write, which waits for the
        disk."""
        marks: dict[str, list[KeyFetch]] = {}
        for fetch in fetches:
            marks.setdefault(fetch.record_id, []).append(fetch)
        if len(marks) == 1:
            ((record_id, marked),) = marks.items()
            document = await self.collection.find_one_and_update(
                _living(record_id), _mark(marked), return_document=ReturnDocument.AFTER
            )
            key = _record_key(document) if document else None
            return [key] * len(fetches)
        # No key is returned before the fetches are written. If each was written on a living key,
        # the key read meanwhile is the one that was marked.
        written, keys = await asyncio.gather(self._mark_each(marks), self._read(list(marks)))
        if written < len(marks) or len(keys) < len(marks):
            # A key that was destroyed in between is not found, and its mark stays.
            keys = await self._read(list(marks))
        return [keys.get(fetch.record_id) for fetch in fetches]

    async def _mark_each(self, marks: Mapping[str, Sequence[KeyFetch]]) -> int:
        """Write each key's own fetches on it; returns how many keys were living.

        This is one statement: it waits for the disk once, and takes half as long as eight single
        updates. If it fails, because it meets another writer or the server changes, the updates go
        out one by one; marking a fetch twice changes nothing.
        """
        with contextlib.suppress(PyMongoError):
            result = await self.collection.update_many(
                {"_id": {"$in": list(marks)}, "wrapped": {"$exists": True}}, _mark_own(marks)
            )
            return result.matched_count
        updates = [UpdateOne(_living(record_id), _mark(each)) for record_id, each in marks.items()]
        return (await self.collection.bulk_write(updates, ordered=False)).matched_count

    async def _read(self, record_ids: Sequence[str]) -> Mapping[str, RecordKey]:
        found = self.collection.find(
            {"_id": {"$in": record_ids}, "wrapped": {"$exists": True}}, _WRAPPED
        )
        return {each["_id"]: _record_key(each) for each in await found.to_list(None)}

    async def destroy(self, record_id: str) -> bool:
        result = await self.collection.update_one(
            {"_id": record_id}, {"$unset": {"wrapped": "", "kek": ""}}
        )
        return bool(result.matched_count)

    async def fetches_after(self, at: datetime, limit: int) -> Sequence[KeyFetch]:
        found: list[KeyFetch] = []
        async for document in self.collection.find({"fetched_at": {"$gt": at}}, {"fetches": 1}):
            found += [
                KeyFetch(document["_id"], fetch["event"], fetch["at"])
                for fetch in document["fetches"]
                if fetch["at"] > at
            ]
            if len(found) > 2 * limit:
                found = _oldest(found, limit)
        return _oldest(found, limit)

    async def not_under(self, kek_id: str, after: str, limit: int) -> Sequence[RecordKey]:
        wanted = {"_id": {"$gt": after}, "wrapped": {"$exists": True}, "kek": {"$ne": kek_id}}
        cursor = self.collection.find(wanted, _WRAPPED).sort("_id", 1).limit(limit)
        return [_record_key(document) async for document in cursor]

    async def rewrap(self, pairs: Sequence[tuple[RecordKey, RecordKey]]) -> int:
        updates = [
            UpdateOne(
                {"_id": old.record_id, "kek": old.kek_id, "wrapped": old.wrapped},
                {"$set": {"kek": new.kek_id, "wrapped": new.wrapped}},
            )
            for old, new in pairs
        ]
        try:
            result = await self.collection.bulk_write(updates, ordered=False)
        except BulkWriteError:
            raise TransientError("a bulk write failed") from None
        return result.modified_count

    async def counts(self) -> Mapping[str, int]:
        groups = self.collection.aggregate(
            [
                {"$match": {"wrapped": {"$exists": True}}},
                {"$group": {"_id": "$kek", "n": {"$sum": 1}}},
            ]
        )
        return {group["_id"]: group["n"] async for group in groups}

    async def under(self, kek_id: str) -> RecordKey | None:
        document = await self.collection.find_one(
            {"kek": kek_id, "wrapped": {"$exists": True}}, _WRAPPED
        )
        return _record_key(document) if document else None

    async def forget_unused(self, older_than: datetime, used: "Collection") -> int:
        """Remove keys made before `older_than` whose record was never stored; returns how many.

        Looks at the records of the week before. Their ids are UUIDv7, so the ids of one hour are a
        range. A key may be younger than its record id, and may then still be about to be used.
        """
        unused = {"fetched_at": None, "created_at": {"$lt": older_than}}
        removed = 0
        start = older_than - _SWEPT
        while start < older_than:
            end = min(start + _WINDOW, older_than)
            removed += await self._forget_between(start, end, unused, used)
            start = end
        return removed

    async def _forget_between(
        self, start: datetime, end: datetime, unused: Document, used: "Collection"
    ) -> int:
        cursor = self.collection.find(
            {"_id": {"$gte": _first_id(start), "$lt": _first_id(end)}, **unused}, {"_id": 1}
        )
        ids = [document["_id"] async for document in cursor]
        removed = 0
        for first in range(0, len(ids), 1000):
            chunk = ids[first : first + 1000]
            known = {d["_id"] async for d in used.find({"_id": {"$in": chunk}}, {"_id": 1})}
            orphans = [record_id for record_id in chunk if record_id not in known]
            if orphans:
                # A key that was fetched since then was used after all.
                result = await self.collection.delete_many({"_id": {"$in": orphans}, **unused})
                removed += result.deleted_count
        return removed


def _living(record_id: str) -> Document:
    return {"_id": record_id, "wrapped": {"$exists": True}}


def _mark(fetches: Sequence[KeyFetch]) -> Document:
    marks = [{"event": fetch.event_id, "at": fetch.at} for fetch in fetches]
    return {
        "$push": {"fetches": {"$each": marks}},
        "$set": {"fetched_at": max(fetch.at for fetch in fetches)},
    }


def _mark_own(marks: Mapping[str, Sequence[KeyFetch]]) -> list[Document]:
    """Like `_mark`, but picks each updated key's fetches out of all of them."""
    every = [
        {"of": record_id, "mark": {"event": fetch.event_id, "at": fetch.at}}
        for record_id, fetches in marks.items()
        for fetch in fetches
    ]
    own = {"$filter": {"input": {"$literal": every}, "cond": {"$eq": ["$$this.of", "$_id"]}}}
    added = {"$map": {"input": own, "in": "$$this.mark"}}
    latest = max(fetch.at for fetches in marks.values() for fetch in fetches)
    return [
        {
            "$set": {
                "fetches": {"$concatArrays": [{"$ifNull": ["$fetches", []]}, added]},
                "fetched_at": latest,
            }
        }
    ]


_WRAPPED = {"kek": 1, "wrapped": 1, "created_at": 1}


def _record_key(document: Document) -> RecordKey:
    return RecordKey(
        document["_id"], document["kek"], bytes(document["wrapped"]), document["created_at"]
    )


_SWEPT = timedelta(days=7)
_WINDOW = timedelta(hours=1)


def _first_id(at: datetime) -> str:
    """The smallest UUIDv7 of a millisecond, as text (RFC 9562, section 5.7)."""
    digits = f"{int(at.timestamp() * 1000):012x}"
    return f"{digits[:8]}-{digits[8:]}"


def _oldest(fetches: Sequence[KeyFetch], limit: int) -> list[KeyFetch]:
    """The first page, extended by everything as old as its last item, so that the next page misses
    nothing."""
    ordered = sorted(fetches, key=lambda fetch: fetch.at)
    if len(ordered) <= limit:
        return ordered
    last = ordered[limit - 1].at
    return [fetch for fetch in ordered if fetch.at <= last]
