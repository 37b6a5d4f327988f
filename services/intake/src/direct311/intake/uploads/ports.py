"""What files need of the world: the media service, and the tickets that were given out."""

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
    """Where the bytes of a file are to be brought, by PUT with just these headers, until when."""

    upload_id: str
    url: str = field(repr=False)
    headers: Mapping[str, str]
    expires_at: datetime


class Uploads(Protocol):
    """The media service's front door."""

    async def addresses(self, files: Sequence[AnnouncedFile]) -> Sequence[Address]:
        """A place in the incoming bucket for each file.

        :raises TransientError: media or the store does not answer.
        """
        ...

    async def examine(self, upload_ids: Sequence[str]) -> Mapping[str, tuple[int, str]]:
        """Of those that were brought: size in bytes, and SHA-256 in hex, by upload id.

        :raises TransientError: media or the store does not answer.
        """
        ...

    async def put(self, files: Sequence[File]) -> Sequence[UploadRef]:
        """Bring files to the incoming bucket.

        :raises TransientError: media or the store did not take them.
        """
        ...

    async def withdraw(self, uploads: Sequence[UploadRef]) -> None:
        """Take files back that no request will name."""
        ...


class UploadTickets(Protocol):
    """The tickets that were given out."""

    async def keep(self, tickets: Sequence[UploadTicket]) -> None: ...

    async def get(self, upload_ids: Sequence[str]) -> Mapping[str, UploadTicket]: ...

    async def claim(self, upload_id: str, claim: str, record_id: str, at: datetime) -> bool:
        """Mark a ticket as named by this submission; whether nobody else had."""
        ...

    async def release(self, upload_ids: Sequence[str], claim: str) -> None:
        """Take this submission's marks back."""
        ...
