"""What taking uploads in needs from outside, beside the buckets."""

from typing import Protocol

from direct311.media.uploads.domain import Verdict
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
