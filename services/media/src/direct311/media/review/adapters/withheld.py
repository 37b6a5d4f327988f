"""Fingerprints of what is withheld of a file. Pure: bytes in, keyed hashes out.

Withheld is the text in the boxes of a PDF, or all of a file that is withheld whole; and in both
cases what no rendering has: annotations, attachments, information about the document, the tags of
pictures and recordings. Words in pictures, and what is heard, are not read.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from ctypes import c_int
from hashlib import sha256
from io import BytesIO
from typing import Final
from zipfile import ZipFile, is_zipfile

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c

from direct311.media.decisions import Box
from direct311.media.review.adapters.exif import exif_notes, position_in
from direct311.media.review.adapters.rendering import RenderLimits, margin_of
from direct311.media.review.adapters.sound_tags import sound_tags
from direct311.media.review.domain import BURNABLE_PICTURES, PDF
from direct311.redaction.leak_values import values_found, values_in
from direct311.redaction.leaks import (
    Fingerprint,
    Keyed,
    WithheldValue,
    fingerprints,
    is_nobody,
    normal_form,
)
from direct311.runtime.extraction.archives import DOES_NOT_UNPACK, Entry
from direct311.runtime.extraction.documents import (
    extracted_here,
    name_of_attached,
    without_markup,
)
from direct311.runtime.extraction.pdf_notes import Note, pdf_notes, xmp_notes
from direct311.runtime.extraction.pieces import NotExtractableError
from direct311.runtime.extraction.tags import ENDINGS as PICTURES

MOST_TEXT: Final = 500_000
"""How many characters of one file are looked for."""
MOST_IN_PIECES: Final = 40_000
"""Of how many of these a part is looked for too: pieces are many."""
SMALLEST_PICTURE: Final = 32 * 1024
"""The fewest bytes of a picture inside a document that is looked for: the seals and logos of
letterheads are smaller, and in every letter."""

_ENDINGS: Final = {
    "application/vnd.oasis.opendocument.text": ".odt",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": ".xlsx",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": ".docx",
    "text/csv": ".csv",
    "text/plain": ".txt",
}
"""Of documents that are read."""
_ABOUT: Final = ("docProps/core.xml", "meta.xml")
"""Where documents of an office say who wrote them and what they are called, in the words of Dublin
Core, as PDFs do."""
_BLANK_LINE: Final = re.compile(r"\n\s*\n")


def fingerprinted(
    data: bytes,
    content_type: str,
    record_id: str,
    boxes: Sequence[Box],
    key: bytes,
    limits: RenderLimits,
) -> tuple[Sequence[Fingerprint], Sequence[bytes]]:
    """What to look for so that what is withheld of the file is found, and the keyed hashes of the
    file itself and of the larger pictures and attachments that it has.

    :param boxes: what is burnt out; without any, all of the file is withheld.
    :param key: of one build of a package.
    """
    keyed = Keyed(key)
    found = _Withheld(record_id)
    found.file(data)
    if content_type == PDF:
        found.pdf(data, boxes, limits)
    elif content_type in BURNABLE_PICTURES:
        found.picture(data, content_type)
    elif content_type in _ENDINGS:
        found.document(f"file{_ENDINGS[content_type]}", data)
    elif content_type.startswith(("audio/", "video/")):
        found.notes(sound_tags(data), shown="")
    return fingerprints(key, found.values), [keyed.file_mac(each) for each in found.hashes]


class _Withheld:
    """Collects the values and files that are looked for."""

    def __init__(self, record_id: str) -> None:
        self.values: list[WithheldValue] = []
        self.hashes: dict[bytes, None] = {}
        self._record_id = record_id
        self._left = MOST_TEXT
        self._in_pieces = MOST_IN_PIECES

    def file(self, content: bytes) -> None:
        self.hashes[sha256(content).digest()] = None

    def pdf(self, data: bytes, boxes: Sequence[Box], limits: RenderLimits) -> None:
        shown = ""
        with suppress(pdfium.PdfiumError, MemoryError):
            shown = self._pages(data, boxes, limits)
        try:
            beside = pdf_notes(data, SMALLEST_PICTURE)
        except (NotExtractableError, MemoryError):
            return
        self.notes(beside.notes, shown)
        for each in beside.attached:
            self.file(each)
            if each.startswith(b"%PDF-"):
                with suppress(pdfium.PdfiumError, MemoryError):
                    self._pages(each, (), limits)
            else:
                self.document(name_of_attached(each), each)
        if not boxes:
            for each in beside.pictures:
                self.file(each)

    def picture(self, data: bytes, content_type: str) -> None:
        self.notes(exif_notes(data, content_type), shown="")
        for each in position_in(data, content_type):
            self.values.append(WithheldValue(self._record_id, "position", each))

    def document(self, name: str, data: bytes) -> None:
        """What of it cannot be read is left out; the rest is looked for all the same."""
        for entry_name, content in _entries(name, data):
            if entry_name.lower().endswith(PICTURES) and len(content) >= SMALLEST_PICTURE:
                self.file(content)
            if entry_name in _ABOUT:
                self.notes(xmp_notes(content), shown="")
                continue
            with suppress(NotExtractableError):
                for piece in extracted_here(entry_name, content):
                    if piece.sha256 is None:
                        self._paragraphs(piece.text)

    def notes(self, notes: Sequence[Note] | Iterator[Note], shown: str) -> None:
        """What a file says beside its pages. `shown`: the normal form of what its pages show in
        spite of their boxes, which is not withheld."""
        for note in notes:
            if normal_form(note.text) in shown or is_nobody(note.text):
                continue
            if note.kind == "author":
                self.values.append(WithheldValue(self._record_id, "name", note.text))
            else:
                text = self._taken(note.text)
                self.values += values_in(self._record_id, text, whole=True)

    def _pages(self, data: bytes, boxes: Sequence[Box], limits: RenderLimits) -> str:
        """Collects the text in the boxes, or without boxes all text. Returns the normal form of the
        text outside of boxes."""
        outside: list[str] = []
        document = pdfium.PdfDocument(data)
        try:
            for index in range(min(len(document), limits.max_pages)):
                page = document[index]
                try:
                    text = page.get_textpage()
                    try:
                        if not boxes:
                            self._page(text.get_text_range())
                            continue
                        here = [box for box in boxes if box.page == index + 1]
                        inside, rest = _in_boxes(page, text, here, limits)
                        self._boxes(inside)
                        outside.append(rest)
                    finally:
                        text.close()
                finally:
                    page.close()
        finally:
            document.close()
        return normal_form(" ".join(outside))

    def _paragraphs(self, text: str) -> None:
        if text.lstrip().startswith("<"):
            text = without_markup(text)
        for paragraph in _BLANK_LINE.split(text):
            self._page(paragraph)

    def _page(self, text: str) -> None:
        text = self._taken(text)
        if not text.strip():
            return
        in_pieces = self._in_pieces > 0
        self._in_pieces -= len(text)
        self.values.append(WithheldValue(self._record_id, "page", text, in_pieces))
        self.values += values_found(self._record_id, text)

    def _boxes(self, inside: Sequence[str]) -> None:
        texts = [self._taken(each) for each in inside if each.strip()]
        for each in texts:
            self.values += values_in(self._record_id, each, whole=False)
        if len(texts) > 1:
            # One box a line: a value may go on in the next one.
            self.values += values_in(self._record_id, " ".join(texts), whole=False)

    def _taken(self, text: str) -> str:
        taken = text[: max(0, self._left)]
        self._left -= len(taken)
        return taken


def _entries(name: str, data: bytes) -> Iterator[tuple[str, bytes]]:
    """The parts of a document of an office, which is a zip; any other document is one part. Such a
    zip has parts that say nothing, and more than a package may have, such as extra fields."""
    file = BytesIO(data)
    if not is_zipfile(file):
        yield name, data
        return
    try:
        archive = ZipFile(file)
    except DOES_NOT_UNPACK:
        return
    for info in archive.infolist():
        with suppress(NotExtractableError):
            yield info.filename, Entry(archive, info).content()


def _in_boxes(
    page: pdfium.PdfPage, text: pdfium.PdfTextPage, boxes: Sequence[Box], limits: RenderLimits
) -> tuple[Sequence[str], str]:
    """The words under each box, from the top of the page, and the other words. A word is under a
    box if half of its letters are, as they show on the page."""
    across, down = (max(1, round(side * limits.dpi / 72)) for side in page.get_size())
    margin = margin_of(across, down)
    boxes = sorted(boxes, key=lambda box: (box.top, box.left))
    inside: list[list[str]] = [[] for _ in boxes]
    outside: list[str] = []
    for word, places in _words(page, text, across, down):
        for at, box in enumerate(boxes):
            left, right = box.left * across - margin, box.right * across + margin
            top, bottom = box.top * down - margin, box.bottom * down + margin
            under = sum(left <= x <= right and top <= y <= bottom for x, y in places)
            if 2 * under >= len(places):
                inside[at].append(word)
                break
        else:
            outside.append(word)
    return [" ".join(words) for words in inside], " ".join(outside)


def _words(
    page: pdfium.PdfPage, text: pdfium.PdfTextPage, across: int, down: int
) -> Iterator[tuple[str, Sequence[tuple[int, int]]]]:
    """Each word with the middle of each of its letters, in pixels of the rendered page."""
    word: list[str] = []
    places: list[tuple[int, int]] = []
    for at in range(text.count_chars()):
        char = chr(pdfium_c.FPDFText_GetUnicode(text, at))
        if char.isspace():
            if word:
                yield "".join(word), places
            word, places = [], []
            continue
        left, bottom, right, top = text.get_charbox(at)
        word.append(char)
        places.append(_pixel(page, (left + right) / 2, (bottom + top) / 2, across, down))
    if word:
        yield "".join(word), places


def _pixel(page: pdfium.PdfPage, x: float, y: float, across: int, down: int) -> tuple[int, int]:
    """Where a place of the page is once it is rendered: turned and cut as its page says."""
    at_x, at_y = c_int(), c_int()
    pdfium_c.FPDF_PageToDevice(page, 0, 0, across, down, 0, x, y, at_x, at_y)
    return at_x.value, at_y.value
