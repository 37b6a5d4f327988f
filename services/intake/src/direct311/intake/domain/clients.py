"""Who may submit: front ends with a key."""

from direct311.schemas import Model


class Client(Model):
    """A front end. `key_sha256` (hex) is all that is kept of its key.

    `retries_without_key`: it repeats a submission without an idempotency key, so an equal one
    within a day is the same request.
    """

    client_id: str
    name: str
    key_sha256: str
    flags: tuple[str, ...] = ()
    jurisdictions: tuple[str, ...] = ()
    channel: str = "app"

    @property
    def retries_without_key(self) -> bool:
        return "retries_without_key" in self.flags
