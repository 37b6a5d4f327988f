"""What all capabilities need from outside: the three buckets, and the names in the public one."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from direct311.media.record import CleanCopy


class UncleanCopyError(Exception):
    """A copy contains something other than pixels. Never published; this is our own fault."""


class Incoming(Protocol):
    """Where uploads wait for minutes, as received."""

    async def ticket(
        self, upload_id: str, expires: timedelta, content_type: str, size: int
    ) -> tuple[str, Mapping[str, str]]:
        """A URL that accepts the upload's bytes by PUT until it expires, and the headers to send
        with them: exactly `size` bytes of this type, once."""
        ...

    async def fetch(self, upload_id: str) -> bytes | None:
        """The bytes, or `None` if they never arrived or were removed."""
        ...

    async def discard(self, upload_id: str) -> None:
        """Remove them; does nothing if there are none."""
        ...

    async def waiting(self) -> Sequence[tuple[str, datetime]]:
        """Upload ids, and when their bytes arrived."""
        ...


class Originals(Protocol):
    """Sealed originals. Writing one twice makes two versions; removing one leaves none."""

    async def put(self, record_id: str, media_id: str, sealed: bytes) -> None: ...

    async def get(self, record_id: str, media_id: str) -> bytes:
        """:raises MissingObjectError: it does not exist."""
        ...

    async def of_record(self, record_id: str) -> Sequence[str]:
        """The media ids that have an object."""
        ...

    async def remove_all(self, record_id: str) -> tuple[int, int]:
        """Remove every version of every original of the record; returns how many, and their
        bytes."""
        ...

    async def records_of_shard(self, shard: int, older_than: datetime) -> Sequence[str]:
        """Record ids in one of 256 shards that have an object from before `older_than`."""
        ...


class Tokens(Protocol):
    """The unguessable part of a public copy's name."""

    async def token(self, record_id: str, media_id: str) -> str:
        """40 hexadecimal digits: the same each time, and not derivable from the ids."""
        ...


class Copies(Protocol):
    """Clean copies, for anybody who knows the name."""

    async def put(self, name: str, copy: CleanCopy) -> None: ...

    async def remove(self, names: Iterable[str]) -> None:
        """Remove these; does nothing if there are none."""
        ...

    async def names_of_shard(self, shard: int, older_than: datetime) -> Sequence[str]:
        """Names in one of 256 shards that are from before `older_than`."""
        ...


@dataclass(frozen=True, slots=True)
class Buckets:
    """Where a file may be stored: as received, sealed, and as a clean copy under a name from its
    token."""

    incoming: Incoming
    originals: Originals
    copies: Copies
    tokens: Tokens
