"""The text in pictures and recordings, besides what they show and play: names of cameras and
people, places, titles, comments.

Their formats are many and their decoders are no part of this service, so nothing is decoded: every
run of characters is taken as it stands in the bytes, in UTF-8 and in both orders of UTF-16, which
is how their tags are written. What a PNG compresses is unpacked. The pixels of a JPEG or PNG and
the samples of an MP4, which are most of it, are skipped. Words that are seen or heard are the
reviewer's work.
"""

import re
import zlib
from collections.abc import Iterator
from itertools import islice
from typing import Final

ENDINGS: Final = (
    *(".jpg", ".jpeg", ".png", ".gif", ".webp", ".heic", ".avif", ".tif", ".tiff", ".bmp"),
    *(".emf", ".wmf"),
    *(".mp4", ".mov", ".3gp", ".3g2", ".webm", ".mkv", ".avi", ".mpg"),
    *(".mp3", ".m4a", ".aac", ".amr", ".flac", ".ogg", ".wav"),
)
"""Of pictures and recordings."""
LARGEST_TAG: Final = 16 * 1024 * 1024
"""The most unpacked bytes of one compressed tag."""

_SHORTEST: Final = 4
"""Characters of a run. No withheld value that is looked for everywhere is shorter."""
_KIND: Final = 4
"""The letters of a tag's kind."""
_TOGETHER: Final = 1 << 16
"""How many runs are one text."""
_UTF_8: Final = re.compile(
    rb"(?:[\t\n\r\x20-\x7e]|[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}"
    rb"|[\xf0-\xf4][\x80-\xbf]{3}|(?<=[\x20-\x7e])[\xa0-\xff](?=[\x20-\x7e])){%d,}" % _SHORTEST
)
"""A letter of Latin-1 between plain ones counts too: older tags are in it."""
_LITTLE: Final = re.compile(rb"(?:[\t\n\r\x20-\x7e\xa0-\xff][\x00-\x02]){%d,}" % _SHORTEST)
_BIG: Final = re.compile(rb"(?:[\x00-\x02][\t\n\r\x20-\x7e\xa0-\xff]){%d,}" % _SHORTEST)
_PNG: Final = b"\x89PNG\r\n\x1a\n"
_PICTURE_BRANDS: Final = (b"heic", b"heix", b"mif1", b"msf1", b"avif", b"avis")
"""Pictures in boxes: their tags lie among the pixels."""
_LENGTHS: Final = 12
"""The bytes of a chunk besides its content: length, type and checksum."""


class TooLongTagError(ValueError):
    """A compressed tag unpacks to too much, or not at all."""


def texts_in(content: bytes) -> Iterator[str]:
    """Every run of characters, and every compressed tag.

    :raises TooLongTagError: a tag cannot be unpacked.
    """
    for start, end in _spans(content):
        yield from _runs(_UTF_8, content, start, end, "utf-8")
        yield from _runs(_LITTLE, content, start, end, "utf-16-le")
        yield from _runs(_BIG, content, start, end, "utf-16-be")
    if content.startswith(_PNG):
        yield from _png_tags(content)


def _spans(content: bytes) -> Iterator[tuple[int, int]]:
    """Where the content has something besides pixels and samples. Whatever is not in the form that
    is expected is searched."""
    if content.startswith(b"\xff\xd8\xff"):
        yield from _jpeg_spans(content)
    elif content.startswith(_PNG):
        yield from _png_spans(content)
    elif content[4:8] == b"ftyp" and content[8:12] not in _PICTURE_BRANDS:
        yield from _mp4_spans(content)
    else:
        yield 0, len(content)


def _jpeg_spans(content: bytes) -> Iterator[tuple[int, int]]:
    """All segments before the first scan, and what follows the end of the picture, which no scan
    can have in it (ITU-T T.81, B.1.1)."""
    at = 2
    while content[at : at + 1] == b"\xff" and content[at + 1 : at + 2] != b"\xda":
        length = int.from_bytes(content[at + 2 : at + 4], "big")
        if length < 2:
            break
        at += 2 + length
    end = content.find(b"\xff\xd9", at) if content[at : at + 2] == b"\xff\xda" else -1
    if end < 0:
        yield 0, len(content)
    else:
        yield 0, at
        yield end, len(content)


def _png_spans(content: bytes) -> Iterator[tuple[int, int]]:
    at = begin = len(_PNG)
    while at + _LENGTHS <= len(content):
        end = at + _LENGTHS + int.from_bytes(content[at : at + 4], "big")
        if content[at + 4 : at + 8] == b"IDAT" and end <= len(content):
            yield begin, at
            begin = end
        at = end
    yield begin, len(content)


def _mp4_spans(content: bytes) -> Iterator[tuple[int, int]]:
    """All boxes but those with samples (ISO/IEC 14496-12, 4.2 and 8.1.1)."""
    at = begin = 0
    while at + 16 <= len(content):
        length = int.from_bytes(content[at : at + 4], "big")
        if length == 1:
            length = int.from_bytes(content[at + 8 : at + 16], "big")
        if length < 8 or at + length > len(content):
            break
        if content[at + 4 : at + 8] == b"mdat":
            yield begin, at
            begin = at + length
        at += length
    yield begin, len(content)


def _runs(
    pattern: re.Pattern[bytes], content: bytes, start: int, end: int, encoding: str
) -> Iterator[str]:
    found = pattern.finditer(content, start, end)
    while some := list(islice(found, _TOGETHER)):
        yield "\n".join(_decoded(each[0], encoding) for each in some)
        if encoding == "utf-8":
            # Many formats write the four letters of a tag's kind right before its text.
            yield "\n".join(_decoded(each[0][_KIND:], encoding) for each in some)


def _decoded(run: bytes, encoding: str) -> str:
    try:
        return run.decode(encoding)
    except UnicodeDecodeError:
        return run.decode("latin-1" if encoding == "utf-8" else encoding, "replace")


def _png_tags(content: bytes) -> Iterator[str]:
    """The compressed chunks with text (W3C, Portable Network Graphics, third edition, 11.3.3)."""
    at = len(_PNG)
    while at + _LENGTHS <= len(content):
        length = int.from_bytes(content[at : at + 4], "big")
        kind = content[at + 4 : at + 8]
        body = content[at + 8 : at + 8 + length]
        at += _LENGTHS + length
        if kind in (b"zTXt", b"iCCP"):
            _, _, rest = body.partition(b"\0")
            yield _unpacked(rest[1:])
        elif kind == b"iTXt":
            _, _, rest = body.partition(b"\0")
            if rest[:1] == b"\1":
                _, _, rest = rest[2:].partition(b"\0")
                _, _, rest = rest.partition(b"\0")
                yield _unpacked(rest)


def _unpacked(packed: bytes) -> str:
    try:
        unpack = zlib.decompressobj()
        found = unpack.decompress(packed, LARGEST_TAG)
    except zlib.error:
        raise TooLongTagError("a tag does not unpack") from None
    if unpack.unconsumed_tail:
        raise TooLongTagError("a tag unpacks to too much")
    return found.decode("utf-8", "replace")
