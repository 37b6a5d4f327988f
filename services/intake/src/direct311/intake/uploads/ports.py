"""What files need from outside: the media service, and the tickets that were given out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from direct311.intake.uploads.domain import AnnouncedFile, UploadTicket
from direct311.schemas import Model
from direct311.schemas.events import UploadRef


class File(Model):
    """A file of a submission: declared content type and bytes. Its name is not kept."""

    content_type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Address:
    """Where to PUT the bytes of a file, with exactly these headers, and until when."""

    upload_id: str
    url: str = field(repr=False)
    headers: Mapping[str, str]
    expires_at: datetime


class Uploads(Protocol):
    """The media service's front door."""

    async def addresses(self, files: Sequence[AnnouncedFile]) -> Sequence[Address]:
        """A place in the incoming bucket for each file.

        :raises TransientError: the media service or the store does not answer.
        """
        ...

    async def examine(self, upload_ids: Sequence[str]) -> Mapping[str, tuple[int, str]]:
        """For the files that were uploaded: size in bytes, and SHA-256 in hexadecimal digits, by
        upload id.

        :raises TransientError: the media service or the store does not answer.
        """
        ...

    async def put(self, files: Sequence[File]) -> Sequence[UploadRef]:
        """Upload files to the incoming bucket.

        :raises TransientError: the media service or the store did not accept them.
        """
        ...

    async def withdraw(self, uploads: Sequence[UploadRef]) -> None:
        """Delete uploaded files that no request will name."""
        ...


class UploadTickets(Protocol):
    """The tickets that were given out."""

    async def keep(self, tickets: Sequence[UploadTicket]) -> None: ...

    async def get(self, upload_ids: Sequence[str]) -> Mapping[str, UploadTicket]: ...

    async def claim(self, upload_id: str, claim: str, record_id: str, at: datetime) -> bool:
        """Mark a ticket as named by this submission; returns whether it was unmarked before."""
        ...

    async def release(self, upload_ids: Sequence[str], claim: str) -> None:
        """Remove this submission's marks."""
        ...
