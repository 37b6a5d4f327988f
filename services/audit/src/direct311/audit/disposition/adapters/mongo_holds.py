"""Holds on entries of the log, and what is being destroyed while a hold is placed."""

from collections.abc import Sequence
from typing import Protocol

from direct311.audit.disposition.domain.holds import LogHold
from direct311.audit.disposition.domain.records import AuditedRecord
from direct311.audit.log.ports.keys import StoredKey
from direct311.runtime.storage.database import Collection, Database, Document, MongoRecords


class MongoLogHolds:
    """Implements `LogHolds` with one document per hold; there are never many."""

    def __init__(self, database: Database) -> None:
        self._holds: Collection = database["log_holds"]

    async def add(self, hold: LogHold) -> None:
        await self._holds.insert_one(_document(hold))

    async def replace(self, hold: LogHold) -> None:
        await self._holds.replace_one({"_id": hold.hold_id}, _document(hold))

    async def get(self, hold_id: str) -> LogHold | None:
        document = await self._holds.find_one({"_id": hold_id})
        return _hold(document) if document else None

    async def all(self) -> Sequence[LogHold]:
        return [_hold(document) async for document in self._holds.find({}).sort("_id", 1)]

    async def standing(self) -> Sequence[LogHold]:
        return [hold for hold in await self.all() if hold.released_at is None]


def _document(hold: LogHold) -> Document:
    document = hold.model_dump()
    document["_id"] = document.pop("hold_id")
    return document


def _hold(document: Document) -> LogHold:
    return LogHold.model_validate({**document, "hold_id": document["_id"]})


class KeysBeingDestroyed(Protocol):
    """The log's keys that are being destroyed."""

    async def being_destroyed(self) -> Sequence[StoredKey]:
        """The keys of months that are being destroyed."""
        ...


class MongoBeingDestroyed:
    """`BeingDestroyed`."""

    def __init__(self, records: MongoRecords[AuditedRecord], keys: KeysBeingDestroyed) -> None:
        self._records = records
        self._keys = keys

    async def records(self) -> Sequence[str]:
        found = self._records.collection.find({"lifecycle": "destroying"}, {"_id": 1})
        return [document["_id"] async for document in found]

    async def months(self) -> Sequence[StoredKey]:
        return await self._keys.being_destroyed()
