"""The secret behind the names of public copies."""

import contextlib
import hashlib
import hmac
import os

from direct311.runtime.storage.database import Collection, DuplicateError


class SecretTokens:
    """Implements `Tokens`: HMAC-SHA-256 of both ids under a secret of this database.

    The secret is made once and never changes, because otherwise repeats would leave copies behind.
    It is stored next to the names, about which it reveals no more than the documents do.
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
            # Another copy of the service may be first; then its secret is used.
            with contextlib.suppress(DuplicateError):
                await self._collection.insert_one({"_id": self._ID, "secret": os.urandom(32)})
        return bytes(document["secret"])
