"""What all capabilities need from outside: the three buckets, and the names in the public one."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from direct311.media.record import CleanCopy


class Incoming(Protocol):
    """Where uploads wait, as they came, for minutes."""

    async def ticket(
        self, upload_id: str, expires: timedelta, content_type: str, size: int
    ) -> tuple[str, Mapping[str, str]]:
        """A URL that takes the upload's bytes by PUT until it expires, and the headers that must be
        sent with them: `size` bytes, announced as this type, once."""
        ...

    async def fetch(self, upload_id: str) -> bytes | None:
        """The bytes, or `None` where they never came or are gone."""
        ...

    async def discard(self, upload_id: str) -> None:
        """Remove them; nothing happens where there are none."""
        ...

    async def waiting(self) -> Sequence[tuple[str, datetime]]:
        """Upload ids and when their bytes came."""
        ...


class Originals(Protocol):
    """Sealed originals. What is written twice has two versions; what is removed has none."""

    async def put(self, record_id: str, media_id: str, sealed: bytes) -> None: ...

    async def get(self, record_id: str, media_id: str) -> bytes:
        """:raises MissingObjectError: there is none."""
        ...

    async def of_record(self, record_id: str) -> Sequence[str]:
        """The media ids under which something lies."""
        ...

    async def remove_all(self, record_id: str) -> tuple[int, int]:
        """Remove every version of every original of the record; how many, and their bytes."""
        ...

    async def records_of_shard(self, shard: int, older_than: datetime) -> Sequence[str]:
        """Record ids in one of 256 shards that have an object from before `older_than`."""
        ...


class Tokens(Protocol):
    """The unguessable part of a public copy's name."""

    async def token(self, record_id: str, media_id: str) -> str:
        """40 hexadecimal digits: the same each time, and not to be told from the ids."""
        ...


class Copies(Protocol):
    """Clean copies, for everybody who knows the name."""

    async def put(self, name: str, copy: CleanCopy) -> None: ...

    async def remove(self, names: Iterable[str]) -> None:
        """Remove these; nothing happens where there are none."""
        ...

    async def names_of_shard(self, shard: int, older_than: datetime) -> Sequence[str]:
        """Names in one of 256 shards that are from before `older_than`."""
        ...


@dataclass(frozen=True, slots=True)
class Buckets:
    """Where a file may lie: as it came, sealed, and as a clean copy under a name of its token."""

    incoming: Incoming
    originals: Originals
    copies: Copies
    tokens: Tokens
