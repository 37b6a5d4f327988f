"""The query index in MongoDB.

entries    one document for each entry, `_id`: its index. They follow the log
           (`index.handlers.follow`). `log.adapters.mongo_log` keeps its marker there
forgotten  the event's id of each entry whose facts went with its record, `_id`: its index
"""

import contextlib
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import datetime

from pymongo import DeleteOne, ReplaceOne, UpdateOne

from direct311.audit.documents import insert_new, row_fields
from direct311.audit.entry import Facts, Filter
from direct311.audit.index.adapters.mongo_entries import INDEXES, grouping, key_of, matching
from direct311.audit.index.domain import Dimension, Exempt, Group, unnamed
from direct311.audit.index.ports import DestroyedKeys
from direct311.audit.index_row import EntrySummary, IndexRow, Tagger
from direct311.audit.log.domain import case_key, left_of
from direct311.runtime.errors import TransientError
from direct311.runtime.storage.database import BulkError, Collection, Database, Document, Index
from direct311.schemas import ALL

FORGOTTEN_AT_ONCE = 500

_OF_CASES = ["pii.accessed", *(kind.name for kind in ALL if kind.topic == "disclosure")]
"""The events of entries that go with a case file; acts about records are permanent."""

_KEPT = {"_id", "epoch", "event_id", "logged_at", "data", "leaf", "tag"}
"""What stays in an entry's document when its record is destroyed: the sealed leaf, and the event's
id, so that a repeated event is still recognized."""

_FORGOTTEN = {name: "" for name in (*Facts.model_fields, "opened") if name not in _KEPT}


def _facts(document: Document) -> Facts | None:
    return Facts.model_validate(document) if "actor" in document else None


def _row(document: Document) -> IndexRow:
    return IndexRow(
        document["_id"],
        document["event_id"],
        document["logged_at"],
        bytes(document["data"]),
        bytes(document["leaf"]),
        _facts(document),
        bytes(document.get("tag", b"")),
    )


def _told(document: Document) -> Document:
    """What an entry's document says, no matter who wrote it and what was opened since."""
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in document.items()
        if name not in ("epoch", "opened")
    }


def _forgetting(
    document: Document, record_id: str, tag: Tagger, gone: AbstractSet[str]
) -> UpdateOne:
    """The update that removes the record, or all the cleartext if the entry relates to nothing
    else."""
    row = _row(document)
    facts = row.facts and left_of(row.facts, record_id, gone)
    change: Document = {"$set": {"tag": tag(replace(row, facts=facts))}}
    if facts is None:
        change["$unset"] = _FORGOTTEN
    elif facts.record_ids:
        change["$set"]["record_ids"] = list(facts.record_ids)
    else:
        change["$unset"] = {"record_ids": ""}
    # Update only if the document is unchanged, or else find it again: another record of the same
    # entry may be destroyed at the same time, and a staged entry may have been removed and sealed
    # again.
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
    ) -> Sequence[IndexRow]:
        if not limit:
            return []
        order = 1 if oldest_first else -1
        rows: list[IndexRow] = []
        for stages in matching(query, floor, before, exempt):
            found = self._entries.aggregate([*stages, {"$sort": {"_id": order}}, {"$limit": limit}])
            rows += [_row(document) async for document in found]
        return sorted(rows, key=lambda row: row.index * order)[:limit]

    async def summaries(self, start: int, end: int) -> Sequence[EntrySummary]:
        found = self._entries.find(
            {"_id": {"$gte": start, "$lt": end}}, {"data": 0, "leaf": 0, "epoch": 0}
        ).sort("_id", 1)
        return [
            EntrySummary(each["_id"], each["event_id"], each["logged_at"], _facts(each))
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
        groups: dict[tuple[str | None, ...], Group] = {}
        for stages in matching(query, floor, before, exempt):
            async for each in self._entries.aggregate([*stages, *grouping(by)]):
                key = key_of(each, by)
                group = Group(key, each["count"], each["first"], each["last"], each["times"])
                groups[key] = group.joined(groups.get(key))
        return list(groups.values())

    async def forget_rows(self, rows: Sequence[IndexRow], tag: Tagger) -> None:
        await self.keep_ids({row.index: row.event_id for row in rows})
        changes = [
            UpdateOne(
                {"_id": row.index},
                {"$set": {"tag": tag(replace(row, facts=None))}, "$unset": _FORGOTTEN},
            )
            for row in rows
        ]
        await self._entries.bulk_write(changes, ordered=False)

    async def by_event(self, event_id: str, size: int) -> IndexRow | None:
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

    async def rows(self, start: int, end: int) -> Sequence[IndexRow]:
        found = self._entries.find({"_id": {"$gte": start, "$lt": end}}).sort("_id", 1)
        rows = []
        async for document in found:
            # A document that is no longer a row counts as missing.
            with contextlib.suppress(KeyError, TypeError, ValueError):
                rows.append(_row(document))
        return rows

    async def indexes_of(self, event_ids: Sequence[str], before: int) -> Mapping[str, int]:
        query = {"event_id": {"$in": list(event_ids)}, "_id": {"$gte": 0, "$lt": before}}
        found = self._entries.find(query, {"event_id": 1})
        return {document["event_id"]: int(document["_id"]) async for document in found}

    async def add(self, rows: Sequence[IndexRow], epoch: int) -> Sequence[IndexRow]:
        wanted = {row.index: {"_id": row.index, "epoch": epoch, **row_fields(row)} for row in rows}
        missing = dict(wanted)
        doubles: set[int] = set()
        for _ in range(3):
            if not missing or await insert_new(self._entries, list(missing.values())):
                return [row for row in rows if row.index in doubles]
            span = {"_id": {"$gte": rows[0].index, "$lte": rows[-1].index}}
            there = {each["_id"] async for each in self._entries.find(span, {"_id": 1})}
            ids = [each["event_id"] for each in wanted.values()]
            earlier = await self.indexes_of(ids, rows[0].index)
            doubles = {row.index for row in rows if row.event_id in earlier} - there
            missing = {
                index: document
                for index, document in wanted.items()
                if index not in there and index not in doubles
            }
            # What was never committed has no right to an event's id.
            await self._remove_strays(missing)
        raise TransientError("the query index changes while rows are added")

    async def restore(self, rows: Sequence[IndexRow], epoch: int) -> None:
        wanted = {row.index: {"_id": row.index, "epoch": epoch, **row_fields(row)} for row in rows}
        span = {"_id": {"$gte": rows[0].index, "$lte": rows[-1].index}}
        for _ in range(3):
            there = {each["_id"]: each async for each in self._entries.find(span)}
            missing = [document for index, document in wanted.items() if index not in there]
            # Update each only if it is unchanged, so that a process overtaken long ago changes
            # nothing. A row that loses its event to an earlier one is deleted first and inserted
            # again, because the local server keeps the old key of a unique index when a document is
            # replaced.
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
        raise TransientError("the query index changes while it is being repaired")

    async def _remove_strays(self, wanted: Mapping[int, Document]) -> None:
        """Events that are at the wrong index, or were staged and never committed."""
        own = {document["event_id"]: index for index, document in wanted.items()}
        found = self._entries.find({"event_id": {"$in": list(own)}}, {"event_id": 1})
        strays = [each["_id"] async for each in found if own[each["event_id"]] != each["_id"]]
        await self._entries.delete_many({"_id": {"$in": strays}})

    async def forget(self, record_id: str, tag: Tagger, destroyed: DestroyedKeys) -> int:
        count = await self._forget({"record_ids": record_id}, record_id, tag, destroyed)
        if await destroyed([case_key(record_id)]):
            of_case = {"case_id": record_id, "record_ids": None, "event": {"$in": _OF_CASES}}
            count += await self._forget(of_case, record_id, tag, destroyed)
        return count

    async def _forget(
        self, about: Document, record_id: str, tag: Tagger, destroyed: DestroyedKeys
    ) -> int:
        count = 0
        while True:
            found = self._entries.find({"event": "pii.accessed", **about}).limit(FORGOTTEN_AT_ONCE)
            documents = [document async for document in found]
            if not documents:
                return count
            await self.keep_ids({each["_id"]: each["event_id"] for each in documents})
            cases = {case_key(each["case_id"]) for each in documents if each.get("case_id")}
            gone = await destroyed(cases) if cases else set()
            changes = [_forgetting(document, record_id, tag, gone) for document in documents]
            count += (await self._entries.bulk_write(changes, ordered=False)).modified_count

    async def keep_ids(self, ids: Mapping[int, str]) -> None:
        # The last write counts: an event that was staged there and never committed may have been
        # forgotten before, by a version that staged in the index.
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
