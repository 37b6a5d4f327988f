"""Blind indexes: keyed hashes that only intake can make.

HMAC-SHA-256 of each reading of the value under one key per field, with the key's version in front.
While several versions are in force, every value is made under each of them, so that a search finds
what was indexed under any.
"""

import base64
import json
import math
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from hashlib import sha256
from hmac import digest
from pathlib import Path
from types import MappingProxyType

from direct311.intake.indexes.adapters.phone import PhoneReader
from direct311.intake.indexes.domain.readings import (
    MOST,
    PersonReader,
    PersonWords,
    Readings,
    problems,
)
from direct311.runtime.clock import Clock
from direct311.runtime.datafile import DataFile, load, packaged
from direct311.runtime.text import characters, cleaned
from direct311.runtime.vault.keys import KeyProviderError
from direct311.schemas.unicode import normalized

_SEARCHED = ("phone", "email", "name", "address", "cell")
_FIELDS = (*_SEARCHED, "content", "search")
_CELL_METRES = 10.0
_WIDE_CELL_METRES = 50.0
"""How entries from before `READINGS` 4 are made: they stay valid until they are withdrawn."""
_METRES_A_DEGREE = 111_320.0
_REFERENCE_LATITUDE = 25.6
"""The middle of the county: cells there are as wide as they are high, and within 1 % of that
everywhere else."""


_ASCII_WORD = re.compile(r"[a-z0-9]+")


def normalise_email(value: str) -> str | None:
    """Lower case, the domain in its ASCII form (IDNA)."""
    local, at, domain = normalized("NFKC", value.strip()).rpartition("@")
    if not at or not local or "." not in domain:
        return None
    try:
        ascii_domain = domain.encode("idna").decode()
    except UnicodeError:
        return None
    return f"{local}@{ascii_domain}".lower()


def normalise_name(value: str) -> str | None:
    """Without case, accents, punctuation and order: `Núñez, José` is `jose nunez`."""
    plain = value.casefold()
    if plain.isascii():
        # Most names are like this; gives the same words in half the time.
        words = _ASCII_WORD.findall(plain)
    else:
        letters = normalized("NFKD", plain)
        bare = (c for c in letters if not unicodedata.combining(c))
        words = "".join(c if c.isalnum() else " " for c in bare).split()
    return " ".join(sorted(words)) or None


def normalise_address(value: str) -> str | None:
    """Without case and punctuation; geo has already normalized its words."""
    return " ".join("".join(c if c.isalnum() else " " for c in value.upper()).split()) or None


def cell(latitude: float, longitude: float, metres: float = _CELL_METRES) -> tuple[int, int]:
    """The square that contains a point, counted north and east. `metres`: its side."""
    north, east = _metres(latitude, longitude)
    return math.floor(north / metres), math.floor(east / metres)


def cells_within(latitude: float, longitude: float, reach_m: float) -> Iterator[tuple[int, int]]:
    """The squares that a circle around a point touches, counted north and east."""
    north, east = _metres(latitude, longitude)
    rows, columns = (
        [
            (each, max(each * _CELL_METRES - at, at - (each + 1) * _CELL_METRES, 0.0))
            for each in range(
                math.floor((at - reach_m) / _CELL_METRES),
                math.floor((at + reach_m) / _CELL_METRES) + 1,
            )
        ]
        for at in (north, east)
    )
    return (
        (row, column)
        for row, north_m in rows
        for column, east_m in columns
        if math.hypot(north_m, east_m) <= reach_m
    )


def _metres(latitude: float, longitude: float) -> tuple[float, float]:
    east = _METRES_A_DEGREE * math.cos(math.radians(_REFERENCE_LATITUDE))
    return latitude * _METRES_A_DEGREE, longitude * east


@cache
def person_words() -> DataFile[PersonWords]:
    """The words used to read people's names. Raises `DataFileError`."""
    return load(PersonWords, packaged("direct311.intake", "person_readings.yaml"), problems)


class PersonReadings:
    """All readings of a telephone number, an e-mail address or a name. The first is the normalized
    value, if possible: it matches what was hashed before there were other readings."""

    def __init__(self, words: PersonWords) -> None:
        self._reader = PersonReader(words, characters().look_alikes)
        self._phone = PhoneReader(words, self._reader)

    def __call__(self, field: str, text: str, *fields: str) -> Readings:
        """`fields`: the parts of a form that were combined into a name."""
        value = cleaned(text, lines=True)
        if field == "phone":
            return self._phone(value)
        if field == "email":
            usual = normalise_email(value)
            found = self._reader.mail(value)
            one = tuple(dict.fromkeys((usual, *found) if usual else found))[:MOST]
            return Readings(one, one)
        if field == "name" and normalise_name(value) is not None:
            return self._reader.name(value, *(cleaned(each, lines=True) for each in fields))
        return Readings()


class KeyedIndexes:
    """`PersonIndexes` under the keys of a file."""

    def __init__(
        self,
        version: int,
        keys: Mapping[str, bytes],
        clock: Clock,
        older: Mapping[int, Mapping[str, bytes]] = MappingProxyType({}),
    ) -> None:
        self._keys = dict(keys)
        self._all = {version: self._keys, **{each: older[each] for each in sorted(older)[::-1]}}
        self._clock = clock
        self._readings = PersonReadings(person_words().content)

    @classmethod
    def from_file(cls, path: Path, clock: Clock) -> "KeyedIndexes":
        """Read `{"version": n, "keys": {field: base64 of 32 bytes}}`, and next to them, while they
        are in force, `"older": {"m": {field: …}}`.

        :raises KeyProviderError: a key is missing or malformed.
        """
        try:
            document = json.loads(path.read_bytes())
            keys = _read_keys(document["keys"], _FIELDS)
            version = int(document["version"])
            older = {
                int(each): _read_keys(found, _SEARCHED)
                for each, found in document.get("older", {}).items()
            }
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            raise KeyProviderError(
                f"{path.name} must hold a version and the keys {', '.join(_FIELDS)}, and of each "
                f"older version the keys {', '.join(_SEARCHED)}"
            ) from None
        if any(len(key) != 32 for found in (keys, *older.values()) for key in found.values()):
            raise KeyProviderError(f"{path.name}: an index key must have 32 bytes")
        if any(each >= version for each in older):
            raise KeyProviderError(f"{path.name}: an older version has a lower number")
        return cls(version, keys, clock, older)

    @property
    def versions(self) -> tuple[int, ...]:
        return tuple(self._all)

    def fingerprint(self, version: int) -> str:
        """Identifies the keys of a version without revealing anything about them."""
        keys = self._all[version]
        told = (digest(keys[name], b"direct311 key check", sha256) for name in _SEARCHED)
        return sha256(b"".join(told)).hexdigest()

    @property
    def content_key(self) -> bytes:
        """For the fingerprint of a submission's content."""
        return self._keys["content"]

    def person(self, field: str, value: str) -> tuple[str, ...]:
        return self._blind_all(field, self._readings(field, value).sought)

    def of(self, plain: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
        names = [plain.get(part, "") for part in ("first_name", "last_name")]
        values: dict[str, tuple[str, ...]] = {
            "phone": (plain.get("phone", ""),),
            "email": (plain.get("email", ""),),
            "name": (" ".join(names).strip(), *names),
        }
        return {
            field: hashed
            for field, (value, *fields) in values.items()
            if value
            and (hashed := self._blind_all(field, self._readings(field, value, *fields).held))
        }

    def place(
        self, address: str | None, latitude: float | None, longitude: float | None
    ) -> tuple[str, ...]:
        found: tuple[str, ...] = ()
        line = normalise_address(address) if address else None
        if line:
            found += self._blind("address", line)
        if latitude is not None and longitude is not None:
            found += self._cell(*cell(latitude, longitude))
            north, east = cell(latitude, longitude, _WIDE_CELL_METRES)
            found += self._blind("cell", f"{north}:{east}")
        return found

    def around(self, latitude: float, longitude: float, reach_m: float) -> tuple[str, ...]:
        return tuple(
            hashed
            for north, east in cells_within(latitude, longitude, reach_m)
            for hashed in self._cell(north, east)
        )

    def query(self, field: str, value: str) -> str:
        return self.text_query(field, next(iter(self._readings(field, value).sought), ""))

    def text_query(self, kind: str, words: str) -> str:
        month = self._clock.now().strftime("%Y-%m")
        key = digest(self._keys["search"], month.encode(), sha256)
        return f"{month}:{digest(key, f'{kind}={words}'.encode(), sha256).hex()}"

    def _cell(self, north: int, east: int) -> tuple[str, ...]:
        return self._blind("cell", f"{_CELL_METRES:g} m {north}:{east}")

    def _blind_all(self, field: str, readings: Iterable[str]) -> tuple[str, ...]:
        return tuple(hashed for each in readings for hashed in self._blind(field, each))

    def _blind(self, field: str, normalised: str) -> tuple[str, ...]:
        value = normalised.encode()
        return tuple(
            f"{version}:{digest(keys[field], value, sha256).hex()[:40]}"
            for version, keys in self._all.items()
        )


def _read_keys(found: Mapping[str, str], names: Iterable[str]) -> dict[str, bytes]:
    return {name: base64.b64decode(found[name]) for name in names}
