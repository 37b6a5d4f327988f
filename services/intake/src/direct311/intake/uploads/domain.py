"""Upload tickets: what may be uploaded to the store before a request names it."""

from datetime import datetime

from direct311.schemas import Instant, Model


class AnnouncedFile(Model):
    """A file that will be uploaded. `size` is in bytes; `sha256` is in hexadecimal digits, if the
    sender knows it."""

    content_type: str
    size: int
    sha256: str | None = None


class UploadTicket(Model):
    """A ticket as intake remembers it; it says nothing about the person who uses it.

    `expires_at`: until then the store accepts the bytes. `usable_until`: until then a request may
    name the file; the media service sweeps files that were never named. `claim` marks the
    submission that has named it; `record_id` is the record that its latest try was going to create.
    """

    upload_id: str
    client_id: str
    content_type: str
    size: int
    sha256: str | None = None
    expires_at: Instant
    usable_until: Instant
    claim: str | None = None
    claimed_at: Instant | None = None
    record_id: str | None = None

    def usable(self, at: datetime) -> bool:
        return at <= self.usable_until
