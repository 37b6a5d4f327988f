"""Requests and the protection registry in MongoDB."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from direct311.intake.adapters import listing
from direct311.intake.adapters.listing import MongoListing
from direct311.intake.domain.protection import Disposal, Ending, Protection
from direct311.intake.domain.request import EARLIER, READINGS, SENDERS, Mark, ServiceRequest
from direct311.intake.open311.queries import RequestQuery
from direct311.runtime.clock import Clock
from direct311.runtime.database import Collection, Document, Index, MongoRecords
from direct311.runtime.keys import KeyProviderError
from direct311.runtime.pacing import paced


class IndexKeys(Protocol):
    """What can be told of the index keys in force."""

    @property
    def versions(self) -> tuple[int, ...]: ...

    def fingerprint(self, version: int) -> str: ...


INDEXED = ("phone", "email", "name", "home", "place", EARLIER, SENDERS)
"""Kinds of index values that the protection registry goes by."""


class MongoRequests:
    """`Requests` over the collection that the runtime's records lie in."""

    INDEXES = (
        Index([("idempotency", 1)], name="idempotency", unique=True, sparse=True),
        Index([("token", 1)], name="token", unique=True, sparse=True),
        Index([("registry_version", 1)], name="registry", sparse=True),
        Index([("images", 1)], name="images", sparse=True),
        Index([("marked_at", 1)], name="marked", sparse=True),
        Index([("mail_after", 1)], name="mail", sparse=True),
        Index([("indexes.phone", 1)], name="phone", sparse=True),
        Index([("indexes.email", 1)], name="email", sparse=True),
        Index([("indexes.name", 1)], name="name", sparse=True),
        *listing.INDEXES,
        Index([("indexes.home", 1)], name="home", sparse=True),
        Index([("indexes.place", 1)], name="place", sparse=True),
        Index([("indexes.earlier", 1)], name="earlier", sparse=True),
        Index([("indexes.senders", 1)], name="senders", sparse=True),
        Index([("home_unread_at", 1)], name="homes_unread", sparse=True),
    )

    def __init__(self, records: MongoRecords[ServiceRequest], clock: Clock) -> None:
        self._records = records
        self._listing = MongoListing(records.collection, clock)

    async def get(self, record_id: str) -> ServiceRequest | None:
        document = await self._records.collection.find_one(
            {"_id": record_id, "lifecycle": "active"}
        )
        return self._records.stored(document).state if document else None

    async def public(self, record_id: str) -> ServiceRequest | None:
        """What the public may see of the request with this number, unless it must not find it.

        As in lists, `duplicate_of` is there only where the request that it names is listed.
        """
        document = await self._records.collection.find_one(
            {"_id": record_id, "lifecycle": "active"}, listing.PROJECTION
        )
        found = self._records.stored(document).state if document else None
        if found is None or not found.is_public:
            return None
        (told,) = await self._without_hidden([found])
        return told

    async def by_token(self, token: str) -> ServiceRequest | None:
        """The batch request that was answered with this token."""
        document = await self._records.collection.find_one({"token": token, "lifecycle": "active"})
        return self._records.stored(document).state if document else None

    async def with_index(self, field: str, values: Sequence[str], limit: int) -> Sequence[str]:
        wanted = {f"indexes.{field}": {"$in": list(values)}}
        cursor = self._records.collection.find(wanted, {"_id": 1})
        return [document["_id"] async for document in cursor.limit(limit)]

    async def indexed_otherwise(
        self, versions: Sequence[int], after: str, limit: int
    ) -> Sequence[ServiceRequest]:
        wanted = {"_id": {"$gt": after}, **_otherwise(versions)}
        cursor = self._records.collection.find(wanted).sort("_id", 1).limit(limit)
        return [self._records.stored(document).state async for document in cursor]

    async def count_otherwise(self, versions: Sequence[int]) -> int:
        return await self._records.collection.count_documents(_otherwise(versions))

    async def homes_unread(self, after: str, limit: int) -> Sequence[ServiceRequest]:
        wanted = {
            "home_unread_at": {"$exists": True},
            "_id": {"$gt": after},
            "lifecycle": "active",
        }
        cursor = self._records.collection.find(wanted).sort("_id", 1).limit(limit)
        return [self._records.stored(document).state async for document in cursor]

    async def indexes_of(
        self, record_ids: Sequence[str]
    ) -> Mapping[str, Mapping[str, Sequence[str]]]:
        found: dict[str, Mapping[str, Sequence[str]]] = {}
        for start in range(0, len(record_ids), 1000):
            chunk = list(record_ids[start : start + 1000])
            cursor = self._records.collection.find(
                {"_id": {"$in": chunk}, "lifecycle": "active"}, {"indexes": 1}
            )
            async for document in cursor:
                found[document["_id"]] = document.get("indexes") or {}
        return found

    async def listed(self, query: RequestQuery) -> Sequence[ServiceRequest]:
        """One page of the public list, newest first; by ids, what there is of them."""
        if query.ids:
            first = (query.page - 1) * query.page_size
            ids = list(query.ids[first : first + query.page_size])
            wanted: Document = {
                "_id": {"$in": ids},
                "lifecycle": "active",
                # Never public, by number as little as in a list.
                "delivery": {"$ne": "blackbox"},
            }
            cursor = self._records.collection.find(wanted, listing.PROJECTION)
            states = await self._states(await cursor.to_list(None))
            found = {state.record_id: state for state in states}
            return await self._without_hidden([found[each] for each in ids if each in found])
        return await self._without_hidden(await self._states(await self._listing.page(query)))

    async def _states(self, documents: Sequence[Document]) -> list[ServiceRequest]:
        return [self._records.stored(document).state async for document in paced(documents)]

    async def _without_hidden(self, found: Sequence[ServiceRequest]) -> Sequence[ServiceRequest]:
        """These, none of which names a duplicate that no list shows: its place is withheld, and
        would be known from the one that names it."""
        named = {each.duplicate_of for each in found if each.duplicate_of}
        if not named:
            return found
        wanted: Document = {"_id": {"$in": sorted(named)}, "lifecycle": "active", "listed": True}
        cursor = self._records.collection.find(wanted, {"_id": 1})
        shown = {None, *[document["_id"] async for document in cursor]}
        return [
            each if each.duplicate_of in shown else each.model_copy(update={"duplicate_of": None})
            for each in found
        ]

    async def with_mail(self, at: datetime, limit: int) -> Sequence[str]:
        cursor = self._records.collection.find(
            {"mail_after": {"$lte": at}, "lifecycle": "active"}, {"_id": 1}
        )
        return [document["_id"] async for document in cursor.limit(limit)]

    async def unchecked(self, registry_version: int, limit: int) -> Sequence[str]:
        """Ids of requests that were checked against an older registry."""
        cursor = self._records.collection.find(
            # Where all are checked, a range up to the version before is empty.
            {"registry_version": {"$lte": registry_version - 1}, "lifecycle": "active"},
            {"_id": 1},
        )
        return [document["_id"] async for document in cursor.limit(limit)]

    async def unchecked_with(
        self, hashes: Sequence[str], registry_version: int, limit: int
    ) -> Sequence[str]:
        """Those of `unchecked` that have one of these index values, of whatever kind."""
        found: dict[str, None] = {}
        # One question each: every kind has an index of its own.
        for kind in INDEXED:
            wanted = {
                f"indexes.{kind}": {"$in": list(hashes)},
                "registry_version": {"$lte": registry_version - 1},
                "lifecycle": "active",
            }
            cursor = self._records.collection.find(wanted, {"_id": 1}).limit(limit)
            found |= {document["_id"]: None async for document in cursor}
        return list(found)

    async def marked(
        self, mark: Mark | None, before: datetime, limit: int
    ) -> Sequence[ServiceRequest]:
        """Requests that were marked before then, newest first."""
        wanted: Document = {"marked_at": {"$lt": before}, "lifecycle": "active"}
        if mark is not None:
            wanted["marks"] = mark
        cursor = self._records.collection.find(wanted).sort("marked_at", -1).limit(limit)
        return [self._records.stored(document).state async for document in cursor]

    async def count(self) -> dict[str, int]:
        """Requests by status; tombstones do not count."""
        groups = self._records.collection.aggregate(
            [
                {"$match": {"lifecycle": "active"}},
                {"$group": {"_id": "$status", "n": {"$sum": 1}}},
            ]
        )
        return {group["_id"]: group["n"] async for group in groups}


def _otherwise(versions: Sequence[int]) -> Document:
    return {
        "lifecycle": "active",
        "$or": [
            {"index_versions": {"$ne": list(versions)}},
            {"index_readings": {"$ne": READINGS}},
        ],
    }


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
        """:raises KeyProviderError: keys that are needed are gone, or others under their number."""
        known = {each["_id"]: each["fingerprint"] async for each in self._checks.find({})}
        for version, fingerprint in known.items():
            if version not in self._keys.versions:
                await self._without(version)
            elif fingerprint != self._keys.fingerprint(version):
                raise KeyProviderError(
                    f"version {version} of the index keys is not what was used so far"
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
                    # Of before the versions were noted.
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
                "index keys, which is not in the file. Put it back among the older ones; it can be "
                "taken away once `direct311 keys reindex` is done and the protections are entered "
                "anew."
            )
        await self._checks.delete_one({"_id": version})


class MongoProtections:
    """`Protections`: all hashes are held in memory and read again when the version moves.

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
        """Read what changed; whether anything did."""
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
        """Store an entry, or the same one again; the registry's new version."""
        document = protection.model_dump(mode="python")
        document["_id"] = document.pop("protection_id")
        await self._collection.replace_one({"_id": document["_id"]}, document, upsert=True)
        return await self._moved()

    async def propose_ending(self, protection_id: str, ending: Ending) -> None:
        """Note who wants an entry in force ended; the first who does."""
        await self._collection.update_one(
            {**_in_force(protection_id), "ending": None},
            {"$set": {"ending": ending.model_dump(mode="python")}},
        )

    async def confirm_ending(self, protection_id: str, ending: Ending) -> None:
        """Put this in the place of the same ending, where nobody has confirmed it."""
        await self._collection.update_one(
            {
                **_in_force(protection_id),
                "ending.ending_id": ending.ending_id,
                "ending.confirmed_at": None,
            },
            {"$set": {"ending": ending.model_dump(mode="python")}},
        )

    async def undo_ending(self, protection_id: str, ending_id: str) -> None:
        """Take an ending back, where the entry is in force."""
        await self._collection.update_one(
            {**_in_force(protection_id), "ending.ending_id": ending_id}, {"$set": {"ending": None}}
        )

    async def due_endings(self, at: datetime) -> Sequence[Protection]:
        """Entries in force that are to be ended by now."""
        cursor = self._collection.find({"withdrawn_at": None, "ending.ends_at": {"$lte": at}})
        return [_protection(document) async for document in cursor]

    async def end(self, protection_id: str, ending_id: str, at: datetime) -> tuple[str, ...] | None:
        """End an entry, where this ending is due by now, and keep that it was there. The hashes
        that it had; `None` where it is not."""
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
        """Note who wants a withdrawn entry destroyed; the first who does."""
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
        """Put this in the place of the entry that was proposed so; nothing else of it is kept."""
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
