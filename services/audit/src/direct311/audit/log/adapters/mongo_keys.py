"""Body keys in MongoDB: one document for each record, disclosure case, month, series, or entry that
relates to several."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from direct311.audit.documents import insert_new
from direct311.audit.log.domain import case_key
from direct311.audit.log.ports.keys import StoredKey
from direct311.runtime.storage.database import Document, Index
from direct311.runtime.vault.keystore import MongoKeys
from direct311.runtime.vault.vault import KeyFetch


class MongoBodyKeys(MongoKeys):
    """`BodyKeys`, and the runtime's `KeyStore` for the keys of records.

    A key's document has the runtime's format plus `reference`, and `copies` if several records
    share it. A destroyed key leaves its name, reference and fetches.
    """

    async def prepare(self) -> None:
        await super().prepare()
        await self.collection.create_indexes(
            [Index([("reference", 1)], name="reference", unique=True)]
        )

    async def named(self, names: Iterable[str]) -> Mapping[str, StoredKey]:
        found = self.collection.find({"_id": {"$in": list(names)}}, {"fetches": 0})
        return {document["_id"]: _stored_key(document) async for document in found}

    async def destroyed(self, names: Iterable[str]) -> set[str]:
        query = {"_id": {"$in": list(names)}, "wrapped": {"$exists": False}}
        return {document["_id"] async for document in self.collection.find(query, {"_id": 1})}

    async def insert_new(self, keys: Sequence[StoredKey]) -> None:
        await insert_new(self.collection, [_key_document(key) for key in keys])

    async def fetch_for(
        self, references: Iterable[bytes], event_id: str, at: datetime
    ) -> Mapping[bytes, StoredKey]:
        query = {"reference": {"$in": list(references)}}
        # The mark first: a fetch without one cannot happen.
        await self.collection.update_many(
            query,
            {"$push": {"fetches": {"event": event_id, "at": at}}, "$set": {"fetched_at": at}},
        )
        found = self.collection.find(query, {"fetches": 0})
        return {bytes(document["reference"]): _stored_key(document) async for document in found}

    async def destroy(self, record_id: str) -> bool:
        # A disclosure case file is a record; what was kept because of the case goes with it.
        await super().destroy(case_key(record_id))
        return await super().destroy(record_id)

    async def months(self) -> Sequence[StoredKey]:
        return [_stored_key(document) for document in await self._months()]

    async def being_destroyed(self) -> Sequence[StoredKey]:
        """Keys of months that are being destroyed."""
        return [_stored_key(each) for each in await self._months() if each.get("leaving")]

    async def _months(self) -> Sequence[Document]:
        found = self.collection.find({"_id": {"$gte": "month:", "$lt": "month;"}}, {"fetches": 0})
        living = [document async for document in found if document.get("wrapped")]
        return sorted(living, key=lambda document: str(document["_id"]))

    async def leave(self, name: str) -> None:
        await self.collection.update_one({"_id": name}, {"$set": {"leaving": True}})

    async def stay(self, name: str) -> None:
        await self.collection.update_one({"_id": name}, {"$unset": {"leaving": ""}})

    async def confirm(self, fetches: Sequence[KeyFetch]) -> None:
        """Forget these fetches."""
        events = [fetch.event_id for fetch in fetches]
        await self.collection.update_many(
            {"_id": {"$in": [fetch.record_id for fetch in fetches]}},
            {"$pull": {"fetches": {"event": {"$in": events}}}},
        )


def _key_document(key: StoredKey) -> Document:
    document: Document = {
        "_id": key.name,
        "reference": key.reference,
        "created_at": key.created_at,
    }
    if key.copies:
        # Key names cannot be field names: a record's name may begin with anything.
        document["copies"] = [{"of": name, "wrapped": copy} for name, copy in key.copies.items()]
    else:
        document |= {"kek": key.kek_id, "wrapped": key.wrapped}
    return document


def _stored_key(document: Document) -> StoredKey:
    return StoredKey(
        document["_id"],
        bytes(document["reference"]),
        document["created_at"],
        document.get("kek", ""),
        bytes(document.get("wrapped", b"")),
        {each["of"]: bytes(each["wrapped"]) for each in document.get("copies", ())},
    )
