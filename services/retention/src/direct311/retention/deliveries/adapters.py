"""Encrypts with pyrage, and finds case files by one-time codes."""

from typing import BinaryIO, cast

import pyrage

from direct311.retention.cases.domain import CaseFile
from direct311.runtime.errors import RefusedError
from direct311.runtime.storage.database import Index, MongoRecords

PREFIX = "age1"


class AgeEncryption:
    """Implements `Encryption`. Keys are those of `age-keygen` (X25519)."""

    def check(self, key: str) -> None:
        _recipient(key)

    def to_key(self, plain: BinaryIO, out: BinaryIO, key: str) -> None:
        pyrage.encrypt_io(plain, out, [_recipient(key)])

    def with_passphrase(self, plain: bytes, passphrase: str) -> bytes:
        return cast("bytes", pyrage.passphrase.encrypt(plain, passphrase))


class MongoCodeCases:
    """Implements `CodeCases` over the collection of the case desk."""

    INDEXES = (Index([("deliveries.list.codes.code_hash", 1)], name="delivery_code", sparse=True),)

    def __init__(self, records: MongoRecords[CaseFile]) -> None:
        self._records = records

    async def of_code(self, code_hash: str) -> CaseFile | None:
        query = {"deliveries.list.codes.code_hash": code_hash, "lifecycle": "active"}
        found = await self._records.collection.find_one(query)
        return None if found is None else self._records.stored(found).state


def _recipient(key: str) -> "pyrage.x25519.Recipient":
    """:raises RefusedError: this is no public key."""
    try:
        if not key.startswith(PREFIX):
            raise ValueError("another kind of key")
        return pyrage.x25519.Recipient.from_str(key)
    except (ValueError, pyrage.RecipientError):
        # Its message would repeat what was sent.
        raise RefusedError(
            "recipient_key", "This is no public key such as age-keygen makes: age1….", field="key"
        ) from None
