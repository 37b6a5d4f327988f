"""A leaf of the audit log: an event, sealed under a key that can be destroyed.

The Merkle tree hashes, and an entry bundle contains, a head of six lines, an empty line and the
ciphertext:

    direct311-entry-v1
    <type of the event>
    <time of logging, UTC with microseconds>
    <key reference: 16 random bytes, hexadecimal digits>
    <nonce: 16 random bytes, hexadecimal digits>
    <digest: SHA-256 over a label, salt and sealed event, hexadecimal digits>

    <AES-256-GCM of salt (16 random bytes) and sealed event; the head is associated data>

The key reference names the body key in the log's own key store. Each entry has its own key,
HKDF-SHA-256 of the body key with the nonce as salt, so that one entry can be disclosed without the
body key. It encrypts one message only, so the cipher's own nonce is constant. AES-GCM does not bind
a ciphertext to one key (another key may open it to other text). The digest does, and reveals
nothing once the salt is destroyed with the key. docs/adr/0011 gives the reasons.
"""

import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from hashlib import sha256
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from direct311.verifier.event import CONTEXT, Event, EventError
from direct311.verifier.tiles import ENTRY_LIMIT

FORMAT = "direct311-entry-v1"
KEY_SIZE = 32
REFERENCE_SIZE = NONCE_SIZE = SALT_SIZE = 16

_CIPHER_NONCE = bytes(12)
_DIGEST_LABEL = b"direct311-entry-digest-v1\n"
_KEY_LABEL = b"direct311-entry-key-v1\n"
_TYPE = re.compile(r"[a-z0-9._-]{1,100}")
_TIME = "%Y-%m-%dT%H:%M:%S.%fZ"


class EntryError(ValueError):
    """An entry is malformed, or does not open to what its head promises."""


class MalformedEntryError(EntryError):
    """The bytes do not have the form of an entry."""


class DecryptionError(EntryError):
    """The key does not open the entry."""


class DigestError(EntryError):
    """The entry opens, but to text that does not match its digest."""


class EntrySizeError(EntryError):
    """The event is too long for one entry."""


@dataclass(frozen=True)
class Entry:
    """One entry, still sealed."""

    type: str
    logged_at: datetime
    key_reference: bytes
    nonce: bytes
    digest: bytes
    ciphertext: bytes

    @cached_property
    def head(self) -> bytes:
        lines = (
            FORMAT,
            self.type,
            format_time(self.logged_at),
            self.key_reference.hex(),
            self.nonce.hex(),
            self.digest.hex(),
        )
        return ("\n".join(lines) + "\n\n").encode()

    def encode(self) -> bytes:
        """The leaf's data."""
        return self.head + self.ciphertext

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read an entry. Raises `MalformedEntryError` for anything that `encode` does not write."""
        head, blank, ciphertext = data.partition(b"\n\n")
        try:
            form, kind, time, reference, nonce, digest = head.decode("ascii").split("\n")
            entry = cls(
                type=kind,
                logged_at=datetime.fromisoformat(time),
                key_reference=bytes.fromhex(reference),
                nonce=bytes.fromhex(nonce),
                digest=bytes.fromhex(digest),
                ciphertext=ciphertext,
            )
            canonical = entry.head == head + blank
        except (ValueError, OverflowError) as error:
            raise MalformedEntryError("not an entry of this log") from error
        sizes = (len(entry.key_reference), len(entry.nonce), len(entry.digest))
        if (
            form != FORMAT
            or not canonical
            or not _TYPE.fullmatch(kind)
            or sizes != (REFERENCE_SIZE, NONCE_SIZE, 32)
            or len(data) > ENTRY_LIMIT
        ):
            raise MalformedEntryError("not an entry of this log")
        return entry

    def open(self, entry_key: bytes) -> Event:
        """Decrypt with the entry's own key (32 bytes).

        Raises `DecryptionError`, `DigestError`, or `MalformedEntryError` if the content is not an
        event or its type differs from the head's.
        """
        try:
            plaintext = AESGCM(entry_key).decrypt(_CIPHER_NONCE, self.ciphertext, self.head)
        except (InvalidTag, ValueError) as error:
            raise DecryptionError("the key does not open it") from error
        if sha256(_DIGEST_LABEL + plaintext).digest() != self.digest:
            raise DigestError("it opens to text that does not match its digest")
        event = _unpack(plaintext[SALT_SIZE:])
        if event.type != self.type:
            raise MalformedEntryError("it holds an event whose type differs from its head's")
        return event


def format_time(at: datetime) -> str:
    """UTC with microseconds, always in the same format."""
    return at.astimezone(UTC).strftime(_TIME)


def derive_entry_key(body_key: bytes, key_reference: bytes, nonce: bytes) -> bytes:
    """The key (32 bytes) of a single entry, from its record's body key (32 bytes)."""
    info = _KEY_LABEL + key_reference
    return HKDF(SHA256(), length=KEY_SIZE, salt=nonce, info=info).derive(body_key)


def seal(event: Event, *, body_key: bytes, key_reference: bytes, logged_at: datetime) -> bytes:
    """The entry of an event, which becomes a leaf.

    `body_key` (32 bytes) belongs to the record that the event is about; `key_reference` (16 random
    bytes) names it. Raises `EntrySizeError` above 65,535 bytes.
    """
    if len(body_key) != KEY_SIZE or len(key_reference) != REFERENCE_SIZE:
        raise ValueError("a body key has 32 bytes, and its reference 16")
    nonce = os.urandom(NONCE_SIZE)
    plaintext = os.urandom(SALT_SIZE) + _pack(event)
    digest = sha256(_DIGEST_LABEL + plaintext).digest()
    entry_key = derive_entry_key(body_key, key_reference, nonce)
    entry = Entry(event.type, logged_at, key_reference, nonce, digest, b"")
    sealed = entry.head + AESGCM(entry_key).encrypt(_CIPHER_NONCE, plaintext, entry.head)
    if len(sealed) > ENTRY_LIMIT:
        raise EntrySizeError("the event is too long for one entry")
    return sealed


def _pack(event: Event) -> bytes:
    """The sealed event: key id, signature, and what was signed."""
    return f"{event.keyid}\n{event.signature.hex()}\n".encode() + event.signed_bytes


def _unpack(packed: bytes) -> Event:
    parts = packed.split(b"\n", 8)
    if len(parts) != 9:
        raise MalformedEntryError("what it holds is no event")
    *lines, body = parts
    try:
        keyid, signature, context, id_, type_, source, subject, time = map(bytes.decode, lines)
        event = Event(id_, type_, source, subject, time, body, keyid, bytes.fromhex(signature))
    except (ValueError, EventError) as error:
        raise MalformedEntryError("what it holds is no event") from error
    if context != CONTEXT or _pack(event) != packed:
        raise MalformedEntryError("what it holds is no event")
    return event
