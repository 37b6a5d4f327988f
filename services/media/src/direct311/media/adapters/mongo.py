"""What the sweep asks of the documents, and the secret behind the names of public copies."""

import contextlib
import hashlib
import hmac
import os
from collections.abc import AsyncIterator, Sequence
from typing import Any

from direct311.runtime.storage.database import Collection, DuplicateError, Index

INDEXES = (
    Index([("files.media_id", 1)], name="media_id"),
    Index([("files.public.name", 1)], name="public_name", sparse=True),
)
"""Of the records, beside those of the runtime."""


class MongoHoldings:
    """Implements `Holdings` over the collection of records."""

    def __init__(self, records: Collection) -> None:
        self._records = records

    async def known_uploads(self, upload_ids: Sequence[str]) -> set[str]:
        files = self._files("files.media_id", upload_ids)
        return {file["media_id"] async for file in files} & set(upload_ids)

    async def named_copies(self, names: Sequence[str]) -> set[str]:
        files = self._files("files.public.name", names)
        return {file.get("public", {}).get("name") async for file in files} & set(names)

    async def living_records(self, record_ids: Sequence[str]) -> set[str]:
        query = {"_id": {"$in": list(record_ids)}, "lifecycle": {"$ne": "destroyed"}}
        return {document["_id"] async for document in self._records.find(query, {"_id": 1})}

    async def _files(self, path: str, values: Sequence[str]) -> AsyncIterator[dict[str, Any]]:
        """All files of the documents that have one of the values at `path`."""
        async for document in self._records.find({path: {"$in": list(values)}}, {"files": 1}):
            for file in document["files"]:
                yield file


class SecretTokens:
    """Implements `Tokens`: HMAC-SHA-256 of both ids under a secret of this database.

    The secret is made once and never changes, or repeats would leave copies behind. It lies beside
    the names, of which it tells no more than the documents themselves do.
    """

    _ID = "public-names"

    def __init__(self, collection: Collection) -> None:
        self._collection = collection
        self._secret: bytes | None = None

    async def token(self, record_id: str, media_id: str) -> str:
        if self._secret is None:
            self._secret = await self._read()
        about = f"{record_id}\0{media_id}".encode()
        return hmac.new(self._secret, about, hashlib.sha256).hexdigest()[:40]

    async def _read(self) -> bytes:
        while (document := await self._collection.find_one({"_id": self._ID})) is None:
            # Another copy of the service may be first: then its secret is the secret.
            with contextlib.suppress(DuplicateError):
                await self._collection.insert_one({"_id": self._ID, "secret": os.urandom(32)})
        return bytes(document["secret"])
