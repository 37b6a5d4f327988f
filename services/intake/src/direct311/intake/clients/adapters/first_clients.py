"""The front ends that a county begins with: a file that is imported into the database once."""

import json
from datetime import datetime
from pathlib import Path
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError

from direct311.intake.clients.domain.clients import Client, ClientKey, Environment, Flag, Quota
from direct311.runtime.errors import RuntimeFaultError
from direct311.schemas import Model, derived_id


class ClientsFileError(RuntimeFaultError):
    """The file of API clients cannot be used."""


class _Entry(Model):
    client_id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]
    name: str
    key_sha256: Annotated[str, Field(pattern=r"^[0-9a-fA-F]{64}$")]
    prefix: Annotated[str, Field(max_length=14)] = ""
    flags: tuple[Flag, ...] = ()
    jurisdictions: tuple[str, ...] = ("miamidade",)
    channel: str = "app"
    origins: tuple[str, ...] = ()
    quota: Quota = Quota()


def read_clients(path: Path | None, environment: Environment, at: datetime) -> list[Client]:
    """The clients in a JSON list, each with one key of which only the hash is known; empty if there
    is no file.

    :raises ClientsFileError: the file is unreadable or malformed, or two clients have the same id
    or key.
    """
    if path is None:
        return []
    try:
        entries = TypeAdapter(list[_Entry]).validate_python(json.loads(path.read_bytes()))
    except (OSError, ValueError, ValidationError):
        raise ClientsFileError(f"{path.name} must be a list of clients") from None
    ids, hashes = ({each.client_id for each in entries}, {each.key_sha256 for each in entries})
    if len(ids) < len(entries) or len(hashes) < len(entries):
        raise ClientsFileError(f"{path.name}: two clients have the same id or key")
    return [_client(each, environment, at) for each in entries]


def _client(entry: _Entry, environment: Environment, at: datetime) -> Client:
    key = ClientKey(
        key_id=derived_id(_FIRST, entry.client_id),
        prefix=entry.prefix,
        sha256=entry.key_sha256.lower(),
        created_at=at,
    )
    return Client(
        **entry.model_dump(exclude={"key_sha256", "prefix", "quota"}),
        quota=entry.quota,
        environment=environment,
        keys=(key,),
        created_at=at,
    )


_FIRST = "5b0b5c0e-9f0c-5b0e-8d3b-3f2a1c7d9e10"
