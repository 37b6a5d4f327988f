"""C2SP signed notes: a text, an empty line, signature lines.

    — <key name> base64(key id (4 bytes) || signature)

Two algorithms are supported: Ed25519 over the text, and cosignature/v1, with which a witness states
when it saw a checkpoint. Lines under keys that the verifier does not know are ignored. A line under
a known key that does not verify makes the whole note invalid. Sources: c2sp.org/signed-note,
c2sp.org/tlog-cosignature.
"""

import base64
import binascii
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum
from functools import cached_property
from hashlib import sha256
from typing import Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

SIGNATURE_PREFIX = "— "
MAX_SIGNATURES = 100
MAX_SIZE = 1_000_000
"""The longest note accepted, in characters."""


class NoteError(ValueError):
    """A note, or a key that verifies notes, is invalid."""


class MalformedNoteError(NoteError):
    """The note does not have the form of a signed note."""


class MalformedKeyError(NoteError):
    """The verifier key does not have the form `name+id+key`, or names an unknown algorithm."""


class UnverifiedNoteError(NoteError):
    """No known key has signed the note."""


class WrongSignatureError(NoteError):
    """A line under a known key does not verify: the text or the signature was changed."""


class Algorithm(IntEnum):
    """The signature types of c2sp.org/signed-note supported here."""

    ED25519 = 0x01
    COSIGNATURE_V1 = 0x04


def decode_base64(text: str, size: int | None = None) -> bytes:
    """Decode standard base64 in its one canonical form, and check for `size` bytes if given.

    Raises `ValueError`.
    """
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("not base64") from error
    if base64.b64encode(data).decode() != text:
        raise ValueError("not canonical base64")
    if size is not None and len(data) != size:
        raise ValueError(f"not {size} bytes")
    return data


def encode_base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _check_name(name: str) -> None:
    if not name or "+" in name or any(character.isspace() for character in name):
        raise MalformedKeyError("a key's name must not be empty or contain spaces or a plus sign")


def _key_id(name: str, algorithm: Algorithm, public: bytes) -> bytes:
    return sha256(name.encode() + b"\n" + bytes([algorithm]) + public).digest()[:4]


@dataclass(frozen=True)
class VerifierKey:
    """A public key and the name it signs under. `public` is 32 bytes.

    Raises `MalformedKeyError` for a bad name or key.
    """

    name: str
    public: bytes
    algorithm: Algorithm = Algorithm.ED25519

    def __post_init__(self) -> None:
        _check_name(self.name)
        if len(self.public) != 32:
            raise MalformedKeyError("an Ed25519 key has 32 bytes")

    @cached_property
    def key_id(self) -> bytes:
        return _key_id(self.name, self.algorithm, self.public)

    @cached_property
    def _verifier(self) -> Ed25519PublicKey:
        return Ed25519PublicKey.from_public_bytes(self.public)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a `vkey`: name, key id in hexadecimal digits, and base64 of algorithm and key."""
        name, _, rest = text.partition("+")
        digits, _, encoded = rest.partition("+")
        try:
            data = decode_base64(encoded, 33)
            key = cls(name, data[1:], Algorithm(data[0]))
        except MalformedKeyError:
            raise
        except ValueError as error:
            raise MalformedKeyError("not an Ed25519 verifier key (name+id+key)") from error
        if key.key_id.hex() != digits:
            raise MalformedKeyError("the verifier key's id does not match its name and key")
        return key

    def __str__(self) -> str:
        key = encode_base64(bytes([self.algorithm]) + self.public)
        return f"{self.name}+{self.key_id.hex()}+{key}"

    def verify(self, text: str, signature: bytes) -> datetime | None:
        """Verify one signature over a note's text; returns a cosignature's time.

        Raises `WrongSignatureError`.
        """
        message, at = text.encode(), None
        try:
            if self.algorithm is Algorithm.COSIGNATURE_V1:
                seconds = int.from_bytes(signature[:8], "big")
                signature = signature[8:]
                message = _cosigned(seconds, text)
                at = datetime.fromtimestamp(seconds, UTC)
            self._verifier.verify(signature, message)
        except (InvalidSignature, ValueError, OverflowError, OSError) as error:
            raise WrongSignatureError(f"the signature of {self.name} does not verify") from error
        return at


def _cosigned(seconds: int, text: str) -> bytes:
    return f"cosignature/v1\ntime {seconds}\n{text}".encode()


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line, unverified."""

    name: str
    key_id: bytes
    signature: bytes

    def __str__(self) -> str:
        return f"{SIGNATURE_PREFIX}{self.name} {encode_base64(self.key_id + self.signature)}\n"


class Signer:
    """Signs notes under a name with an Ed25519 key."""

    def __init__(self, name: str, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.key = VerifierKey(name, private.public_key().public_bytes_raw())

    def sign(self, text: str) -> Signature:
        return Signature(self.key.name, self.key.key_id, self._private.sign(text.encode()))


class Cosigner:
    """A witness's key: signs a checkpoint together with the time when the witness saw it."""

    def __init__(self, name: str, private: Ed25519PrivateKey) -> None:
        self._private = private
        public = private.public_key().public_bytes_raw()
        self.key = VerifierKey(name, public, Algorithm.COSIGNATURE_V1)

    def sign(self, text: str, at: datetime) -> Signature:
        seconds = int(at.timestamp())
        signature = seconds.to_bytes(8, "big") + self._private.sign(_cosigned(seconds, text))
        return Signature(self.key.name, self.key.key_id, signature)


@dataclass(frozen=True, slots=True)
class Note:
    """A note as it was written; trust nothing in it before `verify`."""

    text: str
    signatures: tuple[Signature, ...]

    def __post_init__(self) -> None:
        if not self.text.endswith("\n"):
            raise MalformedNoteError("a note's text ends with a newline")

    def __str__(self) -> str:
        return self.text + "\n" + "".join(map(str, self.signatures))

    @classmethod
    def parse(cls, note: str) -> Self:
        """Read a note. Raises `MalformedNoteError`."""
        if len(note) > MAX_SIZE:
            raise MalformedNoteError("the note is too long")
        if any(character < " " and character != "\n" for character in note):
            raise MalformedNoteError("the note contains control characters")
        try:
            note.encode()
        except UnicodeEncodeError as error:
            raise MalformedNoteError("the note is not valid UTF-8") from error
        text, blank, lines = note.rpartition("\n\n")
        if not blank or not lines.endswith("\n"):
            raise MalformedNoteError("the note has no signature lines after an empty line")
        signatures = tuple(_parse_line(line) for line in lines[:-1].split("\n"))
        if len(signatures) > MAX_SIGNATURES:
            raise MalformedNoteError("the note has too many signatures")
        return cls(text + "\n", signatures)

    def verify(self, keys: Iterable[VerifierKey]) -> dict[VerifierKey, datetime | None]:
        """The known keys that signed, each with its cosignature's time if it is a witness's key.

        Raises `WrongSignatureError` if a line under a known key does not verify, and
        `UnverifiedNoteError` if there is no line under a known key.
        """
        known = {(key.name, key.key_id): key for key in keys}
        signed = {}
        for line in self.signatures:
            key = known.get((line.name, line.key_id))
            if key is not None:
                signed[key] = key.verify(self.text, line.signature)
        if not signed:
            raise UnverifiedNoteError("the note is not signed by any of the given keys")
        return signed


def _parse_line(line: str) -> Signature:
    name, _, encoded = line.removeprefix(SIGNATURE_PREFIX).partition(" ")
    try:
        _check_name(name)
        data = decode_base64(encoded)
    except ValueError as error:
        raise MalformedNoteError("the note has a malformed signature line") from error
    if not line.startswith(SIGNATURE_PREFIX) or len(data) < 5:
        raise MalformedNoteError("the note has a malformed signature line")
    return Signature(name, data[:4], data[4:])
