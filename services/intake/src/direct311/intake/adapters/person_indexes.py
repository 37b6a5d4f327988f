"""Blind indexes: keyed hashes that only intake can make.

HMAC-SHA-256 of the normalised value under one key for each field, with the key's version in front,
so that a rebuild under new keys can live beside the old one.
"""

import base64
import json
import math
import re
import unicodedata
from collections.abc import Mapping
from hashlib import sha256
from hmac import digest
from pathlib import Path

import phonenumbers

from direct311.runtime.clock import Clock
from direct311.runtime.keys import KeyProviderError

_FIELDS = ("phone", "email", "name", "address", "cell", "content", "search")
_CELL_METRES = 50.0
_METRES_A_DEGREE = 111_320.0
_REFERENCE_LATITUDE = 25.6
"""The middle of the county: cells are 50 m wide there, and within 1 % of it everywhere else."""


_USUAL_PHONE = re.compile(
    r"(?:\+?1[-. ]?)?(?:\(([2-9]\d\d)\) ?|([2-9]\d\d)[-. ]?)([2-9]\d\d)[-. ]?(\d{4})", re.ASCII
)


def normalise_phone(value: str) -> str | None:
    """E.164, read as a number of the United States where it has no country."""
    # Almost all are written in one of a few ways, which the library takes twenty times as long for.
    if usual := _USUAL_PHONE.fullmatch(value):
        return "+1" + "".join(part for part in usual.groups() if part)
    try:
        number = phonenumbers.parse(value, "US")
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def normalise_email(value: str) -> str | None:
    """Lower case, the domain in its ASCII form (IDNA)."""
    local, at, domain = unicodedata.normalize("NFKC", value.strip()).rpartition("@")
    if not at or not local or "." not in domain:
        return None
    try:
        ascii_domain = domain.encode("idna").decode()
    except UnicodeError:
        return None
    return f"{local}@{ascii_domain}".lower()


def normalise_name(value: str) -> str | None:
    """Without case, accents, punctuation and order: `Núñez, José` is `jose nunez`."""
    plain = unicodedata.normalize("NFKD", value.casefold())
    letters = (c for c in plain if not unicodedata.combining(c))
    words = "".join(c if c.isalnum() else " " for c in letters).split()
    return " ".join(sorted(words)) or None


def normalise_address(value: str) -> str | None:
    """Without case and punctuation; geo has normalised its words already."""
    return " ".join("".join(c if c.isalnum() else " " for c in value.upper()).split()) or None


def cell(latitude: float, longitude: float) -> tuple[int, int]:
    """The 50 m square that a point lies in, counted north and east."""
    east = _METRES_A_DEGREE * math.cos(math.radians(_REFERENCE_LATITUDE))
    return (
        math.floor(latitude * _METRES_A_DEGREE / _CELL_METRES),
        math.floor(longitude * east / _CELL_METRES),
    )


_NORMALISE = {"phone": normalise_phone, "email": normalise_email, "name": normalise_name}


class KeyedIndexes:
    """`PersonIndexes` under the keys of a file."""

    def __init__(self, version: int, keys: Mapping[str, bytes], clock: Clock) -> None:
        self._prefix = f"{version}:"
        self._keys = dict(keys)
        self._clock = clock

    @classmethod
    def from_file(cls, path: Path, clock: Clock) -> "KeyedIndexes":
        """Read `{"version": n, "keys": {field: base64 of 32 bytes}}`.

        :raises KeyProviderError: a key is missing or malformed.
        """
        try:
            document = json.loads(path.read_bytes())
            keys = {name: base64.b64decode(document["keys"][name]) for name in _FIELDS}
            version = int(document["version"])
        except (OSError, ValueError, KeyError, TypeError):
            raise KeyProviderError(
                f"{path.name} must hold a version and the keys {', '.join(_FIELDS)}"
            ) from None
        if any(len(key) != 32 for key in keys.values()):
            raise KeyProviderError(f"{path.name}: an index key must have 32 bytes")
        return cls(version, keys, clock)

    @property
    def content_key(self) -> bytes:
        """For the fingerprint of a submission's content."""
        return self._keys["content"]

    def person(self, field: str, value: str) -> str | None:
        normalise = _NORMALISE.get(field)
        normalised = normalise(value) if normalise else None
        return self._blind(field, normalised) if normalised else None

    def of(self, plain: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
        name = " ".join(plain.get(part, "") for part in ("first_name", "last_name")).strip()
        values = {"phone": plain.get("phone"), "email": plain.get("email"), "name": name}
        found = {
            field: hashed
            for field, value in values.items()
            if value and (hashed := self.person(field, value))
        }
        return {field: (hashed,) for field, hashed in found.items()}

    def place(
        self, address: str | None, latitude: float | None, longitude: float | None
    ) -> tuple[str, ...]:
        found = []
        line = normalise_address(address) if address else None
        if line:
            found.append(self._blind("address", line))
        if latitude is not None and longitude is not None:
            found.append(self._cell(*cell(latitude, longitude)))
        return tuple(found)

    def around(self, latitude: float, longitude: float) -> tuple[str, ...]:
        north, east = cell(latitude, longitude)
        return tuple(
            self._cell(north + up, east + right) for up in (-1, 0, 1) for right in (-1, 0, 1)
        )

    def query(self, field: str, value: str) -> str:
        month = self._clock.now().strftime("%Y-%m")
        key = digest(self._keys["search"], month.encode(), sha256)
        normalise = _NORMALISE.get(field)
        normalised = (normalise(value) if normalise else None) or ""
        return f"{month}:{digest(key, f'{field}={normalised}'.encode(), sha256).hex()}"

    def _cell(self, north: int, east: int) -> str:
        return self._blind("cell", f"{north}:{east}")

    def _blind(self, field: str, normalised: str) -> str:
        return self._prefix + digest(self._keys[field], normalised.encode(), sha256).hex()[:40]
