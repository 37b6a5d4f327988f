"""MongoDB: the only module that knows the driver.

Keep to what motor and PyMongo's own async client have in common: when motor ends, only this file
changes.
"""

import contextlib
import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any, Generic, TypeVar

from bson.codec_options import CodecOptions, TypeEncoder, TypeRegistry
from motor.motor_asyncio import (
    AsyncIOMotorClient,
    AsyncIOMotorClientSession,
    AsyncIOMotorCollection,
    AsyncIOMotorDatabase,
)
from pymongo import AsyncMongoClient, IndexModel, ReplaceOne, UpdateOne
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import BulkWriteError, DuplicateKeyError, OperationFailure, PyMongoError

from direct311.runtime.errors import RuntimeFaultError, TransientError
from direct311.runtime.messaging import records
from direct311.runtime.messaging.records import Entry, Stored, Write
from direct311.runtime.messaging.state import RecordState
from direct311.runtime.pacing import paced
from direct311.schemas import Encoded

Document = dict[str, Any]
Collection = AsyncIOMotorCollection[Document]
Database = AsyncIOMotorDatabase[Document]
DirectCollection = AsyncCollection[Document]
DirectDatabase = AsyncDatabase[Document]
S = TypeVar("S", bound=RecordState)

DatabaseError = PyMongoError
DuplicateError = DuplicateKeyError
BulkError = BulkWriteError
Index = IndexModel
Update = UpdateOne


class _Dates(TypeEncoder):
    """Days are kept as ISO text; they sort and compare as such."""

    python_type = date

    def transform_python(self, value: date) -> str:
        return value.isoformat()


CODEC: CodecOptions[Document] = CodecOptions(
    tz_aware=True, tzinfo=UTC, type_registry=TypeRegistry([_Dates()])
)


_OPTIONS: Mapping[str, Any] = {
    "journal": True,
    "w": "majority",
    "retryWrites": False,
    "serverSelectionTimeoutMS": 2000,
    "connectTimeoutMS": 2000,
    "socketTimeoutMS": 20000,
}


def connect(url: str, name: str) -> Database:
    """One service's database. Acknowledged writes are journaled and held by a majority."""
    client: AsyncIOMotorClient[Document] = AsyncIOMotorClient(
        url, appname=f"direct311-{name}", **_OPTIONS
    )
    return client.get_database(name, codec_options=CODEC)


def connect_directly(url: str, name: str) -> DirectDatabase:
    """The same database without threads in between, through PyMongo's own client.

    Only for the gateway's inserts (ADR 48): motor hands each call to a thread, which takes the
    interpreter away from the loop several times.
    """
    client: AsyncMongoClient[Document] = AsyncMongoClient(
        url, appname=f"direct311-{name}-direct", **_OPTIONS
    )
    return client.get_database(name, codec_options=CODEC)


def duplicates(error: BulkWriteError) -> Mapping[int, Document]:
    """The documents that already existed in a bulk insert: each one's place in the bulk, and the
    server's details.

    :raises RefusedDocumentError: the database will never accept one of the documents. :raises
    TransientError: something else went wrong too, or a majority may not have the others.
    """
    failures = {failure["index"]: failure for failure in error.details["writeErrors"]}
    others = any(failure.get("code") != _DUPLICATE for failure in failures.values())
    if others or error.details.get("writeConcernErrors"):
        raise _failure(error) from None
    return failures


class RefusedDocumentError(RuntimeFaultError):
    """The database never accepts this document: it is too large or not valid."""


_DUPLICATE = 11000
_REFUSED = frozenset(
    {
        22,  # InvalidBSON
        52,  # DollarPrefixedFieldName
        56,  # EmptyFieldName
        57,  # DottedFieldName
        121,  # DocumentValidationFailure
        10334,  # BSONObjectTooLarge
        15959,  # nested too deeply
        17280,  # KeyTooLong
        17419,  # the document after an update is too large
        17420,  # the same, of a document that was moved
    }
)
"""The server's codes for a document that it will never accept. Every other error may pass (another
primary, a full disk, missing rights), and an event whose write is retried is not lost, so codes not
listed here are retried."""


def _refused(error: OperationFailure) -> bool:
    """Whether the documents themselves are all that is wrong."""
    if not isinstance(error, BulkWriteError):
        return error.code in _REFUSED
    details = error.details or {}
    codes = {failure.get("code") for failure in details.get("writeErrors", ())} - {_DUPLICATE}
    return bool(codes) and codes <= _REFUSED and not details.get("writeConcernErrors")


def _failure(error: BulkWriteError) -> RuntimeFaultError:
    """What a failed bulk write means for its caller. The driver's own error would quote the
    documents."""
    if _refused(error):
        return RefusedDocumentError("the database refuses the document")
    return TransientError("a bulk write failed")


async def ping(database: Database) -> None:
    """:raises DatabaseError: it does not answer, or cannot read. A database whose storage has
    failed, for example on a full disk, still answers a ping."""
    await database["leases"].find_one({}, {"_id": 1})


def disconnect(database: Database) -> None:
    database.client.close()


async def disconnect_directly(database: DirectDatabase) -> None:
    await database.client.close()


def _entry(document: Document) -> Entry:
    message = Encoded(
        document["topic"], document["key"], dict(document["headers"]), document["body"]
    )
    return Entry(document["id"], message)


def _entry_document(entry: Entry) -> Document:
    message = entry.message
    return {
        "id": entry.id,
        "topic": message.topic,
        "key": message.key,
        "headers": message.headers,
        "body": message.body,
    }


class MongoRecords(Generic[S]):
    """`Records` and `Outbox` over one collection.

    The document has the state's fields and `_id` (the record id), `outbox`, `pending` (its length,
    used to find waiting outboxes), `relay_after`, `relay_by` (the process that wrote it) and
    `written` (the write's own id, which separates a bulk write's losers from its winners).
    """

    TOGETHER = 500
    """The most replacements in one transaction, small enough that other writers wait only a few
    milliseconds."""

    def __init__(
        self,
        collection: Collection,
        model: type[S],
        extra: Callable[[S], Document] | None = None,
        *,
        writer: str = "",
    ) -> None:
        self.collection = collection
        self._model = model
        self._extra = extra
        self._writer = writer

    async def prepare(self, indexes: Sequence[Index] = ()) -> None:
        """Create the indexes that every such collection needs, and the service's own ones."""
        await self.collection.create_indexes(
            [
                IndexModel(
                    [("relay_after", 1)],
                    name="outbox",
                    partialFilterExpression={"pending": {"$gt": 0}},
                ),
                IndexModel(
                    [("lifecycle", 1)],
                    name="destroying",
                    partialFilterExpression={"lifecycle": "destroying"},
                ),
                *indexes,
            ]
        )

    def document(self, write: Write[S], write_id: bytes) -> Document:
        """The whole document of a write."""
        state = write.state
        document = state.model_dump(mode="python", exclude={"record_id"}, exclude_none=True)
        if state.lifecycle == "destroyed":
            # A tombstone: the id, and nothing else but the pending answer.
            document = {"version": state.version, "lifecycle": "destroyed"}
        elif self._extra is not None:
            document |= self._extra(state)
        return {
            "_id": state.record_id,
            **document,
            "outbox": [_entry_document(entry) for entry in write.outbox],
            "pending": len(write.outbox),
            "relay_after": write.relay_after,
            "relay_by": self._writer,
            "written": write_id,
        }

    def stored(self, document: Document) -> Stored[S]:
        """The state and outbox in a document."""
        outbox = tuple(_entry(entry) for entry in document.get("outbox", ()))
        state = self._model.model_validate({**document, "record_id": document["_id"]})
        return Stored(state, outbox)

    async def load(self, record_ids: Sequence[str]) -> Mapping[str, Stored[S]]:
        if len(record_ids) == 1:
            document = await self.collection.find_one({"_id": record_ids[0]})
            return {record_ids[0]: self.stored(document)} if document else {}
        cursor = self.collection.find(
            {"_id": {"$in": list(record_ids)}}, batch_size=len(record_ids)
        )
        documents = await cursor.to_list(None)
        return {document["_id"]: self.stored(document) async for document in paced(documents)}

    async def commit(self, writes: Sequence[Write[S]]) -> set[str]:
        write_id = os.urandom(12)
        inserts: list[Document] = []
        replacements: list[tuple[int, Document]] = []
        # The same order everywhere, so that two writers never wait for each other.
        async for write in paced(sorted(writes, key=lambda write: write.state.record_id)):
            document = self.document(write, write_id)
            if write.expected == 0:
                inserts.append(document)
            else:
                replacements.append((write.expected, document))
        done = await self._insert(inserts) if inserts else 0
        if replacements:
            for first in range(0, len(replacements), self.TOGETHER):
                done += await self._together(replacements[first : first + self.TOGETHER])
        if done == len(writes):
            return set()
        ids = [write.state.record_id for write in writes]
        won = {
            document["_id"]
            async for document in self.collection.find(
                {"_id": {"$in": ids}, "written": write_id}, {"_id": 1}
            )
        }
        return set(ids) - won

    async def _insert(self, documents: Sequence[Document]) -> int:
        """Insert the documents that do not exist yet; returns how many."""
        try:
            await self.collection.insert_many(documents, ordered=False)
        except BulkWriteError as error:
            return len(documents) - len(duplicates(error))
        return len(documents)

    async def _together(self, replacements: Sequence[tuple[int, Document]]) -> int:
        """Replace the documents that still have the version expected of them; how many did.

        Each replacement stands for itself. They share a transaction only to share one journal
        write: a hundred take 15 ms instead of 50. If the transaction meets another writer, they
        are made without it.
        """
        if len(replacements) > 1:
            with contextlib.suppress(OperationFailure, BulkWriteError):
                async with self._transaction() as session:
                    return await self._replace_in(session, replacements)
        guarded = [
            ReplaceOne({"_id": document["_id"], "version": expected}, document)
            for expected, document in replacements
        ]
        try:
            result = await self.collection.bulk_write(guarded, ordered=False)
        except BulkWriteError as error:
            raise _failure(error) from None
        return result.matched_count

    async def _replace_in(
        self, session: AsyncIOMotorClientSession, replacements: Sequence[tuple[int, Document]]
    ) -> int:
        """Replace them in a transaction: read all versions, then replace by id.

        The transaction fails if another writer changes a document after that reading, so the
        version need not be in each filter. A filter by id alone costs half: the database need not
        consider every index of the collection (decision 77).
        """
        found = self.collection.find(
            {"_id": {"$in": [document["_id"] for _, document in replacements]}},
            {"version": 1},
            batch_size=len(replacements),
            session=session,
        )
        versions = {each["_id"]: each["version"] async for each in found}
        current = [
            ReplaceOne({"_id": document["_id"]}, document)
            for expected, document in replacements
            if versions.get(document["_id"]) == expected
        ]
        if not current:
            return 0
        result = await self.collection.bulk_write(current, ordered=False, session=session)
        return result.matched_count

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[AsyncIOMotorClientSession]:
        client = self.collection.database.client
        async with await client.start_session() as session, session.start_transaction():
            yield session

    async def mark_dispatched(self, published: Mapping[str, Sequence[str]]) -> None:
        if not published:
            return
        ids = [entry_id for group in published.values() for entry_id in group]
        left = {"$filter": {"input": "$outbox", "cond": {"$not": {"$in": ["$$this.id", ids]}}}}
        change: list[Document] = [
            {"$set": {"outbox": left}},
            {"$set": {"pending": {"$size": "$outbox"}}},
        ]
        await self._change(sorted(published), {}, change)

    async def release(self, record_ids: Sequence[str], now: datetime) -> None:
        waiting = {"pending": {"$gt": 0}, "relay_after": {"$gt": now}}
        await self._change(record_ids, waiting, [{"$set": {"relay_after": now}}])

    async def take_over(self, writer: str, now: datetime) -> int:
        waiting = {"pending": {"$gt": 0}, "relay_after": {"$gt": now}, "relay_by": writer}
        taken = 0
        while True:
            # In parts, so that other writers wait only a few milliseconds.
            found = self.collection.find(waiting, {"_id": 1}).limit(self.TOGETHER)
            ids = [document["_id"] async for document in found]
            if not ids:
                return taken
            taken += await self._change(ids, waiting, [{"$set": {"relay_after": now}}])

    async def _change(
        self, record_ids: Sequence[str], where: Document, change: Sequence[Document]
    ) -> int:
        """Change those of these documents that match `where`, each independently; returns how many
        matched.

        One statement for all costs a tenth of that many single updates. In a transaction it gives
        up at once if it meets another writer. Outside a transaction the local server keeps the
        collection locked while it waits, and so keeps the other writer from finishing (decision 9).
        """
        with contextlib.suppress(OperationFailure):
            async with self._transaction() as session:
                result = await self.collection.update_many(
                    {"_id": {"$in": list(record_ids)}, **where}, change, session=session
                )
            return result.modified_count
        try:
            each = await self.collection.bulk_write(
                [UpdateOne({"_id": record_id, **where}, change) for record_id in record_ids],
                ordered=False,
            )
        except BulkWriteError as error:
            raise _failure(error) from None
        return each.modified_count

    async def due(
        self, now: datetime, limit: int, passed: int = 0
    ) -> Mapping[str, Sequence[Entry]]:
        query = {"pending": {"$gt": 0}, "relay_after": {"$lte": now}}
        cursor = self.collection.find(query, {"outbox": 1}).skip(passed).limit(limit)
        return {
            document["_id"]: [_entry(entry) for entry in document["outbox"]]
            async for document in cursor
        }

    async def oldest(self) -> datetime | None:
        # Bounded by the index's own key, because otherwise the index is not used.
        query = {"pending": {"$gt": 0}, "relay_after": {"$gt": _EPOCH}}
        document = await self.collection.find_one(
            query, {"relay_after": 1}, sort=[("relay_after", 1)]
        )
        return document["relay_after"] if document else None

    async def destroying(self, limit: int) -> Sequence[S]:
        """Records whose destruction has begun but is not finished."""
        cursor = self.collection.find({"lifecycle": "destroying"}).limit(limit)
        return [self.stored(document).state async for document in cursor]


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class MongoLease:
    """A named lease that one process at a time holds for as long as it renews it.

    Renewed when half of its time is over: each renewal is a journaled write.
    """

    def __init__(self, collection: Collection, name: str, holder: str, length: timedelta) -> None:
        self._collection = collection
        self._name = name
        self._holder = holder
        self._length = length
        self._until = _EPOCH

    async def hold(self, now: datetime) -> bool:
        """Take or renew the lease; returns whether it is ours for at least half of its length."""
        if now + self._length / 2 <= self._until:
            return True
        until = now + self._length
        try:
            await self._collection.update_one(
                {
                    "_id": self._name,
                    "$or": [{"until": {"$lt": now}}, {"holder": self._holder}],
                },
                {"$set": {"holder": self._holder, "until": until}},
                upsert=True,
            )
        except DuplicateKeyError:
            return False
        self._until = until
        return True

    async def release(self) -> None:
        """Let the next process take it at once."""
        self._until = _EPOCH
        await self._collection.delete_one({"_id": self._name, "holder": self._holder})


class MongoPresence:
    """Which relays of an outbox are alive: one document each, renewed while its process runs.

    Renewed when half of its time is over: each renewal is a journaled write.
    """

    def __init__(self, collection: Collection, outbox: str, writer: str, length: timedelta) -> None:
        self._collection = collection
        self._outbox = outbox
        self._writer = writer
        self._length = length
        self._until = _EPOCH

    async def confirm(self, now: datetime) -> None:
        if now + self._length / 2 <= self._until:
            return
        until = now + self._length
        await self._collection.update_one(
            {"_id": self._id(self._writer)},
            {"$set": {"outbox": self._outbox, "writer": self._writer, "until": until}},
            upsert=True,
        )
        self._until = until

    async def gone(self, now: datetime) -> Sequence[str]:
        silent = {"outbox": self._outbox, "until": {"$lt": now}}
        found = self._collection.find(silent, {"writer": 1})
        return [document["writer"] async for document in found]

    async def forget(self, writer: str) -> None:
        await self._collection.delete_one({"_id": self._id(writer)})

    async def leave(self) -> None:
        self._until = _EPOCH
        await self.forget(self._writer)

    def _id(self, writer: str) -> str:
        return f"{self._outbox}/{writer}"


def is_transient(error: BaseException) -> bool:
    """Whether the same step may work later: true for any error of the driver or the network, unless
    the document already exists or the database never accepts it."""
    if isinstance(error, DuplicateKeyError):
        return False
    if isinstance(error, OperationFailure) and _refused(error):
        return False
    return records.is_transient(error) or isinstance(error, PyMongoError)


class MissingError(RuntimeFaultError):
    """A required document is missing."""
