"""What accepting uploads needs from outside, besides the buckets."""

from typing import Protocol

from direct311.media.uploads.domain import Verdict
from direct311.runtime.errors import TransientError


class CleanerBusyError(TransientError):
    """No verdict could be reached in time, through no fault of the upload."""


class Cleaner(Protocol):
    """Recognizes a file's type, and makes the clean copy of a picture."""

    async def clean(self, data: bytes, declared: str) -> Verdict:
        """The verdict on one upload, announced as media type `declared` (empty: not announced).

        The same bytes give the same verdict and the same copy, byte for byte, as long as the
        decoders are the same.

        :raises CleanerBusyError: try again.
        :raises UncleanCopyError: nothing of this file may be published.
        """
        ...


class Sealer(Protocol):
    """A record's key in memory."""

    def seal(self, field: str, value: bytes) -> bytes: ...


class Seals(Protocol):
    """Where the keys are."""

    async def sealer(self, record_id: str) -> Sealer:
        """The record's key, made now if there is none.

        :raises TransientError: the key, or the log of key use, cannot be reached.
        """
        ...
