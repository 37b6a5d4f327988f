"""What a PDF says beside its pages, as a person would read it: its information, annotations, fields
of forms, and attachments.

`documents` gives every byte in which something can be; this gives what somebody wrote.
"""

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape
from typing import Any, Final, Literal

import pikepdf

from direct311.runtime.extraction.documents import (
    BROKEN_PDF,
    is_attached,
    is_picture,
    unpacked,
)
from direct311.runtime.extraction.pieces import NotExtractableError

NoteKind = Literal["author", "text"]
LARGEST_XMP: Final = 1024 * 1024
"""The most bytes of metadata in XML that are read."""

_TEXTS: Final = ("/Contents", "/RC", "/V", "/Title", "/Subject", "/Keywords", "/Desc", "/UF", "/F")
"""Keys of what people write. Names of fields and of programs are no secrets of one file."""
_AUTHORS: Final = ("/Author",)
_XMP_AUTHORS: Final = re.compile(r"<dc:creator\b[^>]*>(.*?)</dc:creator>", re.DOTALL)
_XMP_TEXTS: Final = re.compile(
    r"<(dc:title|dc:description|dc:subject|dc:rights|pdf:Keywords|photoshop:Headline"
    r"|photoshop:Instructions|exif:UserComment)\b[^>]*>(.*?)</\1>",
    re.DOTALL,
)
_XMP_ATTRIBUTES: Final = re.compile(r"(?:pdf:Keywords|photoshop:Headline)=\"([^\"]*)\"")
_XMP_ITEM: Final = re.compile(r"<rdf:li\b[^>]*>(.*?)</rdf:li>", re.DOTALL)
_TAG: Final = re.compile(r"<[^>]*>")


@dataclass(frozen=True, slots=True)
class Note:
    """Something that a file says beside what it shows. `author`: who made it."""

    kind: NoteKind
    text: str


@dataclass(frozen=True, slots=True)
class PdfNotes:
    """`attached`: the files in it. `pictures`: its pictures as they lie in it."""

    notes: tuple[Note, ...]
    attached: tuple[bytes, ...]
    pictures: tuple[bytes, ...]


def pdf_notes(content: bytes, smallest_picture: int) -> PdfNotes:
    """:param smallest_picture: the fewest bytes of a picture that is named.
    :raises NotExtractableError: it is encrypted or broken.
    """
    notes: list[Note] = []
    attached: list[bytes] = []
    pictures: list[bytes] = []
    try:
        with pikepdf.open(io.BytesIO(content)) as document:
            if document.is_encrypted:
                raise NotExtractableError("encrypted")
            for each in document.objects:
                notes += _said_in(each)
                if not isinstance(each, pikepdf.Stream):
                    continue
                if is_attached(each):
                    attached.append(unpacked(each))
                elif is_picture(each):
                    raw = each.read_raw_bytes()
                    pictures += [raw] if len(raw) >= smallest_picture else []
                elif each.get("/Type") == "/Metadata":
                    notes += xmp_notes(unpacked(each))
    except BROKEN_PDF:
        raise NotExtractableError("a PDF that does not open") from None
    return PdfNotes(tuple(dict.fromkeys(notes)), tuple(attached), tuple(pictures))


def xmp_notes(packet: bytes) -> Iterator[Note]:
    """What people wrote into metadata (ISO 16684-1). What is too long is not read."""
    if len(packet) > LARGEST_XMP:
        return
    text = packet.decode("utf-8", "replace")
    for found in _XMP_AUTHORS.finditer(text):
        yield from (Note("author", each) for each in _items(found[1]))
    for found in _XMP_TEXTS.finditer(text):
        yield from (Note("text", each) for each in _items(found[2]))
    yield from (Note("text", unescape(found[1])) for found in _XMP_ATTRIBUTES.finditer(text))


def _items(inside: str) -> Iterator[str]:
    for item in _XMP_ITEM.findall(inside) or [inside]:
        text = unescape(_TAG.sub(" ", item)).strip()
        if text:
            yield text


def _said_in(node: Any, depth: int = 0) -> Iterator[Note]:
    """What is in one object; the objects that it refers to are looked at by themselves."""
    if isinstance(node, pikepdf.Array):
        parts = list(node)
    elif isinstance(node, pikepdf.Dictionary | pikepdf.Stream):
        parts = []
        for name in node.keys():  # noqa: SIM118
            part = node[name]
            if not isinstance(part, pikepdf.String):
                parts.append(part)
            elif text := str(part).strip():
                if name in _AUTHORS:
                    yield Note("author", text)
                elif name in _TEXTS:
                    yield Note("text", _TAG.sub(" ", text) if name == "/RC" else text)
    else:
        return
    if depth < _MOST_NESTED:
        for part in parts:
            if not getattr(part, "is_indirect", False):
                yield from _said_in(part, depth + 1)


_MOST_NESTED: Final = 20
