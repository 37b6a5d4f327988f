"""Stores submissions that arrive together in one write. Keys are stored first: a request whose key
is not stored is not stored either."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeVar

from direct311.intake.request import ServiceRequest
from direct311.runtime.errors import TransientError
from direct311.runtime.messaging.records import Write
from direct311.runtime.micro_batch import MicroBatcher
from direct311.runtime.storage.database import (
    BulkError,
    DatabaseError,
    DirectCollection,
    Document,
    MongoRecords,
    duplicates,
)
from direct311.runtime.vault.vault import KeyStore, RecordKey

Outcome = Literal["new", "repeat"]
T = TypeVar("T")

TRIES = 5
REFUSED_SECONDS = 10.0
"""How long a failed write makes this process unready, unless another write succeeds first. Then it
gets requests again, because only a request can show whether the database stores them."""


@dataclass(frozen=True, slots=True)
class _Asked:
    keys: tuple[str, ...]
    since: datetime


class BatchedSubmissions:
    """`Submissions` over the requests' collection; `requests` is the same without threads."""

    def __init__(
        self, keys: KeyStore, records: MongoRecords[ServiceRequest], requests: DirectCollection
    ) -> None:
        self._keys = keys
        self._records = records
        self._requests = requests
        self._storing: MicroBatcher[Document, Outcome] = MicroBatcher(
            "requests", self._store, at_once=2
        )
        self._asking: MicroBatcher[_Asked, ServiceRequest | None] = MicroBatcher(
            "repeats", self._under
        )
        self._refused_at: float | None = None

    async def refused(self) -> str | None:
        """A readiness check: a database that answers and reads may still not be able to store
        requests, for example because its disk is full."""
        if self._refused_at is None or time.monotonic() - self._refused_at > REFUSED_SECONDS:
            return None
        return "the database does not take them"

    async def keep(self, keys: Sequence[RecordKey]) -> None:
        async def insert() -> None:
            # A key that is already there was stored by an earlier try.
            await self._keys.insert(keys)

        await self._repeatedly(insert)

    async def insert(self, write: Write[ServiceRequest]) -> Outcome:
        return await self._storing(self._records.document(write, b""))

    async def first_under(self, keys: Sequence[str], since: datetime) -> ServiceRequest | None:
        return await self._asking(_Asked(tuple(keys), since))

    async def _store(self, documents: Sequence[Document]) -> Sequence[Outcome]:
        outcomes = await self._repeatedly(lambda: self._insert(documents))
        self._refused_at = None
        return outcomes

    async def _repeatedly(self, step: Callable[[], Awaitable[T]]) -> T:
        """Try again if the result is unknown. The ids are the same, so a duplicate then means
        success."""
        for attempt in range(TRIES):
            try:
                return await step()
            except (DatabaseError, TransientError, OSError):
                await asyncio.sleep(0.1 * 2**attempt if attempt < TRIES - 1 else 0)
        self._refused_at = time.monotonic()
        raise TransientError("the database did not take it")

    async def _insert(self, documents: Sequence[Document]) -> Sequence[Outcome]:
        refused: list[str] = []
        try:
            await self._requests.insert_many(documents, ordered=False)
        except BulkError as error:
            refused = [documents[index]["_id"] for index in duplicates(error)]
        # A refused document is there from an earlier try, or its idempotency key belongs to
        # another. The index that refused it does not tell which: the first try wrote both.
        lost = set(refused) - (await self._stored(refused) if refused else set())
        return ["repeat" if document["_id"] in lost else "new" for document in documents]

    async def _stored(self, record_ids: Sequence[str]) -> set[str]:
        found = self._records.collection.find({"_id": {"$in": list(record_ids)}}, {"_id": 1})
        return {document["_id"] async for document in found}

    async def by_idempotency(self, key: str) -> ServiceRequest | None:
        document = await self._records.collection.find_one({"idempotency": key})
        return self._records.stored(document).state if document else None

    async def by_id(self, record_id: str) -> ServiceRequest | None:
        found = (await self._records.load([record_id])).get(record_id)
        return found.state if found else None

    async def with_image(self, images: Sequence[str], since: datetime) -> str | None:
        wanted = {"images": {"$in": list(images)}, "received_at": {"$gte": since}}
        try:
            found = await self._records.collection.find_one(wanted, {"_id": 1})
        except DatabaseError:
            raise TransientError("the database does not answer") from None
        return found["_id"] if found else None

    async def _under(self, asked: Sequence[_Asked]) -> Sequence[ServiceRequest | None]:
        keys = {key for each in asked for key in each.keys}
        # The index is unique, so there are at most as many rows as keys.
        cursor = self._records.collection.find({"idempotency": {"$in": list(keys)}})
        found = [self._records.stored(document).state async for document in cursor]
        known = {request.idempotency: request for request in found}
        return [_first(known, each) for each in asked]


def _first(known: Mapping[str | None, ServiceRequest], asked: _Asked) -> ServiceRequest | None:
    received = {
        request.received_at: request
        for key in asked.keys
        if (request := known.get(key)) is not None
        and request.received_at is not None
        and request.received_at >= asked.since
    }
    return received[min(received)] if received else None
