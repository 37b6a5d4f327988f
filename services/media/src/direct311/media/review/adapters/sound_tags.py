"""The tags of sound and video: who made it, what it is called, where it was recorded.

The formats are ID3 version 2 (id3.org), the metadata of QuickTime and MP4, the comments of Vorbis
and Matroska's kin, and RIFF's INFO list. Only their tags are read, nothing is decoded.
"""

import re
from collections.abc import Iterator
from typing import Final

from direct311.runtime.extraction.pdf_notes import Note

LONGEST_TAG: Final = 10_000
"""In bytes; a longer one is not read."""

_ID3_AUTHORS: Final = frozenset({b"TPE1", b"TPE2", b"TCOM", b"TEXT", b"TOPE", b"TOWN"})
_ID3_TEXTS: Final = frozenset({b"TIT1", b"TIT2", b"TIT3", b"TALB", b"COMM", b"USLT", b"TCOP"})
_MP4: Final = re.compile(
    rb"(\xa9ART|\xa9wrt|\xa9aut|aART|\xa9nam|\xa9alb|\xa9cmt|\xa9des|desc|\xa9xyz)"
    rb"(?:(.{4})data.{8}|(.{2}).{2})",
    re.DOTALL,
)
_MP4_AUTHORS: Final = frozenset({b"\xa9ART", b"\xa9wrt", b"\xa9aut", b"aART"})
_VORBIS: Final = re.compile(
    rb"(.{4})(ARTIST|PERFORMER|AUTHOR|CONTACT|TITLE|ALBUM|COMMENT|DESCRIPTION|LOCATION)=",
    re.DOTALL | re.IGNORECASE,
)
_RIFF: Final = re.compile(rb"(IART|INAM|ICMT|ISBJ|ICOP)(.{4})", re.DOTALL)
_VORBIS_AUTHORS: Final = frozenset({b"ARTIST", b"PERFORMER", b"AUTHOR", b"CONTACT"})
_ENCODINGS: Final = ("latin-1", "utf-16", "utf-16-be", "utf-8")


def sound_tags(content: bytes) -> Iterator[Note]:
    """What people wrote into a recording."""
    if content.startswith(b"ID3"):
        yield from _id3(content)
    elif content[4:8] in (b"ftyp", b"moov", b"mdat", b"wide"):
        yield from _mp4(content)
    elif content.startswith((b"fLaC", b"OggS")):
        for found in _VORBIS.finditer(content):
            size = int.from_bytes(found[1], "little") - len(found[2]) - 1
            author = found[2].upper() in _VORBIS_AUTHORS
            yield from _note(content, found.end(), size, author, "utf-8")
    elif content.startswith(b"RIFF"):
        for found in _RIFF.finditer(content):
            size = int.from_bytes(found[2], "little")
            yield from _note(content, found.end(), size, found[1] == b"IART", "utf-8")


def _id3(content: bytes) -> Iterator[Note]:
    """ID3v2.3.0, 3.1 and 3.3; ID3v2.4.0 counts the bytes of a frame in seven bits each."""
    by_seven = content[3] >= 4
    at, end = 10, 10 + _seven(content[6:10])
    while at + 10 <= min(end, len(content)):
        name, told = content[at : at + 4], content[at + 4 : at + 8]
        size = _seven(told) if by_seven else int.from_bytes(told, "big")
        body = content[at + 10 : at + 10 + size]
        at += 10 + size
        if not size or not name.isalnum():
            return
        if name not in _ID3_AUTHORS | _ID3_TEXTS or size > LONGEST_TAG or body[0] > 3:
            continue
        text = body[1:]
        if name in (b"COMM", b"USLT"):
            # Three letters of a language and a short description come first.
            text = text[3:]
        for each in text.decode(_ENCODINGS[body[0]], "replace").split("\0"):
            if each.strip("\ufeff "):
                yield Note("author" if name in _ID3_AUTHORS else "text", each.strip("\ufeff "))


def _seven(told: bytes) -> int:
    size = 0
    for each in told:
        size = size << 7 | each & 0x7F
    return size


def _mp4(content: bytes) -> Iterator[Note]:
    for found in _MP4.finditer(content):
        if found[2] is not None:
            size = int.from_bytes(found[2], "big") - 16
        else:
            size = int.from_bytes(found[3], "big")
        yield from _note(content, found.end(), size, found[1] in _MP4_AUTHORS, "utf-8")


def _note(content: bytes, at: int, size: int, author: bool, encoding: str) -> Iterator[Note]:
    if not 0 < size <= LONGEST_TAG or at + size > len(content):
        return
    text = content[at : at + size].rstrip(b"\0").decode(encoding, "replace").strip()
    if text and text.isprintable():
        yield Note("author" if author else "text", text)
