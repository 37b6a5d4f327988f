"""API clients, their quotas and counts of reads in MongoDB."""

import contextlib
import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from direct311.intake.clients.domain.clients import Client
from direct311.runtime.clock import Clock
from direct311.runtime.errors import TransientError
from direct311.runtime.storage.database import Collection, Document, DuplicateError, Update

HEAD = "#"
"""The document that counts changes; no client has this id."""


class MongoClients:
    """`KnownClients` and `ClientRegistry`: keeps all clients in memory.

    They are read again when the count of changes changes. A process that dies between its change
    and the count leaves a change unnoticed, so all are read again every half minute anyway.
    """

    WHOLE_SECONDS = 30.0

    def __init__(self, clients: Collection, uses: Collection, clock: Clock) -> None:
        self._clients = clients
        self._uses = uses
        self._clock = clock
        self._version = -1
        self._read_at = 0.0
        self._by_hash: Mapping[str, Client] = {}
        self._origins: frozenset[str] = frozenset()
        self._used: dict[str, datetime] = {}

    # --- needed for every call

    def by_key(self, key_hash: str) -> Client | None:
        return self._by_hash.get(key_hash)

    def has_origin(self, origin: str) -> bool:
        return origin in self._origins

    def note_use(self, key_id: str) -> None:
        """Note that the key was used now; the next `settle` writes it."""
        self._used[key_id] = self._clock.now()

    # --- run every second

    async def refresh(self) -> bool:
        """Read what changed; returns whether anything was read."""
        head = await self._clients.find_one({"_id": HEAD})
        version = head["version"] if head else 0
        if version == self._version and time.monotonic() - self._read_at < self.WHOLE_SECONDS:
            return False
        clients = await self.all()
        self._by_hash = {key.sha256: client for client in clients for key in client.keys}
        self._origins = frozenset(
            origin for client in clients if not client.revoked_at for origin in client.origins
        )
        self._version, self._read_at = version, time.monotonic()
        return True

    async def settle(self) -> None:
        """Write when keys were last used."""
        used, self._used = self._used, {}
        if not used:
            return
        updates = [
            Update({"_id": key_id}, {"$max": {"last_used_at": at}}, upsert=True)
            for key_id, at in used.items()
        ]
        try:
            await self._uses.bulk_write(updates, ordered=False)
        except BaseException:
            self._used = {**used, **self._used}
            raise

    # --- for administrators

    async def all(self) -> Sequence[Client]:
        cursor = self._clients.find({"_id": {"$ne": HEAD}}).sort("_id", 1)
        return [_client(document) async for document in cursor]

    async def one(self, client_id: str) -> Client | None:
        document = await self._clients.find_one({"_id": client_id})
        return _client(document) if document and client_id != HEAD else None

    async def add(self, client: Client) -> bool:
        try:
            await self._clients.insert_one(_document(client))
        except DuplicateError:
            return False
        await self._moved()
        return True

    async def replace(self, client: Client) -> bool:
        done = await self._clients.replace_one(
            {"_id": client.client_id, "version": client.version - 1}, _document(client)
        )
        if done.matched_count:
            await self._moved()
        return bool(done.matched_count)

    async def used(self) -> Mapping[str, datetime]:
        return {each["_id"]: each["last_used_at"] async for each in self._uses.find({})}

    async def _moved(self) -> None:
        await self._clients.update_one({"_id": HEAD}, {"$inc": {"version": 1}}, upsert=True)
        await self.refresh()


def _client(document: Document) -> Client:
    return Client.model_validate({**document, "client_id": document["_id"]})


def _document(client: Client) -> Document:
    return {"_id": client.client_id, **client.model_dump(mode="python", exclude={"client_id"})}


class MongoQuotas:
    """`QuotaStore`: one document per client and window, `taken` never above the limit."""

    KEPT = timedelta(hours=1)
    TRIES = 20

    def __init__(self, collection: Collection) -> None:
        self._collection = collection

    async def take(self, window: str, wanted: int, limit: int, until: datetime) -> tuple[int, int]:
        for _ in range(self.TRIES):
            taken = await self._taken(window, until)
            granted = min(wanted, limit - taken)
            if granted <= 0:
                return 0, 0
            # The condition is in the update itself. An atomic find-and-update would save a step,
            # but not every server answers it with the changed document.
            done = await self._collection.update_one(
                {"_id": window, "taken": {"$lte": limit - granted}}, {"$inc": {"taken": granted}}
            )
            if done.modified_count:
                return granted, limit - taken - granted
        raise TransientError("too many ask for the same quota at once")

    async def _taken(self, window: str, until: datetime) -> int:
        found = await self._collection.find_one({"_id": window}, {"taken": 1})
        if found is not None:
            return int(found["taken"])
        with contextlib.suppress(DuplicateError):
            await self._collection.insert_one({"_id": window, "taken": 0, "until": until})
        return 0

    async def give_back(self, window: str, count: int) -> None:
        await self._collection.update_one(
            {"_id": window, "taken": {"$gte": count}}, {"$inc": {"taken": -count}}
        )

    async def forget(self, now: datetime) -> None:
        """Delete expired windows."""
        await self._collection.delete_many({"until": {"$lt": now - self.KEPT}})


class MongoCounts:
    """`SharedCounts`: one document per name."""

    KEPT = timedelta(minutes=10)

    def __init__(self, collection: Collection) -> None:
        self._collection = collection

    async def add(self, counts: Mapping[str, int], until: datetime) -> Mapping[str, int]:
        updates = [
            Update({"_id": name}, {"$inc": {"count": count}, "$set": {"until": until}}, upsert=True)
            for name, count in counts.items()
        ]
        await self._collection.bulk_write(updates, ordered=False)
        cursor = self._collection.find({"_id": {"$in": list(counts)}}, {"count": 1})
        return {each["_id"]: each["count"] async for each in cursor}

    async def forget(self, now: datetime) -> None:
        await self._collection.delete_many({"until": {"$lt": now - self.KEPT}})


class MongoSalts:
    """A random salt for each day, shared by all copies; the salt of a past day is deleted."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection

    async def of(self, day: str, offered: bytes) -> bytes:
        """The day's salt; `offered` if nobody has made one yet."""
        await self._collection.delete_many({"_id": {"$lt": day}})
        with contextlib.suppress(DuplicateError):
            await self._collection.update_one(
                {"_id": day}, {"$setOnInsert": {"salt": offered}}, upsert=True
            )
        found = await self._collection.find_one({"_id": day})
        return bytes(found["salt"]) if found else offered
