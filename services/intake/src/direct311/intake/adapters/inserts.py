"""Submissions that arrive together are stored together.

Each insert waits for the journal, whatever its size; so what has arrived while one bulk write was
under way goes out as the next. Keys go first: who has no key leaves the batch.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from direct311.intake.domain.request import ServiceRequest
from direct311.runtime.database import (
    BulkError,
    DatabaseError,
    Document,
    MongoRecords,
    duplicates,
)
from direct311.runtime.errors import TransientError
from direct311.runtime.records import Write
from direct311.runtime.vault import KeyStore, RecordKey

Outcome = Literal["new", "repeat"]


@dataclass(frozen=True, slots=True)
class _Waiting:
    key: RecordKey
    document: Document
    outcome: "asyncio.Future[Outcome]"


@dataclass(frozen=True, slots=True)
class _Asked:
    fingerprint: str
    since: datetime
    answer: "asyncio.Future[str | None]"


class GroupedSubmissions:
    """`Submissions` over the requests' collection."""

    LARGEST = 256
    MOST_WAITING = 5_000
    """More than these, and what comes is sent away: the database is away or too slow."""
    TRIES = 5
    OF_EACH = 8

    def __init__(self, keys: KeyStore, records: MongoRecords[ServiceRequest]) -> None:
        self._keys = keys
        self._records = records
        self._waiting: list[_Waiting] = []
        self._wake = asyncio.Event()
        self._asked: list[_Asked] = []
        self._wake_asked = asyncio.Event()

    async def insert(self, key: RecordKey, write: Write[ServiceRequest]) -> Outcome:
        if len(self._waiting) >= self.MOST_WAITING:
            raise TransientError("too many submissions wait")
        loop = asyncio.get_running_loop()
        item = _Waiting(key, self._records.document(write, b""), loop.create_future())
        self._waiting.append(item)
        self._wake.set()
        return await item.outcome

    async def run(self) -> None:
        """Answer and store what waits, batch after batch, until cancelled."""
        await asyncio.gather(self._answering(), self._storing())

    async def _storing(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                batch, self._waiting = (
                    self._waiting[: self.LARGEST],
                    self._waiting[self.LARGEST :],
                )
                try:
                    await self._store(batch)
                except BaseException as error:
                    for item in batch:
                        if not item.outcome.done():
                            item.outcome.set_exception(
                                TransientError("the request could not be stored")
                            )
                    if not isinstance(error, Exception):
                        raise

    async def _store(self, batch: Sequence[_Waiting]) -> None:
        for attempt in range(self.TRIES):
            try:
                # A key that is there already is this very submission's, from a try before.
                await self._keys.insert([item.key for item in batch])
                await self._insert(batch)
                return
            except (DatabaseError, TransientError, OSError):
                # The result is unknown: the same ids again, a duplicate id then means success.
                if attempt == self.TRIES - 1:
                    raise
                await asyncio.sleep(0.1 * 2**attempt)

    async def _insert(self, batch: Sequence[_Waiting]) -> None:
        refused: list[_Waiting] = []
        try:
            await self._records.collection.insert_many(
                [item.document for item in batch], ordered=False
            )
        except BulkError as error:
            refused = [batch[index] for index in duplicates(error)]
        # What was refused is there from a try before, or its idempotency key is another's. Which
        # index refused does not tell the two apart: the first try took both.
        ours = await self._stored([item.document["_id"] for item in refused]) if refused else set()
        lost = {item.document["_id"] for item in refused} - ours
        for item in batch:
            if not item.outcome.done():
                item.outcome.set_result("repeat" if item.document["_id"] in lost else "new")

    async def _stored(self, record_ids: Sequence[str]) -> set[str]:
        found = self._records.collection.find({"_id": {"$in": list(record_ids)}}, {"_id": 1})
        return {document["_id"] async for document in found}

    async def by_idempotency(self, key: str) -> ServiceRequest | None:
        document = await self._records.collection.find_one({"idempotency": key})
        return self._records.stored(document).state if document else None

    async def by_id(self, record_id: str) -> ServiceRequest | None:
        found = (await self._records.load([record_id])).get(record_id)
        return found.state if found else None

    async def like(self, fingerprint: str, since: datetime) -> str | None:
        item = _Asked(fingerprint, since, asyncio.get_running_loop().create_future())
        self._asked.append(item)
        self._wake_asked.set()
        return await item.answer

    async def _answering(self) -> None:
        while True:
            await self._wake_asked.wait()
            self._wake_asked.clear()
            while self._asked:
                batch, self._asked = self._asked[: self.LARGEST], self._asked[self.LARGEST :]
                try:
                    known = await self._known(
                        {item.fingerprint for item in batch}, min(item.since for item in batch)
                    )
                except Exception:
                    for item in batch:
                        if not item.answer.done():
                            item.answer.set_exception(
                                TransientError("the database does not answer")
                            )
                    continue
                for item in batch:
                    if not item.answer.done():
                        found = [
                            (at, record_id)
                            for at, record_id in known.get(item.fingerprint, ())
                            if at >= item.since
                        ]
                        item.answer.set_result(min(found)[1] if found else None)

    async def _known(
        self, fingerprints: set[str], since: datetime
    ) -> dict[str, list[tuple[datetime, str]]]:
        """Requests with these contents since then: when each was received, and its id.

        A few of each, however many there are: one content may come in thousands.
        """
        known: dict[str, list[tuple[datetime, str]]] = {}
        most = self.OF_EACH * len(fingerprints)
        seen = await self._seen({"$in": list(fingerprints)}, since, most, known)
        if seen == most:
            for left in fingerprints - known.keys():
                await self._seen(left, since, 1, known)
        return known

    async def _seen(
        self,
        fingerprint: object,
        since: datetime,
        most: int,
        known: dict[str, list[tuple[datetime, str]]],
    ) -> int:
        cursor = self._records.collection.find(
            {"fingerprint": fingerprint, "received_at": {"$gte": since}},
            {"fingerprint": 1, "received_at": 1},
        ).limit(most)
        seen = 0
        async for document in cursor:
            seen += 1
            entry = (document["received_at"], document["_id"])
            known.setdefault(document["fingerprint"], []).append(entry)
        return seen
