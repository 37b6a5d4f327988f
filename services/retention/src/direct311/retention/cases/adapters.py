"""Case files in the database, their documents in the store, the kinds of cases from their file."""

import hashlib
import re
from collections.abc import Collection, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from direct311.retention.case_file.packages import CasePackages, build_name
from direct311.retention.cases.domain import CaseFile, CaseKind, CaseRules, case_problems
from direct311.retention.record import ReleasedWith
from direct311.runtime.access.roles import ROLES
from direct311.runtime.datafile import load, packaged
from direct311.runtime.parameters import FIRST, LAST
from direct311.runtime.storage.database import Document, Index, MongoRecords
from direct311.runtime.storage.objects import ObjectStore

BUCKET: Final = "direct311-cases"
_PIECE_OF_BUILD: Final = re.compile(
    rf"[0-9a-f]{{2}}/(?P<case>[^/]+)/{re.escape(build_name(''))}(?P<build>[^/]+)/.+"
)


class MongoCases:
    """Implements `Cases`, and the certificates' `Releases`, over the collection of the runtime's
    records."""

    INDEXES = (
        Index([("kind", 1), ("_id", 1)], name="kind", sparse=True),
        # Two calls with the same key at the same time open one case.
        Index([("public_receipt.mark", 1)], name="mark", unique=True, sparse=True),
        Index([("public_receipt.token_hashes", 1)], name="token", sparse=True),
        Index([("packages.parts.record_id", 1)], name="collected", sparse=True),
        Index([("packages.packages.released_at", 1), ("_id", 1)], name="released", sparse=True),
        Index([("unfiled", 1)], name="unfiled", partialFilterExpression={"unfiled": True}),
    )

    def __init__(self, records: MongoRecords[CaseFile]) -> None:
        self._records = records

    async def released_with(self, record_ids: Sequence[str]) -> Sequence[tuple[str, ReleasedWith]]:
        query = {"packages.parts.record_id": {"$in": list(record_ids)}}
        wanted, found = {*record_ids}, []
        async for document in self._records.collection.find(query, {"packages.parts": 1}):
            packages = CasePackages.model_validate(document["packages"])
            found += [
                (record_id, ReleasedWith(case_id=document["_id"], package=package))
                for record_id, package in packages.went_out_in.items()
                if record_id in wanted
            ]
        return found

    async def page(
        self, kinds: Collection[CaseKind], after: str | None, limit: int
    ) -> Sequence[CaseFile]:
        query: Document = {"kind": {"$in": sorted(kinds)}, "lifecycle": "active"}
        if after is not None:
            query["_id"] = {"$gt": after}
        return await self._read(query, limit)

    async def submitted(self, mark: str) -> CaseFile | None:
        return next(iter(await self._read({"public_receipt.mark": mark}, 1)), None)

    async def of_token(self, token_hash: str) -> CaseFile | None:
        query = {"public_receipt.token_hashes": token_hash, "lifecycle": "active"}
        return next(iter(await self._read(query, 1)), None)

    async def released(
        self, since: datetime | None, until: datetime | None, first: str | None, limit: int
    ) -> Sequence[CaseFile]:
        time = {"$gte": since or FIRST, "$lt": until or LAST}
        query: Document = {
            "packages.packages": {"$elemMatch": {"released_at": time}},
            "lifecycle": "active",
        }
        if first is not None:
            query["_id"] = {"$gte": first}
        return await self._read(query, limit)

    async def unfiled(self, limit: int) -> Sequence[CaseFile]:
        return await self._read({"unfiled": True, "lifecycle": "active"}, limit)

    async def _read(self, query: Document, limit: int) -> Sequence[CaseFile]:
        cursor = self._records.collection.find(query).sort([("_id", 1)]).limit(limit)
        return [self._records.stored(document).state async for document in cursor]


def awaited(file: CaseFile) -> Document:
    """What is stored beside a case file, so that a query finds it: whether its requester waits."""
    return {"awaits_the_county": True} if file.awaits_the_county else {}


class StoreDocuments:
    """Implements `SealedDocuments`: `<shard>/<case>/<sha256>` in a versioned bucket, ciphertext."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    async def put(self, case_id: str, sha256: str, sealed: bytes) -> None:
        await self._store.put(BUCKET, _folder(case_id) + sha256, sealed)

    async def get(self, case_id: str, sha256: str) -> bytes:
        return await self._store.get(BUCKET, _folder(case_id) + sha256)

    async def remove(self, case_id: str, name: str) -> None:
        await self._store.remove_every_version(BUCKET, _folder(case_id) + name)

    async def builds_of_shard(self, shard: int, older_than: datetime) -> Sequence[tuple[str, str]]:
        newest: dict[tuple[str, str], datetime] = {}
        for info in await self._store.list(BUCKET, f"{shard:02x}/"):
            if found := _PIECE_OF_BUILD.fullmatch(info.name):
                build = found["case"], found["build"]
                newest[build] = max(newest.get(build, info.modified_at), info.modified_at)
        return sorted(build for build, at in newest.items() if at < older_than)

    async def remove_all(self, case_id: str) -> tuple[int, int]:
        return await self._store.remove_every_version(BUCKET, _folder(case_id))


def load_case_rules(path: Path | None = None) -> CaseRules:
    """The county's own file at `path`, or the packaged one.

    :raises DataFileError: the file is invalid.
    """
    source = path or packaged("direct311.retention", "cases.yaml")
    return load(CaseRules, source, lambda each: case_problems(each, ROLES.people)).content


def _folder(case_id: str) -> str:
    shard = hashlib.sha256(case_id.encode()).hexdigest()[:2]
    return f"{shard}/{case_id}/"
