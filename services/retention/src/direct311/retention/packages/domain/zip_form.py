"""The one form of a package's zip: each entry's bytes depend on its name and content alone.

Entries follow each other from the first byte to the directory, with one time, one mode, no extra
field, no comment and no descriptor after the content. It is written from the first byte to the last
and nothing in it is written twice, so what it is written to need not be a file. Source: PKWARE's
APPNOTE.TXT 6.3.10. The verifier reads this form and no other (decision 98).
"""

import struct
import zlib
from dataclasses import dataclass
from typing import Final

LEVEL: Final = 9
"""The level of compression."""
MOST_ENTRIES: Final = 20_000
"""As many as the verifier reads."""
LARGEST: Final = (1 << 32) - 1
"""In bytes: the form has no longer numbers."""

_LOCAL: Final = struct.Struct("<4s5H3I2H")
_CENTRAL: Final = struct.Struct("<4s6H3I5H2I")
_END: Final = struct.Struct("<4s4H2IH")
_VERSION: Final = 20
_UNIX: Final = 3
_STORED: Final = 0
_DEFLATED: Final = 8
_TIME: Final = 0
_DAY: Final = 1 << 5 | 1
"""January 1, 1980: the earliest time that a zip can have."""
_MODE: Final = 0o100644


class TooLargeError(ValueError):
    """The package would be larger than its form allows, or have more entries."""


@dataclass(frozen=True, slots=True)
class _Entry:
    name: bytes
    method: int
    crc: int
    packed: int
    size: int
    start: int


class Zip:
    """A zip while it is written: the bytes that each method returns follow each other in it.

    Each method raises `TooLargeError`.
    """

    def __init__(self) -> None:
        self._entries: list[_Entry] = []
        self._at = 0

    def packed(self, name: str, content: bytes) -> bytes:
        """An entry, compressed."""
        pack = zlib.compressobj(LEVEL, zlib.DEFLATED, -15)
        packed = pack.compress(content) + pack.flush()
        return self._head(name, _DEFLATED, zlib.crc32(content), len(packed), len(content)) + packed

    def stored(self, name: str, crc: int, size: int) -> bytes:
        """The head of an entry whose content follows as it is: so many bytes with this CRC-32."""
        return self._head(name, _STORED, crc, size, size)

    def end(self) -> bytes:
        """The directory."""
        rows = b"".join(map(_row, self._entries))
        count = len(self._entries)
        if self._at + len(rows) > LARGEST:
            raise TooLargeError("the package would be too large")
        return rows + _END.pack(b"PK\5\6", 0, 0, count, count, len(rows), self._at, 0)

    def _head(self, name: str, method: int, crc: int, packed: int, size: int) -> bytes:
        entry = _Entry(name.encode("ascii"), method, crc, packed, size, self._at)
        head = _LOCAL.pack(
            b"PK\3\4", _VERSION, 0, method, _TIME, _DAY, crc, packed, size, len(entry.name), 0
        )
        self._at += len(head) + len(entry.name) + packed
        self._entries.append(entry)
        if self._at > LARGEST or len(self._entries) > MOST_ENTRIES:
            raise TooLargeError("the package would be too large")
        return head + entry.name


def _row(entry: _Entry) -> bytes:
    numbers = (entry.crc, entry.packed, entry.size, len(entry.name), 0, 0, 0, 0)
    return (
        _CENTRAL.pack(
            b"PK\1\2",
            _UNIX << 8 | _VERSION,
            _VERSION,
            0,
            entry.method,
            _TIME,
            _DAY,
            *numbers,
            _MODE << 16,
            entry.start,
        )
        + entry.name
    )
