"""Canaries: words that stand for a person, and the search for them in everything that is stored.

A canary is searched for in every form in which software usually writes text. The search reads whole
files as bytes, so it needs uncompressed files.
"""

import base64
import binascii
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, quote_plus

import numpy as np
from numpy.typing import NDArray

_BLOCK = 1 << 16
_URLSAFE = bytes.maketrans(b"+/", b"-_")
_SHORTEST = 5
"""In bytes. Four would be found by chance once in every 4 GB of noise, for each form."""


@dataclass(frozen=True, slots=True)
class Canary:
    """One planted text. `forms`: other words or bytes for the same person."""

    name: str
    text: str
    forms: tuple[str | bytes, ...] = ()

    def spellings(self) -> Mapping[bytes, str]:
        """Every byte form to look for, and its name."""
        found: dict[bytes, str] = {}
        for form in (self.text, *self.forms):
            for spelling, kind in _spellings(form):
                if len(spelling) < _SHORTEST:
                    raise ValueError(f"{self.name}: too short to be found for certain")
                found.setdefault(spelling, kind)
        return found


@dataclass(frozen=True, slots=True)
class Found:
    """A canary in a place where it must not be. `at`: offset in bytes."""

    canary: str
    form: str
    file: str
    at: int


def _spellings(form: str | bytes) -> Iterator[tuple[bytes, str]]:
    if isinstance(form, bytes):
        yield from _encoded(form, "raw bytes")
        return
    for text, kind in {form: "", form.lower(): " lower", form.upper(): " upper"}.items():
        plain = text.encode()
        yield from _encoded(plain, "UTF-8" + kind)
        # Without the outermost zero bytes both byte orders are the same form.
        yield text.encode("utf-16-le").rstrip(b"\0"), "UTF-16" + kind
        yield text.encode("utf-16-be").lstrip(b"\0"), "UTF-16" + kind
        for escaped in {json.dumps(text)[1:-1], quote(text, safe=""), quote_plus(text)}:
            if escaped != text:
                yield escaped.encode(), "escaped" + kind
        every = "".join(f"%{byte:02X}" for byte in plain)
        yield every.encode(), "URL-encoded" + kind
        yield every.lower().encode(), "url-encoded" + kind
    for name in ("utf-16-le", "utf-16-be"):
        yield from _encoded(form.encode(name), name, plain=False)


def _encoded(data: bytes, kind: str, *, plain: bool = True) -> Iterator[tuple[bytes, str]]:
    if plain:
        yield data, kind
    for hexed in (binascii.hexlify(data), binascii.hexlify(data).upper()):
        yield hexed, f"hex of {kind}"
    for shift in range(3):
        # The characters that depend only on this text, after `shift` bytes of something else.
        first, last = (8 * shift + 5) // 6, 8 * (shift + len(data)) // 6
        encoded = base64.b64encode(b"\0" * shift + data)[first:last]
        yield encoded, f"base64 of {kind}"
        yield encoded.translate(_URLSAFE), f"base64url of {kind}"


class Search:
    """Looks for all canaries at once."""

    def __init__(self, canaries: Iterable[Canary]) -> None:
        self._names: dict[bytes, tuple[str, str]] = {}
        for canary in canaries:
            for spelling, kind in canary.spellings().items():
                self._names.setdefault(spelling, (canary.name, kind))
        self._longest = max(map(len, self._names))
        self._by_start: dict[bytes, list[bytes]] = {}
        for spelling in sorted(self._names, key=len, reverse=True):
            self._by_start.setdefault(spelling[:4], []).append(spelling)
        self._starts = np.sort(_fours(b"".join(self._by_start))[::4])

    def in_bytes(self, data: bytes, where: str, offset: int = 0) -> list[Found]:
        """All occurrences in these bytes; of forms that begin at the same place, the longest."""
        if len(data) < 4:
            return []
        # There are thousands of forms, so first find where any could begin, four bytes at a time.
        fours = _fours(data)
        nearest = np.searchsorted(self._starts, fours).clip(max=len(self._starts) - 1)
        found = []
        for at in np.flatnonzero(self._starts[nearest] == fours).tolist():
            for spelling in self._by_start[data[at : at + 4]]:
                if data.startswith(spelling, at):
                    found.append(Found(*self._names[spelling], where, offset + at))
                    break
        return found

    def in_file(self, path: Path, root: Path) -> list[Found]:
        """All occurrences in a file, including its name. Skips holes in the file."""
        where = str(path.relative_to(root))
        found = self.in_bytes(where.encode(errors="surrogateescape"), f"the name of {where}")
        with path.open("rb") as file:
            kept, offset = b"", 0
            for start, block in _blocks(file.fileno()):
                if start != offset:
                    kept = b""
                data = kept + block
                found += self.in_bytes(data, where, start - len(kept))
                kept = data[-(self._longest - 1) :]
                offset = start + len(block)
        # A form across two blocks may also be found in both.
        return list(dict.fromkeys(found))

    def in_folder(self, root: Path) -> tuple[list[Found], int]:
        """All occurrences in files below `root`, and how many bytes were read."""
        found: list[Found] = []
        read = 0
        for path in sorted(each for each in root.rglob("*") if each.is_file()):
            found += self.in_file(path, root)
            read += path.stat().st_size
        return found, read


def _fours(data: bytes) -> NDArray[np.uint32]:
    """Every four neighboring bytes as one number."""
    one = np.frombuffer(data, np.uint8).astype(np.uint32)
    four = one[:-3] << 24 | one[1:-2] << 16 | one[2:-1] << 8 | one[3:]
    return four.astype(np.uint32)


def _blocks(file: int) -> Iterator[tuple[int, bytes]]:
    """A file's blocks that contain data, with their offsets."""
    offset, end = 0, os.fstat(file).st_size
    while offset < end:
        try:
            offset = os.lseek(file, offset, os.SEEK_DATA)
        except OSError:
            return
        limit = os.lseek(file, offset, os.SEEK_HOLE)
        os.lseek(file, offset, os.SEEK_SET)
        while offset < limit:
            block = os.read(file, min(_BLOCK, limit - offset))
            if not block:
                return
            # Databases write zeros ahead in their logs, and no form of a canary consists of zeros.
            if block.count(0) < len(block):
                yield offset, block
            offset += len(block)


def table(found: Sequence[Found], most: int = 20) -> str:
    """What was found, for human readers: which canary, in which form, and where."""
    lines = [f"  {each.canary}, {each.form}: {each.file} at {each.at}" for each in found[:most]]
    if len(found) > most:
        lines.append(f"  and {len(found) - most} more")
    return "\n".join(lines)
