"""Key providers: where key-encryption keys live. The vault never sees more than wrap and unwrap."""

import base64
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from direct311.runtime.errors import RuntimeFaultError


class KeyProviderError(RuntimeFaultError):
    """A key-encryption key is missing, malformed or the wrong one."""


class KeyProvider(Protocol):
    """Wraps data keys (32 bytes). `context` (the record id) is authenticated with the key."""

    @property
    def current(self) -> str:
        """The id of the key that new data keys are wrapped with."""
        ...

    async def wrap(self, data_key: bytes, context: str) -> tuple[str, bytes]:
        """The key-encryption key's id and the wrapped key."""
        ...

    async def unwrap(self, key_id: str, wrapped: bytes, context: str) -> bytes:
        """:raises KeyProviderError: unknown key id, or not what was wrapped."""
        ...


class FileKeyProvider:
    """For development: AES-256-GCM under keys in a file."""

    def __init__(self, current: str, keys: Mapping[str, bytes]) -> None:
        if current not in keys:
            raise KeyProviderError("the current key-encryption key is not in the file")
        if any(len(key) != 32 for key in keys.values()):
            raise KeyProviderError("a key-encryption key must have 32 bytes")
        self._current = current
        self._keys = {name: AESGCM(key) for name, key in keys.items()}

    @classmethod
    def from_file(cls, path: Path) -> "FileKeyProvider":
        """Read `{"current": id, "keys": {id: base64 of 32 bytes}}`."""
        try:
            document = json.loads(path.read_bytes())
            keys = {k: base64.b64decode(v, validate=True) for k, v in document["keys"].items()}
            current = document["current"]
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            raise KeyProviderError(
                f"{path.name} must hold current and keys; run the set-up again"
            ) from None
        return cls(current, keys)

    @property
    def current(self) -> str:
        return self._current

    async def wrap(self, data_key: bytes, context: str) -> tuple[str, bytes]:
        return self._current, self.wrap_now(data_key, context)

    def wrap_now(self, data_key: bytes, context: str) -> bytes:
        nonce = os.urandom(12)
        return nonce + self._keys[self._current].encrypt(nonce, data_key, context.encode())

    async def unwrap(self, key_id: str, wrapped: bytes, context: str) -> bytes:
        key = self._keys.get(key_id)
        if key is None:
            raise KeyProviderError("the key-encryption key is not known here")
        try:
            return key.decrypt(wrapped[:12], wrapped[12:], context.encode())
        except InvalidTag:
            raise KeyProviderError("the wrapped key does not open with its key") from None
