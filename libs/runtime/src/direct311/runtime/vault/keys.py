"""Key providers: where key-encryption keys live. The vault never sees more than wrap and unwrap.

A provider of another kind is a module of its own (`transit`, `awskms`); `providers` reads which
of them a service uses from its settings.
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
    """A key-encryption key is missing, malformed or the wrong one."""


class KeyServiceError(TransientError):
    """The server that holds the keys does not answer, or not now; it may work later."""


class KeyServiceDeniedError(KeyServiceError):
    """The server refuses: the service's account there lacks a right, or the key is switched off.

    Nothing is wrong with what was wrapped; it works again once an operator has mended that.
    """


class KeyProvider(Protocol):
    """Wraps data keys (32 bytes). `context` (the record id) is authenticated with the key.

    Calls that are under way at once may share one to a server: who has many makes them at once.
    """

    async def current(self) -> str:
        """The id of the key that new data keys are wrapped with.

        :raises KeyProviderError: there is no such key.
        :raises KeyServiceError: the server does not answer or refuses.
        """
        ...

    def owns(self, key_id: str) -> bool:
        """Whether an id of a key-encryption key is of this provider's kind."""
        ...

    async def wrap(self, data_key: bytes, context: str) -> tuple[str, bytes]:
        """The key-encryption key's id and the wrapped key.

        :raises KeyServiceError: the server does not answer or refuses.
        """
        ...

    async def unwrap(self, key_id: str, wrapped: bytes, context: str) -> bytes:
        """:raises KeyProviderError: unknown key id, or not what was wrapped.
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
            raise KeyProviderError("a key-encryption key's name has no colon")
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
            raise KeyProviderError(f"what {key_id} wrapped does not open with it") from None


class KeyProviders:
    """The first wraps; each unwraps what it wrapped. So a county moves from one to another."""

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
