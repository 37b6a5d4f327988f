"""The files of a zip: of a package that we made, where nothing may lie beside them, and of what
others made, where it is searched too.

APPNOTE.TXT of PKWARE, version 6.3, sections 4.3 and 4.4, says what a zip has in it.
"""

import io
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Final

from direct311.runtime.extraction.pieces import NotExtractableError

LARGEST_ENTRY: Final = 256 * 1024 * 1024
"""The most unpacked bytes of one entry: a larger one is not extracted."""
LARGEST_PACKAGE: Final = 4 * 1024 * 1024 * 1024
"""The most unpacked bytes of a package whose text is searched."""
PIECE: Final = 1024 * 1024
DOES_NOT_UNPACK: Final = (
    zipfile.BadZipFile,
    zlib.error,
    NotImplementedError,
    RuntimeError,
    EOFError,
    OSError,
)
"""What reading an entry raises."""

_LOCAL_HEADER: Final = 30
_DESCRIPTOR: Final = struct.Struct("<4sLLL")
_IN_UTF_8: Final = 0x800
_HAS_DESCRIPTOR: Final = 0x08


@dataclass(frozen=True, slots=True)
class Entry:
    archive: zipfile.ZipFile
    info: zipfile.ZipInfo

    @property
    def name(self) -> str:
        return self.info.filename

    def content(self) -> bytes:
        """:raises NotExtractableError: it does not unpack, or not to what it says."""
        if self.info.file_size > LARGEST_ENTRY:
            raise NotExtractableError("an entry is larger than it may be")
        # It gives what was written without a copy, so an entry is in memory once.
        read = io.BytesIO()
        left = self.info.file_size + 1
        try:
            with self.archive.open(self.info) as file:
                # Piece by piece: the library copies what it has read so far at each step.
                while left > 0 and (piece := file.read(min(left, PIECE))):
                    left -= read.write(piece)
        except DOES_NOT_UNPACK:
            raise NotExtractableError("an entry does not unpack") from None
        content = read.getvalue()
        if len(content) != self.info.file_size:
            raise NotExtractableError("an entry is larger than it may be")
        return content


def entries_of(package: BinaryIO) -> Iterator[Entry]:
    """The files of a package of ours.

    :raises NotExtractableError: something lies beside them, so not all of it can be searched.
    """
    archive, infos = _opened(package)
    if archive.comment or any(info.comment or info.extra for info in infos):
        raise NotExtractableError("it has comments or extra fields")
    if any(info.flag_bits & _HAS_DESCRIPTOR for info in infos) or _beside(package, archive, infos):
        raise NotExtractableError("it has bytes between its entries")
    for info in infos:
        if info.is_dir() or _is_link(info):
            raise NotExtractableError("it has folders or links")
        yield Entry(archive, info)


def entries_of_others(file: BinaryIO) -> tuple[Sequence[Entry], bytes]:
    """The files of a zip that others made, such as a document of Word or LibreOffice, and what lies
    beside them: comments and extra fields. A folder is an empty file.

    :raises NotExtractableError: it has links, folders that are not empty, or bytes that belong to
        nothing.
    """
    archive, infos = _opened(file)
    beside = [archive.comment, _beside(file, archive, infos)]
    for info in infos:
        if _is_link(info) or (info.is_dir() and info.file_size):
            raise NotExtractableError("it has links, or folders with a content")
        beside += [info.comment, info.extra]
    files = [Entry(archive, info) for info in infos if not info.is_dir()]
    folders = "\n".join(info.filename for info in infos if info.is_dir())
    return files, b"\n".join([*beside, folders.encode()])


def _opened(file: BinaryIO) -> tuple[zipfile.ZipFile, Sequence[zipfile.ZipInfo]]:
    try:
        archive = zipfile.ZipFile(file)
        infos = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError):
        raise NotExtractableError("not a zip") from None
    if sum(info.file_size for info in infos) > LARGEST_PACKAGE:
        raise NotExtractableError("too large")
    return archive, infos


def _is_link(info: zipfile.ZipInfo) -> bool:
    return stat.S_ISLNK(info.external_attr >> 16)


def _beside(file: BinaryIO, archive: zipfile.ZipFile, infos: Sequence[zipfile.ZipInfo]) -> bytes:
    """The extra fields before the entries, which follow each other from the first byte to the
    directory, each with the name that the directory has.

    :raises NotExtractableError: something else lies between them.
    """
    at, extras = 0, []
    for info in sorted(infos, key=lambda info: info.header_offset):
        file.seek(at)
        header = file.read(_LOCAL_HEADER)
        if info.header_offset != at or len(header) < _LOCAL_HEADER:
            raise NotExtractableError("it has bytes between its entries")
        name, extra = (int.from_bytes(header[start : start + 2], "little") for start in (26, 28))
        encoding = "utf-8" if info.flag_bits & _IN_UTF_8 else "cp437"
        if file.read(name) != info.orig_filename.encode(encoding):
            raise NotExtractableError("an entry has two names")
        extras.append(file.read(extra))
        at += _LOCAL_HEADER + name + extra + info.compress_size
        if info.flag_bits & _HAS_DESCRIPTOR:
            file.seek(at)
            at += _descriptor(file.read(_DESCRIPTOR.size), info)
    if at != archive.start_dir:
        raise NotExtractableError("it has bytes between its entries")
    return b"\n".join(extras).strip(b"\n")


def _descriptor(told: bytes, info: zipfile.ZipInfo) -> int:
    """How long the descriptor is that repeats an entry's checksum and sizes after it, with or
    without a signature."""
    expected = _DESCRIPTOR.pack(b"PK\x07\x08", info.CRC, info.compress_size, info.file_size)
    if told == expected:
        return len(expected)
    if told[: len(expected) - 4] == expected[4:]:
        return len(expected) - 4
    raise NotExtractableError("it has bytes between its entries")
