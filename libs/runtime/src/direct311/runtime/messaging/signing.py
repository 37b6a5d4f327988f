"""Ed25519 signatures on events: which service said this.

A broker does not show who sent a message; the signature does (RFC 8032). The principals file has
the public keys, with their owners and validity.
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from direct311.runtime.errors import RuntimeFaultError
from direct311.schemas import DecodeError, Encoded, Event, decode, signed_bytes
from direct311.schemas.claims import overreach
from direct311.schemas.model import Instant, Model

DELIVERY_LIMIT = timedelta(days=14)
"""The broker keeps an event no longer than this, so nothing genuine arrives later."""

CLOCK_TOLERANCE = timedelta(minutes=5)
"""How far the clocks of two services may differ."""


MISMATCH = "the signature does not match the event"


class SignatureError(RuntimeFaultError):
    """A required signature is missing, or is not from the service that the event names, or the
    event says what that service may not say."""


class Signer:
    """Signs one service's events."""

    def __init__(self, keyid: str, private: Ed25519PrivateKey) -> None:
        self.keyid = keyid
        self._private = private

    @classmethod
    def from_file(cls, path: Path) -> "Signer":
        """Read `{"keyid": …, "private": base64 of the 32-byte seed}`."""
        return cls(*read_private(path))

    def sign(self, message: Encoded) -> Encoded:
        """The message with the headers `ce_keyid` and `ce_signature` (hex)."""
        signature = self._private.sign(signed_bytes(message.headers, message.body))
        headers = message.headers | {"ce_keyid": self.keyid, "ce_signature": signature.hex()}
        return Encoded(message.topic, message.key, headers, message.body)

    def sign_bytes(self, value: bytes) -> bytes:
        return self._private.sign(value)


def read_private(path: Path) -> tuple[str, Ed25519PrivateKey]:
    """The id and the key in a file `{"keyid": …, "private": base64 of the 32-byte seed}`."""
    document = json.loads(path.read_bytes())
    seed = base64.b64decode(document["private"])
    return document["keyid"], Ed25519PrivateKey.from_private_bytes(seed)


@dataclass(frozen=True, slots=True)
class PublicKey:
    keyid: str
    service: str
    key: Ed25519PublicKey
    not_before: datetime
    not_after: datetime


def public_keys(document: Mapping[str, Any], member: str) -> dict[str, PublicKey]:
    """The keys that one member of a principals file lists, by id; empty if the member is
    missing."""
    return {
        entry["keyid"]: PublicKey(
            entry["keyid"],
            entry["service"],
            Ed25519PublicKey.from_public_bytes(base64.b64decode(entry["public"])),
            datetime.fromisoformat(entry["not_before"]),
            datetime.fromisoformat(entry["not_after"]),
        )
        for entry in document.get(member, ())
    }


class Claim(NamedTuple):
    """A signature (64 bytes) that still has to be checked: whose it is said to be, and the bytes
    that it covers."""

    key: PublicKey
    signature: bytes
    said: bytes


_KEPT = (
    "ce_specversion",
    "ce_id",
    "ce_type",
    "ce_source",
    "ce_subject",
    "ce_time",
    "ce_keyid",
    "ce_signature",
)


class KeptEvent(Model):
    """A signed event as it was received, kept so that its signature can be checked again: `headers`
    (its CloudEvents attributes), `body`, and when it arrived here."""

    headers: dict[str, str]
    body: bytes
    received_at: Instant

    @classmethod
    def of(cls, headers: Mapping[str, str], body: bytes, received_at: datetime) -> "KeptEvent":
        """What is kept of a message."""
        own = {name: headers[name] for name in _KEPT if name in headers}
        return cls(headers=own, body=body, received_at=received_at)


class Principals:
    """The public keys that may sign events, by key id; `hash`: SHA-256 (hex) of their file."""

    def __init__(self, keys: Mapping[str, PublicKey], sha256: str = "") -> None:
        self._keys = dict(keys)
        self.hash = sha256

    @classmethod
    def from_file(cls, path: Path) -> "Principals":
        content = path.read_bytes()
        keys = public_keys(json.loads(content), "keys")
        return cls(keys, sha256(content).hexdigest())

    def check(self, event: Event[Model], headers: Mapping[str, str], body: bytes) -> str:
        """The service that signed the event.

        :raises SignatureError: the event is unsigned, its key is unknown, expired or another
        service's, the service may not send this event or says more than it may, or the bytes were
        changed.
        """
        claim = self.claim(event, headers, body)
        try:
            claim.key.key.verify(claim.signature, claim.said)
        except InvalidSignature:
            raise SignatureError(MISMATCH) from None
        return claim.key.service

    def claim(self, event: Event[Model], headers: Mapping[str, str], body: bytes) -> "Claim":
        """All checks of `check` except that the bytes were not changed.

        :raises SignatureError: as in `check`.
        """
        key = self._keys.get(event.keyid or "")
        if key is None or event.signature is None:
            raise SignatureError("no signature by a known key")
        if "ce_subject" not in headers:
            raise SignatureError("ce_subject is signed, but missing")
        if event.source != f"/direct311/{key.service}":
            raise SignatureError("signed by a service other than the one it names")
        if key.service not in event.kind.producers:
            raise SignatureError("this service may not send this event")
        if why := overreach(key.service, event.data):
            raise SignatureError(why)
        if not key.not_before <= event.time <= key.not_after:
            raise SignatureError("the key was not valid at that time")
        try:
            return Claim(key, event.signature, signed_bytes(headers, body))
        except KeyError:
            # An attribute that the signature covers is missing.
            raise SignatureError(MISMATCH) from None

    def check_again(self, kept: KeptEvent) -> Event[Model]:
        """The event that was kept, after checking once more who signed it. Needs no network.

        In addition to `check`, the rule for keys that were retired (decision 12): an event that
        arrived more than 14 days after its key ran out is refused, since a stolen key could sign
        with an older date. Nor is an event dated after its arrival genuine.

        :raises SignatureError: as in `check`, or it arrived too late or too early, or an attribute
        has a newline, so that one signature would cover two readings.
        """
        try:
            event = decode(kept.headers, kept.body)
        except DecodeError:
            raise SignatureError("it can no longer be read") from None
        if any("\n" in value for value in kept.headers.values()):
            raise SignatureError("an attribute contains a newline")
        self.check(event, kept.headers, kept.body)
        key = self._keys[event.keyid or ""]
        if event.time > kept.received_at + CLOCK_TOLERANCE:
            raise SignatureError("dated after it arrived")
        if kept.received_at > key.not_after + DELIVERY_LIMIT:
            raise SignatureError("arrived too long after its key had expired")
        return event
