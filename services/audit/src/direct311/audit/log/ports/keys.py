"""The keys of the log's bodies."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A body key as stored.

    `reference`: 16 random bytes, by which leaves name it. `wrapped` (under `kek_id`) is empty once
    the key was destroyed. No key-encryption key wraps the key of an entry about several records:
    `copies` has it wrapped under each record's key, by name.
    """

    name: str
    reference: bytes
    created_at: datetime
    kek_id: str = ""
    wrapped: bytes = b""
    copies: Mapping[str, bytes] = field(default_factory=dict)


class BodyKeys(Protocol):
    """The keys of the log's bodies."""

    async def named(self, names: Iterable[str]) -> Mapping[str, StoredKey]:
        """By name; includes destroyed keys, without their content."""
        ...

    async def destroyed(self, names: Iterable[str]) -> set[str]:
        """The records whose key was destroyed."""
        ...

    async def insert_new(self, keys: Sequence[StoredKey]) -> None:
        """Store those whose name is new, and leave the others as they are."""
        ...

    async def fetch_for(
        self, references: Iterable[bytes], event_id: str, at: datetime
    ) -> Mapping[bytes, StoredKey]:
        """By reference, after the access event's id was left on each."""
        ...
