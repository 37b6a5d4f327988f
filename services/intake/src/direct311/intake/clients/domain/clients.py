"""Who may submit: front ends with a key, what each may do, and how often.

A key is 256 random bits. Only its SHA-256 is stored. A slow hash protects guessable secrets that
people choose; here there is nothing to guess, and the gateway would pay for the slow hash with
every call.
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
"""How many characters of a key are stored and shown: four are random, so 232 bits stay secret."""
MOST_KEYS = 5
"""The most unexpired keys of a client; more would mean that old ones are never removed."""


class Quota(Model):
    """How many calls a client may make with its key: write calls per minute and per UTC day
    (`None`: no limit), and read calls per minute."""

    minute: int | None = 600
    day: int | None = 100_000
    reads: int = 6_000


class ClientKey(Model):
    """A key's data without the key itself. `sha256` in hex; `prefix` is its beginning, by which
    people recognize it; `expires_at`: the key is refused from then on, `None` for never."""

    key_id: str
    prefix: str
    sha256: str
    created_at: Instant
    expires_at: Instant | None = None
    revoked_at: Instant | None = None

    def good(self, at: datetime) -> bool:
        return self.revoked_at is None and (self.expires_at is None or at < self.expires_at)

    def expiring(self, at: datetime) -> "ClientKey":
        """A copy that is refused from then on."""
        return replaced(self, expires_at=at)

    def revoked(self, at: datetime) -> "ClientKey":
        """A copy that is refused forever, from then on or since an earlier revocation."""
        return replaced(self, revoked_at=self.revoked_at or at)


class Client(Model):
    """A front end. `client_id` scopes idempotency keys, so it is never reused.

    `environment`: `test` clients are refused by the production gateway, `production` ones by any
    other. `retries_without_key` among the `flags`: it repeats a submission without an idempotency
    key, so an identical one within a day is the same request. `origins`: the web pages that may use
    the key from a browser, as browsers write an origin (RFC 6454, section 6.1). `version` counts
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
    """Which clients' keys a gateway running as `environment` accepts."""
    return "production" if environment == "production" else "test"


def new_key(
    environment: Environment,
    key_id: str,
    at: datetime,
    expires_at: datetime | None,
    random: Callable[[int], str] = secrets.token_urlsafe,
) -> tuple[str, ClientKey]:
    """A key, which is shown once, and its stored data."""
    key = PREFIXES[environment] + random(32)
    return key, ClientKey(
        key_id=key_id,
        prefix=key[:SHOWN],
        sha256=hashed(key),
        created_at=at,
        expires_at=expires_at,
    )


def hashed(key: str) -> str:
    """The form in which a key is stored and looked up. The timing of this look-up reveals nothing
    about the key."""
    return sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def environment_of(key: str) -> Environment | None:
    """Which gateway the key claims to be for."""
    for each, prefix in PREFIXES.items():
        if key.startswith(prefix):
            return each
    return None


def rotated(
    keys: Sequence[ClientKey], new: ClientKey, overlap_until: datetime
) -> tuple[ClientKey, ...]:
    """The new key, with the others, which end at `overlap_until` or at their own earlier end."""
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
