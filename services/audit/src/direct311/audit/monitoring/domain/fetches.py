"""Fetches of keys."""

from hashlib import sha256

from direct311.schemas import Instant, Model


class Fetch(Model):
    """A key that a service fetched, and the access event that it gives as the reason."""

    service: str
    record_id: str
    event_id: str
    at: Instant

    @property
    def key(self) -> str:
        """Identifies the fetch: one event may open many records."""
        return sha256(self.model_dump_json(exclude={"at"}).encode()).hexdigest()
