"""What the handlers need from outside."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from direct311.media.domain import CleanCopy, Verdict
from direct311.runtime.errors import TransientError


class CleanerBusyError(TransientError):
    """No verdict could be reached in time, through no fault of the upload."""


class UncleanCopyError(Exception):
    """A copy holds something other than pixels. Never published; a fault of ours."""


class Cleaner(Protocol):
    """Tells what a file is and makes the clean copy of a picture."""

    async def clean(self, data: bytes, declared: str) -> Verdict:
        """The verdict on one upload, announced as media type `declared` (empty: not announced).

        The same bytes give the same verdict and the same copy, byte for byte, as long as the
        decoders are the same.

        :raises CleanerBusyError: try again.
        :raises UncleanCopyError: nothing of this file may be published.
        """
        ...


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


class Sealer(Protocol):
    """A record's key in hand."""

    def seal(self, field: str, value: bytes) -> bytes: ...


class Seals(Protocol):
    """Where the keys are."""

    async def sealer(self, record_id: str) -> Sealer:
        """The record's key, made now where it has none.

        :raises TransientError: the key, or the log of key use, cannot be reached.
        """
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


class Holdings(Protocol):
    """What the documents speak of, for the sweep."""

    async def known_uploads(self, upload_ids: Sequence[str]) -> set[str]:
        """Those that are in a document: examined, and no longer needed where they waited."""
        ...

    async def named_copies(self, names: Sequence[str]) -> set[str]:
        """Those that a document names."""
        ...

    async def living_records(self, record_ids: Sequence[str]) -> set[str]:
        """Those with a document that is no tombstone."""
        ...
