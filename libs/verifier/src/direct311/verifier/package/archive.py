"""The zip of a package, read without trust.

Packages are written in one form (decision 98): entries in the order of their names, one after the
other from the first byte to the last, all with the same date and mode, without extra fields,
comments or anything between. Whatever differs from it is an error, so that two programs cannot see
two packages in one file. Source: PKWARE's APPNOTE.TXT 6.3.10.
"""

import re
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import BinaryIO

MAX_ENTRIES = 20_000
MAX_UNPACKED = 4 << 30
"""Bytes of all entries."""
MAX_RATIO = 100
"""How many times its own size a package may unpack to, over `FREE`."""
FREE = 16 << 20
MAX_DOCUMENT = 64 << 20
"""Bytes of one entry that is read as a whole."""

_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")
_VERSION, _UNIX = 20, 3
_STORED, _DEFLATED = 0, 8
_TIME, _DAY = 0, 1 << 5 | 1
"""January 1, 1980, at midnight."""
_MODES = (0o100644 << 16, 0o644 << 16)
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")
"""No name that means something to a file system: no `..`, no leading `/`, no drive."""
_PIECE = 1 << 16


class ArchiveError(ValueError):
    """The file is not a zip in the form of a package. `where` is the place, without content."""

    def __init__(self, where: str, says: str) -> None:
        super().__init__(says)
        self.where = where


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of the package: where its bytes begin in the zip, and what the directory says."""

    name: str
    method: int
    crc: int
    packed: int
    size: int
    start: int


class Archive:
    """The entries of a zip, whose form was checked.

    Raises `ArchiveError`.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._level: int | None = None
        self.size = file.seek(0, 2)
        self.entries = {entry.name: entry for entry in self._read()}

    def sha256(self) -> str:
        """The hash of the whole file, in hexadecimal digits."""
        digest = sha256()
        self._file.seek(0)
        while piece := self._file.read(_PIECE):
            digest.update(piece)
        return digest.hexdigest()

    def pieces(self, name: str) -> Iterator[bytes]:
        """The content of an entry, never more than the directory says. Raises `ArchiveError`, at
        the end if only the end shows that the content is wrong."""
        entry = self.entries[name]
        crc = size = 0
        for piece in self._unpacked(entry):
            crc, size = zlib.crc32(piece, crc), size + len(piece)
            if size > entry.size:
                raise ArchiveError(name, "it unpacks to more than the directory says")
            yield piece
        if size != entry.size:
            raise ArchiveError(name, "it unpacks to less than the directory says")
        if crc != entry.crc:
            raise ArchiveError(name, "its content was changed: the checksum differs")

    def read(self, name: str) -> bytes:
        """The whole content of an entry of at most `MAX_DOCUMENT` bytes."""
        if self.entries[name].size > MAX_DOCUMENT:
            raise ArchiveError(name, f"it is longer than {MAX_DOCUMENT:,} bytes")
        return b"".join(self.pieces(name))

    def digest(self, name: str) -> str:
        """The SHA-256 of an entry's content, in hexadecimal digits."""
        digest = sha256()
        for piece in self.pieces(name):
            digest.update(piece)
        return digest.hexdigest()

    def is_packed_by_rule(self, name: str) -> bool:
        """Whether zlib packs this content to these bytes, at the level of the other entries.

        Other bytes can unpack to the same content. The answer is right only where the zlib of this
        machine packs like that of the county.
        """
        entry = self.entries[name]
        if entry.method == _STORED:
            return True
        if self._level is not None:
            return self._packs(entry, self._level)
        for level in (9, 6, *(each for each in range(1, 9) if each != 6)):
            if self._packs(entry, level):
                self._level = level
                return True
        return False

    # the content

    def _raw(self, entry: Entry) -> Iterator[bytes]:
        at, left = entry.start, entry.packed
        while left:
            self._file.seek(at)
            piece = self._file.read(min(_PIECE, left))
            at, left = at + len(piece), left - len(piece)
            yield piece

    def _unpacked(self, entry: Entry) -> Iterator[bytes]:
        if entry.method == _STORED:
            yield from self._raw(entry)
            return
        unpack = zlib.decompressobj(-15)
        try:
            for raw in self._raw(entry):
                if unpack.eof:
                    raise ArchiveError(entry.name, "bytes follow its packed content")
                rest = raw
                while rest and not unpack.eof:
                    yield unpack.decompress(rest, _PIECE)
                    rest = unpack.unconsumed_tail
                if unpack.unused_data:
                    raise ArchiveError(entry.name, "bytes follow its packed content")
            while not unpack.eof and (piece := unpack.decompress(b"", _PIECE)):
                yield piece
        except zlib.error as error:
            raise ArchiveError(entry.name, "its packed content is broken") from error
        if not unpack.eof:
            raise ArchiveError(entry.name, "its packed content has no end")

    def _packs(self, entry: Entry, level: int) -> bool:
        pack = zlib.compressobj(level, zlib.DEFLATED, -15)
        raw, held = self._raw(entry), b""

        def fits(packed: bytes) -> bool:
            nonlocal held
            while len(held) < len(packed) and (more := next(raw, b"")):
                held += more
            same, held = held.startswith(packed), held[len(packed) :]
            return same

        if not all(fits(pack.compress(piece)) for piece in self._unpacked(entry)):
            return False
        return fits(pack.flush()) and not held and not next(raw, b"")

    # the form

    def _read(self) -> Iterator[Entry]:
        count, length, begin = self._end()
        self._file.seek(begin)
        directory = self._file.read(length)
        at = start = unpacked = 0
        before, mode = "", None
        for number in range(1, count + 1):
            head, name, at = _directory_row(directory, at, number)
            if name <= before:
                same = name == before
                says = "a name appears twice" if same else "the names are not in their order"
                raise ArchiveError(f"zip entry {number}", says)
            mode = head[15] if mode is None else mode
            if head[15] != mode:
                raise ArchiveError(f"zip entry {number}", "its mode is not that of the others")
            entry = self._entry(head, name, start, number)
            start, before = entry.start + entry.packed, name
            unpacked += entry.size
            if unpacked > min(MAX_UNPACKED, MAX_RATIO * self.size + FREE):
                raise ArchiveError(f"zip entry {number}", "it would unpack to too many bytes")
            yield entry
        if at != length:
            raise ArchiveError("zip directory", "it says more than its entries")
        if start != begin:
            raise ArchiveError("zip directory", "it does not follow the last entry")

    def _end(self) -> tuple[int, int, int]:
        """Number of entries, and length and place of the directory."""
        where = "zip end record"
        if self.size < _END.size:
            raise ArchiveError(where, "the file is too short for a zip")
        self._file.seek(self.size - _END.size)
        mark, disk, first, here, count, length, begin, comment = _END.unpack(self._file.read())
        if mark != b"PK\5\6" or disk or first or comment or here != count:
            raise ArchiveError(where, "the file does not end as a zip without comment")
        if 0xFFFF in (count,) or 0xFFFFFFFF in (length, begin):
            raise ArchiveError(where, "it is a zip64, and no package is")
        if count > MAX_ENTRIES:
            raise ArchiveError(where, f"more than {MAX_ENTRIES:,} entries")
        if begin + length + _END.size != self.size:
            raise ArchiveError(where, "it does not follow the directory")
        return count, length, begin

    def _entry(self, head: tuple[int, ...], name: str, start: int, number: int) -> Entry:
        """Compare an entry's own head with the directory's."""
        where = f"zip entry {number} ({name})"
        crc, packed, size, begin = head[7], head[8], head[9], head[16]
        method = head[4]
        if begin != start:
            raise ArchiveError(where, "it does not begin where the entry before ends")
        own = _LOCAL.pack(
            b"PK\3\4", _VERSION, 0, method, _TIME, _DAY, crc, packed, size, len(name), 0
        )
        self._file.seek(start)
        if self._file.read(_LOCAL.size + len(name)) != own + name.encode():
            raise ArchiveError(where, "its own head differs from the directory")
        content = start + len(own) + len(name)
        if content + packed > self.size:
            raise ArchiveError(where, "it is longer than the file")
        if method == _STORED and packed != size:
            raise ArchiveError(where, "it is stored, and has two sizes")
        return Entry(name, method, crc, packed, size, content)


def _directory_row(directory: bytes, at: int, number: int) -> tuple[tuple[int, ...], str, int]:
    """One row, its name, and where the next one begins."""
    where = f"zip entry {number}"
    if at + _CENTRAL.size > len(directory):
        raise ArchiveError(where, "the directory ends before it")
    head = _CENTRAL.unpack_from(directory, at)
    mark, made, needed, flags, method, time, day = head[:7]
    name_length, extra, comment, disk, internal, mode = head[10:16]
    at += _CENTRAL.size
    name = directory[at : at + name_length].decode("ascii", "replace")
    if mark != b"PK\1\2" or made != _UNIX << 8 | _VERSION or needed != _VERSION or flags:
        raise ArchiveError(where, "its version or flags are not those of a package")
    if method not in (_STORED, _DEFLATED):
        raise ArchiveError(where, "it is packed in another way than a package's files")
    if (time, day) != (_TIME, _DAY):
        raise ArchiveError(where, "its date is not January 1, 1980")
    if extra or comment or disk or internal:
        raise ArchiveError(where, "it has an extra field or comment")
    if mode not in _MODES:
        raise ArchiveError(where, "it is not an ordinary file of mode 0644")
    if len(name) != name_length or len(name) > 255 or not _NAME.fullmatch(name):
        raise ArchiveError(where, "it has a name that no file of a package has")
    return head, name, at + name_length


def differing(names: Sequence[str], most: int = 3) -> str:
    """Some names and the number of the others."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more:,} more" if more > 0 else "")
