"""Who may submit: front ends with a key, what each may do, and how often.

A key is 256 random bits. Its SHA-256 is all that is kept: a slow hash protects what people think up
and could be guessed; here there is nothing to guess, and the gateway would pay for it with every
call.
"""

import secrets
from collections.abc import Callable, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Literal

from direct311.schemas import Instant, Model, replaced

Environment = Literal["production", "test"]
Scope = Literal["submit", "update", "read"]
Flag = Literal["retries_without_key"]

PREFIXES: dict[Environment, str] = {"production": "d311_live_", "test": "d311_test_"}
SHOWN = 14
"""Characters of a key that are kept and shown: four are its own, so 232 bits are left."""
MOST_KEYS = 5
"""Keys of a client that are not over; more would mean that old ones are never taken away."""


class Quota(Model):
    """Calls that a client may make with its key: those that write, in a minute and in a day of UTC
    (`None`: as many as it wants), and those that read, in a minute."""

    minute: int | None = 600
    day: int | None = 100_000
    reads: int = 6_000


class ClientKey(Model):
    """A key without the key. `sha256` in hex; `prefix` is its beginning, for people to tell it by;
    `expires_at`: from then on it is refused, `None` for never."""

    key_id: str
    prefix: str
    sha256: str
    created_at: Instant
    expires_at: Instant | None = None
    revoked_at: Instant | None = None

    def good(self, at: datetime) -> bool:
        return self.revoked_at is None and (self.expires_at is None or at < self.expires_at)

    def expiring(self, at: datetime) -> "ClientKey":
        """Refused from then on."""
        return replaced(self, expires_at=at)

    def revoked(self, at: datetime) -> "ClientKey":
        """Refused for ever, since then or since it was revoked before."""
        return replaced(self, revoked_at=self.revoked_at or at)


class Client(Model):
    """A front end. `client_id` scopes idempotency keys, so it is never given to anybody else.

    `environment`: `test` clients are refused by the production gateway, `production` ones by any
    other. `retries_without_key` among the `flags`: it repeats a submission without an idempotency
    key, so an equal one within a day is the same request. `origins`: the web pages that may use the
    key from a browser, as browsers write an origin (RFC 6454, section 6.1). `version` counts
    changes.
    """

    client_id: str
    name: str
    environment: Environment
    scopes: tuple[Scope, ...] = ("submit", "update", "read")
    flags: tuple[Flag, ...] = ()
    jurisdictions: tuple[str, ...] = ("miamidade",)
    channel: str = "app"
    origins: tuple[str, ...] = ()
    quota: Quota = Quota()
    keys: tuple[ClientKey, ...] = ()
    created_at: Instant
    revoked_at: Instant | None = None
    version: int = 1

    @property
    def retries_without_key(self) -> bool:
        return "retries_without_key" in self.flags


def served_by(environment: str) -> Environment:
    """Whose keys a gateway takes that runs as `environment`."""
    return "production" if environment == "production" else "test"


def new_key(
    environment: Environment,
    key_id: str,
    at: datetime,
    expires_at: datetime | None,
    random: Callable[[int], str] = secrets.token_urlsafe,
) -> tuple[str, ClientKey]:
    """A key, which is shown once, and what is kept of it."""
    key = PREFIXES[environment] + random(32)
    return key, ClientKey(
        key_id=key_id,
        prefix=key[:SHOWN],
        sha256=hashed(key),
        created_at=at,
        expires_at=expires_at,
    )


def hashed(key: str) -> str:
    """What a key is kept and looked up as. Timing tells nothing of a key that is looked up so."""
    return sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def environment_of(key: str) -> Environment | None:
    """Which gateway's key it says it is."""
    for each, prefix in PREFIXES.items():
        if key.startswith(prefix):
            return each
    return None


def rotated(
    keys: Sequence[ClientKey], new: ClientKey, overlap_until: datetime
) -> tuple[ClientKey, ...]:
    """The new key beside the others, which end at `overlap_until`, or before where they did."""
    return (
        new,
        *(
            each
            if not each.good(new.created_at)
            or (each.expires_at is not None and each.expires_at <= overlap_until)
            else each.expiring(overlap_until)
            for each in keys
        ),
    )
