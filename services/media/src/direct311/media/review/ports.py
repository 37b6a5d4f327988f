"""What the review of files needs from outside, besides the stores that all capabilities share."""

from collections.abc import Sequence
from typing import Protocol

from direct311.media.decisions import Box
from direct311.media.review.domain import Burnt, FileFingerprints, Look, PageImage, Unrenderable
from direct311.runtime.errors import TransientError


class UnrenderableError(Exception):
    """The file cannot be rendered; `reason` says why."""

    def __init__(self, reason: Unrenderable) -> None:
        super().__init__(reason)
        self.reason = reason


class RendererBusyError(TransientError):
    """Nothing could be rendered in time, through no fault of the file."""


class FilesById(Protocol):
    """Which record has a file."""

    async def record_of(self, media_id: str) -> str | None:
        """The record's id, or `None` if no record has such a file."""
        ...


class Renderer(Protocol):
    """Renders a stranger's file where it can do no harm. The same file gives the same bytes, as
    long as the libraries are the same.

    Each call may raise `RendererBusyError`: try again.
    """

    async def look(self, data: bytes, content_type: str) -> Look:
        """The sizes of its pages, and what shows on none of them; or why it cannot be rendered."""
        ...

    async def page(self, data: bytes, content_type: str, number: int) -> PageImage:
        """One page, counted from 1.

        :raises UnrenderableError: `no_such_page`, or it cannot be rendered.
        """
        ...

    async def burn(self, data: bytes, content_type: str, boxes: Sequence[Box]) -> Burnt:
        """The whole file anew, from pixels with these boxes black.

        :raises UnrenderableError: it cannot be rendered, or has no page for a box.
        """
        ...

    async def fingerprint(
        self, data: bytes, content_type: str, record_id: str, boxes: Sequence[Box], key: bytes
    ) -> FileFingerprints:
        """What is withheld of the file, as keyed hashes; without boxes, all of it. What cannot be
        read has none but that of the file itself.

        :param record_id: from which it is withheld.
        :param key: of one build of a package.
        :raises UnrenderableError: nothing could be read.
        """
        ...
