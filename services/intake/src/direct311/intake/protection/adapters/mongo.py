"""The protection registry in MongoDB, and which index keys were used."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Protocol

from direct311.intake.protection.domain import Disposal, Ending, Protection
from direct311.runtime.storage.database import Collection, Document
from direct311.runtime.vault.keys import KeyProviderError


class IndexKeys(Protocol):
    """What can be said about the index keys in force."""

    @property
    def versions(self) -> tuple[int, ...]: ...

    def fingerprint(self, version: int) -> str: ...


class IndexChecks:
    """Remembers which index keys were used, by the fingerprint of each version."""

    def __init__(
        self, checks: Collection, requests: Collection, protections: Collection, keys: IndexKeys
    ) -> None:
        self._checks = checks
        self._requests = requests
        self._protections = protections
        self._keys = keys

    async def check(self) -> None:
        """:raises KeyProviderError: needed keys are missing, or differ under the same number."""
        known = {each["_id"]: each["fingerprint"] async for each in self._checks.find({})}
        for version, fingerprint in known.items():
            if version not in self._keys.versions:
                await self._without(version)
            elif fingerprint != self._keys.fingerprint(version):
                raise KeyProviderError(
                    f"version {version} of the index keys is not the one used until now"
                )
        for version in self._keys.versions:
            if version not in known:
                await self._checks.update_one(
                    {"_id": version},
                    {"$set": {"fingerprint": self._keys.fingerprint(version)}},
                    upsert=True,
                )

    async def newest(self) -> int:
        """The newest version that any copy of the service has had."""
        found = await self._checks.find_one({}, sort=[("_id", -1)])
        return found["_id"] if found else 0

    async def _without(self, version: int) -> None:
        versions = list(self._keys.versions)
        requests = await self._requests.count_documents(
            {
                "lifecycle": "active",
                "$or": [
                    {"index_versions": {"$in": [version], "$nin": versions}},
                    # From before the versions were recorded.
                    {"index_versions.0": {"$exists": False}},
                ],
            }
        )
        protections = 0
        in_force = tuple(f"{each}:" for each in versions)
        wanted = {"withdrawn_at": None, "hashes.0": {"$exists": True}}
        async for entry in self._protections.find(wanted, {"hashes": 1}):
            protections += not any(hashed.startswith(in_force) for hashed in entry["hashes"])
        if requests or protections:
            raise KeyProviderError(
                f"{requests} requests and {protections} protections need version {version} of the "
                "index keys, which is not in the file. Put it back among the older ones; you can "
                "remove it once `direct311 keys reindex` is done and the protections are entered "
                "again."
            )
        await self._checks.delete_one({"_id": version})


class MongoProtections:
    """`Protections`: keeps all hashes in memory, and reads them again when the version changes.

    A registry has some thousands of entries; a check must cost nothing, since every request is
    checked.
    """

    def __init__(self, collection: Collection) -> None:
        self._collection = collection
        self._version = 0
        self._hashes: frozenset[str] = frozenset()

    @property
    def version(self) -> int:
        return self._version

    def matches(self, hashes: Iterable[str]) -> bool:
        return not self._hashes.isdisjoint(hashes)

    async def refresh(self) -> bool:
        """Read what changed; returns whether anything did."""
        head = await self._collection.find_one({"_id": "version"})
        version = head["version"] if head else 0
        if version == self._version:
            return False
        hashes: set[str] = set()
        async for entry in self._collection.find(
            {"withdrawn_at": None, "hashes.0": {"$exists": True}}
        ):
            hashes.update(entry["hashes"])
        self._hashes = frozenset(hashes)
        self._version = version
        return True

    async def add(self, protection: Protection) -> int:
        """Store an entry, or the same one again; returns the registry's new version."""
        document = protection.model_dump(mode="python")
        document["_id"] = document.pop("protection_id")
        await self._collection.replace_one({"_id": document["_id"]}, document, upsert=True)
        return await self._moved()

    async def propose_ending(self, protection_id: str, ending: Ending) -> None:
        """Note who wants an entry in force ended; keeps the first person who does."""
        await self._collection.update_one(
            {**_in_force(protection_id), "ending": None},
            {"$set": {"ending": ending.model_dump(mode="python")}},
        )

    async def confirm_ending(self, protection_id: str, ending: Ending) -> None:
        """Replace the same ending with this one, if nobody has confirmed it."""
        await self._collection.update_one(
            {
                **_in_force(protection_id),
                "ending.ending_id": ending.ending_id,
                "ending.confirmed_at": None,
            },
            {"$set": {"ending": ending.model_dump(mode="python")}},
        )

    async def undo_ending(self, protection_id: str, ending_id: str) -> None:
        """Cancel an ending, if the entry is in force."""
        await self._collection.update_one(
            {**_in_force(protection_id), "ending.ending_id": ending_id}, {"$set": {"ending": None}}
        )

    async def due_endings(self, at: datetime) -> Sequence[Protection]:
        """Entries in force that are due to end."""
        cursor = self._collection.find({"withdrawn_at": None, "ending.ends_at": {"$lte": at}})
        return [_protection(document) async for document in cursor]

    async def end(self, protection_id: str, ending_id: str, at: datetime) -> tuple[str, ...] | None:
        """End an entry, if this ending is due, and keep a note that it existed. Returns its hashes;
        `None` if it is not due."""
        before = await self._collection.find_one_and_update(
            {
                **_in_force(protection_id),
                "ending.ending_id": ending_id,
                "ending.ends_at": {"$lte": at},
            },
            [
                {
                    "$set": {
                        "withdrawn_at": at,
                        "withdrawn_by": "$ending.proposed_by",
                        "hashes": [],
                    }
                }
            ],
        )
        if before is None:
            return None
        await self._moved()
        return tuple(before["hashes"])

    async def get(self, protection_id: str) -> Protection | None:
        document = await self._collection.find_one(
            {"_id": protection_id, "reference": {"$exists": True}}
        )
        return _protection(document) if document else None

    async def propose_disposal(self, protection_id: str, at: datetime, by: str) -> None:
        """Note who wants a withdrawn entry destroyed; keeps the first person who does."""
        await self._collection.update_one(
            {
                "_id": protection_id,
                "withdrawn_at": {"$ne": None},
                "disposal_proposed_by": None,
                "reference": {"$exists": True},
            },
            {"$set": {"disposal_proposed_at": at, "disposal_proposed_by": by}},
        )

    async def dispose(self, disposal: Disposal) -> None:
        """Replace the entry, as proposed, with this; nothing else of it is kept."""
        document = disposal.model_dump(mode="python")
        await self._collection.replace_one(
            {
                "_id": document.pop("protection_id"),
                "withdrawn_at": {"$ne": None},
                "disposal_proposed_by": disposal.proposed_by,
                "reference": {"$exists": True},
            },
            document,
        )

    async def disposal(self, protection_id: str) -> Disposal | None:
        document = await self._collection.find_one(
            {"_id": protection_id, "disposed_at": {"$exists": True}}
        )
        return Disposal.model_validate(_with_id(document)) if document else None

    async def entries(
        self, *, in_force: bool | None, after: str, limit: int
    ) -> Sequence[Protection]:
        """The next entries by id."""
        wanted: Document = {"_id": {"$gt": after}, "reference": {"$exists": True}}
        if in_force is not None:
            wanted["withdrawn_at"] = None if in_force else {"$ne": None}
        cursor = self._collection.find(wanted).sort("_id", 1).limit(limit)
        return [_protection(document) async for document in cursor]

    async def _moved(self) -> int:
        await self._collection.update_one({"_id": "version"}, {"$inc": {"version": 1}}, upsert=True)
        await self.refresh()
        return self._version


def _in_force(protection_id: str) -> Document:
    return {"_id": protection_id, "withdrawn_at": None, "reference": {"$exists": True}}


def _protection(document: Document) -> Protection:
    return Protection.model_validate(_with_id(document))


def _with_id(document: Document) -> Document:
    return {**{k: v for k, v in document.items() if k != "_id"}, "protection_id": document["_id"]}
