"""Key providers: where key-encryption keys are kept. The vault sees only wrap and unwrap.

Other kinds of providers have their own modules (`transit`, `awskms`); `providers` reads from a
service's settings which ones it uses.
"""

import base64
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from direct311.runtime.errors import RuntimeFaultError, TransientError


class KeyProviderError(RuntimeFaultError):
    """A key-encryption key is missing, malformed or wrong."""


class KeyServiceError(TransientError):
    """The key server does not answer now; it may work later."""


class KeyServiceDeniedError(KeyServiceError):
    """The server refuses: the service's account there lacks a right, or the key is disabled.
    Nothing is wrong with the wrapped keys; they work again once an operator has fixed this.
    """


class KeyProvider(Protocol):
    """Wraps data keys (32 bytes). `context` (the record id) is authenticated with the key.

    Concurrent calls may share one call to a server, so a caller with many keys should make its
    calls at once.
    """

    async def current(self) -> str:
        """The id of the key that wraps new data keys.

        :raises KeyProviderError: there is no such key.
        :raises KeyServiceError: the server does not answer or refuses.
        """
        ...

    def owns(self, key_id: str) -> bool:
        """Whether this provider handles this kind of key-encryption key id."""
        ...

    async def wrap(self, data_key: bytes, context: str) -> tuple[str, bytes]:
        """The key-encryption key's id and the wrapped key.

        :raises KeyServiceError: the server does not answer or refuses.
        """
        ...

    async def unwrap(self, key_id: str, wrapped: bytes, context: str) -> bytes:
        """:raises KeyProviderError: the key id is unknown, or the key did not wrap this.
        :raises KeyServiceError: the server does not answer or refuses.
        """
        ...


class FileKeyProvider:
    """For development: AES-256-GCM under keys in a file."""

    def __init__(self, current: str, keys: Mapping[str, bytes], name: str = "the key file") -> None:
        self._name = name
        if current not in keys:
            raise KeyProviderError("the current key-encryption key is not in the file")
        if any(len(key) != 32 for key in keys.values()):
            raise KeyProviderError("a key-encryption key must have 32 bytes")
        if any(":" in name for name in keys):
            raise KeyProviderError("a key-encryption key's name must not contain a colon")
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
        return cls(current, keys, path.name)

    async def current(self) -> str:
        return self._current

    def owns(self, key_id: str) -> bool:
        return ":" not in key_id

    async def wrap(self, data_key: bytes, context: str) -> tuple[str, bytes]:
        return self._current, self.wrap_now(data_key, context)

    def wrap_now(self, data_key: bytes, context: str) -> bytes:
        nonce = os.urandom(12)
        return nonce + self._keys[self._current].encrypt(nonce, data_key, context.encode())

    async def unwrap(self, key_id: str, wrapped: bytes, context: str) -> bytes:
        key = self._keys.get(key_id)
        if key is None:
            raise KeyProviderError(f"the key-encryption key {key_id} is not in {self._name}")
        try:
            return key.decrypt(wrapped[:12], wrapped[12:], context.encode())
        except (InvalidTag, ValueError):
            raise KeyProviderError(f"{key_id} does not unwrap what it wrapped") from None


class KeyProviders:
    """The first provider wraps; each unwraps what it wrapped. This lets a county move from one to
    another."""

    def __init__(self, providers: Sequence[KeyProvider]) -> None:
        self._providers = providers

    async def current(self) -> str:
        return await self._providers[0].current()

    def owns(self, key_id: str) -> bool:
        return any(each.owns(key_id) for each in self._providers)

    async def wrap(self, data_key: bytes, context: str) -> tuple[str, bytes]:
        return await self._providers[0].wrap(data_key, context)

    async def unwrap(self, key_id: str, wrapped: bytes, context: str) -> bytes:
        for each in self._providers:
            if each.owns(key_id):
                return await each.unwrap(key_id, wrapped, context)
        raise KeyProviderError(f"no key provider is set for {key_id}")
