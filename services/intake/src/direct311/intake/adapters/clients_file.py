"""API clients from a file; keys are compared as hashes."""

import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from direct311.intake.domain.clients import Client
from direct311.runtime.errors import RuntimeFaultError


class ClientsFileError(RuntimeFaultError):
    """The file of API clients cannot be used; names the entry."""


class FileClients:
    """Clients by key."""

    def __init__(self, by_hash: Mapping[str, Client]) -> None:
        self._by_hash = dict(by_hash)

    @classmethod
    def from_file(cls, path: Path) -> "FileClients":
        """Read a JSON list of clients.

        :raises ClientsFileError: unreadable, malformed, or two clients with one key.
        """
        try:
            clients = TypeAdapter(list[Client]).validate_python(json.loads(path.read_bytes()))
        except (OSError, ValueError, ValidationError):
            raise ClientsFileError(f"{path.name} must be a list of clients") from None
        by_hash = {client.key_sha256.lower(): client for client in clients}
        if len(by_hash) != len(clients):
            raise ClientsFileError(f"{path.name}: two clients have the same key")
        return cls(by_hash)

    def by_key(self, key: str) -> Client | None:
        """The client with this key. Looked up by hash, so that timing tells nothing of the key."""
        return self._by_hash.get(sha256(key.encode()).hexdigest())
