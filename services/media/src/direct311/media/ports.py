"""What the handlers need from outside."""

from typing import Protocol

from direct311.media.domain import Verdict


class CleanerError(Exception):
    """No verdict could be reached, through no fault of the upload. Trying again may help."""


class Cleaner(Protocol):
    """Tells what a file is and makes the clean copy of a picture."""

    async def clean(self, data: bytes, declared: str) -> Verdict:
        """The verdict on one upload, announced as media type `declared` (empty: not announced).

        The same bytes give the same verdict and the same copy, byte for byte, as long as the
        decoders are the same.

        :raises CleanerError: no time, no process, or a clean copy that was not clean.
        """
        ...
