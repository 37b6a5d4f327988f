"""Upload tickets: what may be brought to the store before a request names it."""

from datetime import datetime

from direct311.schemas import Instant, Model


class AnnouncedFile(Model):
    """A file that is about to come. `size` in bytes, `sha256` in hex where the sender knows it."""

    content_type: str
    size: int
    sha256: str | None = None


class UploadTicket(Model):
    """A ticket as intake remembers it: nothing of who will use it.

    `expires_at`: until then the store takes the bytes. `usable_until`: until then a request may
    name it; the media service sweeps what nobody named. `claim` marks the submission that has named
    it, `record_id` what its latest try was to become.
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
