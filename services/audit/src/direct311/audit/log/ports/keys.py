"""The keys of the log's bodies."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A body key as it is kept.

    `reference`: 16 random bytes, by which leaves name it. `wrapped` (under `kek_id`) is empty once
    the key was destroyed. The key of an entry about several records is not wrapped by a
    key-encryption key: `copies` holds it wrapped under the key of each of them, by name.
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
        """By name; destroyed ones too, without what they held."""
        ...

    async def destroyed(self, names: Iterable[str]) -> set[str]:
        """Those of the records whose key was destroyed."""
        ...

    async def insert_new(self, keys: Sequence[StoredKey]) -> None:
        """Store those whose name is new, and leave the others as they are."""
        ...

    async def fetch_for(
        self, references: Iterable[bytes], event_id: str, at: datetime
    ) -> Mapping[bytes, StoredKey]:
        """By reference, after the access event's id was left on each."""
        ...
