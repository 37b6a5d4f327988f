"""Submissions that arrive together are stored together.

Each insert waits for the journal, whatever its size; so what has arrived while one bulk write was
under way goes out as the next. Keys go first: who has no key leaves the batch.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from direct311.intake.domain.request import ServiceRequest
from direct311.runtime.database import BulkError, DatabaseError, Document, MongoRecords
from direct311.runtime.errors import TransientError
from direct311.runtime.records import Write
from direct311.runtime.vault import KeyStore, RecordKey

Outcome = Literal["new", "repeat"]
_DUPLICATE = 11000


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
    TRIES = 5

    def __init__(self, keys: KeyStore, records: MongoRecords[ServiceRequest]) -> None:
        self._keys = keys
        self._records = records
        self._waiting: list[_Waiting] = []
        self._wake = asyncio.Event()
        self._asked: list[_Asked] = []
        self._wake_asked = asyncio.Event()

    async def insert(self, key: RecordKey, write: Write[ServiceRequest]) -> Outcome:
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
        failures: dict[int, dict[str, Any]] = {}
        try:
            await self._records.collection.insert_many(
                [item.document for item in batch], ordered=False
            )
        except BulkError as error:
            failures = {failure["index"]: failure for failure in error.details["writeErrors"]}
            if any(failure.get("code") != _DUPLICATE for failure in failures.values()):
                raise TransientError("a bulk insert failed") from None
        for index, item in enumerate(batch):
            if item.outcome.done():
                continue
            failure = failures.get(index)
            if failure is None or "_id" in failure.get("keyPattern", {}):
                item.outcome.set_result("new")
            elif "idempotency" in failure.get("keyPattern", {}):
                item.outcome.set_result("repeat")
            else:
                item.outcome.set_result(await self._which(item))

    async def _which(self, item: _Waiting) -> Outcome:
        # A server that does not say which index refused: it is ours if our id is there.
        found = await self._records.collection.find_one({"_id": item.document["_id"]}, {"_id": 1})
        return "new" if found else "repeat"

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
                    known = await self._known({item.fingerprint for item in batch})
                except (DatabaseError, OSError):
                    for item in batch:
                        item.answer.set_exception(TransientError("the database does not answer"))
                    continue
                for item in batch:
                    if not item.answer.done():
                        found = [
                            (at, record_id)
                            for at, record_id in known.get(item.fingerprint, ())
                            if at >= item.since
                        ]
                        item.answer.set_result(min(found)[1] if found else None)

    async def _known(self, fingerprints: set[str]) -> dict[str, list[tuple[datetime, str]]]:
        """Requests with these contents: when each was received, and its id."""
        known: dict[str, list[tuple[datetime, str]]] = {}
        cursor = self._records.collection.find(
            {"fingerprint": {"$in": list(fingerprints)}}, {"fingerprint": 1, "received_at": 1}
        )
        async for document in cursor:
            entry = (document["received_at"], document["_id"])
            known.setdefault(document["fingerprint"], []).append(entry)
        return known
