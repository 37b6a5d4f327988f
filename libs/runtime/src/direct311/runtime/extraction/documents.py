"""All text of a document: of PDF the text of every page, every other string, metadata and
attachments; of an archive its entries; strings of JSON, cells of CSV, and plain text. Of pictures
and recordings, their tags.

What can be extracted only in part is not extracted at all. Words inside pictures are not read. The
names of a package's entries say whose text is in them.
"""

import base64
import contextlib
import csv
import html
import io
import json
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Any, Final

import pikepdf

from direct311.runtime.extraction import tags
from direct311.runtime.extraction.archives import entries_of_others
from direct311.runtime.extraction.pieces import Extracted, NotExtractableError

LARGEST_STREAM: Final = 64 * 1024 * 1024
"""The most unpacked bytes of one stream of a PDF."""
LARGEST_DRAWING: Final = 8 * 1024 * 1024
"""The most unpacked bytes of what draws one page or form: its text is read in one piece."""
LARGEST_LZW: Final = 256 * 1024
"""The most packed bytes of a stream that is packed by LZW, whose unpacking has no limit."""
MOST_TEXT: Final = 1024 * 1024 * 1024
"""The most text of one entry, with all that lies inside of it."""
MOST_DEPTH: Final = 4
"""How deep packages, documents and attachments may lie inside each other."""

# A few kilobytes may say that they are gigabytes. The library's limits hold for the whole process.
pikepdf.settings.set_qpdf_limits(
    flate_max_memory=LARGEST_STREAM,
    run_length_max_memory=LARGEST_STREAM,
    png_max_memory=LARGEST_STREAM,
    tiff_max_memory=LARGEST_STREAM,
    dct_max_memory=LARGEST_STREAM,
    max_stream_filters=3,
)

_RECORD: Final = re.compile(
    r"^data/(?:records|media)/(?P<record_id>[A-Za-z0-9_-]{1,64})(?:\.json$|/)"
)
_CAMEL: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")
_TEXTS: Final = (".txt", ".note", ".md", ".xml", ".html", ".tsv", ".rels", ".vml", ".rdf")
_OF_OFFICES: Final = re.compile(
    r"(?:^|/)(?:mimetype|layout-cache|printersettings\d*\.bin)$", re.IGNORECASE
)
"""What documents of an office have in them besides texts and pictures, and do not compress."""
_END_OF_PARAGRAPH: Final = re.compile(r"</(?:w:p|text:p|text:h|si|a:p)>")
_MARKUP: Final = re.compile(r"<[^>]*>")
_COLUMN: Final = "record_id"
OTHERS: Final = "data/media/"
"""Where the files of residents lie."""
BUNDLE: Final = "proofs/bundle.json"
"""The log's proof of the case's entries."""
_PAYLOAD: Final = "data/"
"""What lies here is the records' own. The rows of the exemption log name records too, but have the
names of staff in them."""
_SHOWING: Final = frozenset({"Tj", "'", '"', "TJ"})
_MOVING: Final = frozenset({"Td", "TD", "Tm", "T*", "ET"})
_OPERATORS: Final = " ".join(("Tf", *sorted(_SHOWING), *sorted(_MOVING)))
"""All others only draw, and a page may have millions of them."""
_MOST_NESTED: Final = 60
_MIDDLE: Final = re.compile(r"<([0-9A-Fa-f\s]+)>")


SEVERAL: Final = ""
"""In place of a record: only what is looked for everywhere is looked for."""


def extracted_here(name: str, content: bytes, depth: int = 0) -> Iterator[Extracted]:
    """All text of one entry, which is read in this process.

    :raises NotExtractableError: it is of no known kind, broken, encrypted, or too large.
    """
    size = 0
    for piece in _extracted(name, content, depth):
        size += len(piece.text)
        if size > MOST_TEXT:
            raise NotExtractableError("more text than can be searched")
        yield piece


def _extracted(name: str, content: bytes, depth: int) -> Iterator[Extracted]:
    if depth > MOST_DEPTH:
        raise NotExtractableError("files lie too deep inside each other")
    record_id = record_of(name)
    lower = name.lower()
    if content.startswith(b"%PDF-") or lower.endswith(".pdf"):
        yield from (
            replace(piece, entry=name, record_id=record_id) for piece in _pdf(content, depth)
        )
    elif zipfile.is_zipfile(io.BytesIO(content)):
        entries, beside = entries_of_others(io.BytesIO(content))
        yield from (Extracted(name, text, record_id) for text in tags.texts_in(beside))
        for entry in entries:
            yield Extracted(name, _with_words_apart(entry.name), record_id)
            inner = entry.content()
            yield Extracted(name, "", record_id, sha256(inner).digest())
            for piece in extracted_here(entry.name, inner, depth + 1):
                yield replace(piece, entry=name, record_id=piece.record_id or record_id)
    elif name == BUNDLE:
        yield Extracted(name, _events(_decoded(content)))
    elif lower.endswith(".json"):
        pieces = _json(_decoded(content), record_id, by_record=name.startswith(_PAYLOAD))
        yield from (Extracted(name, *piece) for piece in pieces)
    elif lower.endswith(".csv"):
        pieces = _csv(_decoded(content), by_record=name.startswith(_PAYLOAD))
        yield from (Extracted(name, *piece) for piece in pieces)
    elif lower.endswith(_TEXTS):
        text = _decoded(content)
        yield Extracted(name, text, record_id)
        if text.lstrip().startswith("<"):
            # A word of a document may be spread over several elements.
            yield Extracted(name, without_markup(text), record_id)
    elif depth > 0 and _OF_OFFICES.search(name):
        yield from (Extracted(name, text, record_id) for text in tags.texts_in(content))
    elif lower.endswith(tags.ENDINGS):
        try:
            yield from (Extracted(name, text, record_id) for text in tags.texts_in(content))
        except tags.TooLongTagError:
            raise NotExtractableError("a tag does not unpack") from None
    else:
        raise NotExtractableError("not a kind of file that can be searched")


def name_of(name: str) -> Extracted:
    return Extracted(name, _with_words_apart(name), record_of(name))


def without_markup(text: str) -> str:
    """What XML or HTML says, with a blank line after each paragraph of a document of an office."""
    return html.unescape(_MARKUP.sub("", _END_OF_PARAGRAPH.sub("\n\n", text)))


def _with_words_apart(name: str) -> str:
    """A file's name, once as it is and once with a space before each capital in a word."""
    return f"{name}\n{_CAMEL.sub(' ', name)}"


def record_of(name: str) -> str | None:
    found = _RECORD.match(name)
    return found["record_id"] if found else None


def _decoded(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise NotExtractableError("not in UTF-8") from None


# ---------------------------------------------------------------- JSON and CSV


def _json(text: str, record_id: str | None, *, by_record: bool) -> Iterator[tuple[str, str | None]]:
    """The text itself, and its strings without escapes. `by_record`: the strings of an object that
    names a record are the record's own."""
    yield text, SEVERAL if by_record and record_id is None else record_id
    try:
        tree = json.loads(text)
    except (ValueError, RecursionError):
        raise NotExtractableError("not JSON") from None
    own: dict[str | None, list[str]] = {}
    try:
        _strings(tree, record_id, own, by_record=by_record)
    except RecursionError:
        raise NotExtractableError("nested too deep") from None
    yield from (("\n".join(strings), whose) for whose, strings in own.items())


def _events(text: str) -> str:
    """What can be read in a bundle: its events. The rest is hashes, signatures and ciphertexts, and
    each key in it opens the event that stands beside it."""
    own: dict[str | None, list[str]] = {}
    try:
        shown = [each["event"] for each in json.loads(text)["receipts"]]
        _strings(shown, None, own, by_record=False)
    except (ValueError, KeyError, TypeError, RecursionError):
        raise NotExtractableError("not a bundle") from None
    return "\n".join(own.get(None, []))


def _strings(
    node: Any, record_id: str | None, own: dict[str | None, list[str]], *, by_record: bool
) -> None:
    if isinstance(node, Mapping):
        named = node.get(_COLUMN) if by_record and record_id is None else None
        whose = named if isinstance(named, str) else record_id
        for name, each in node.items():
            own.setdefault(whose, []).append(name)
            _strings(each, whose, own, by_record=by_record)
    elif isinstance(node, list):
        for each in node:
            _strings(each, record_id, own, by_record=by_record)
    elif node is not None and not isinstance(node, bool):
        text = str(node)
        found = own.setdefault(record_id, [])
        found.append(text)
        if isinstance(node, str) and text[:1] in '{["':
            # JSON as a string inside JSON, as the texts of a field are kept.
            with contextlib.suppress(ValueError):
                _strings(json.loads(text), record_id, own, by_record=by_record)


def _csv(text: str, *, by_record: bool) -> Iterator[tuple[str, str | None]]:
    """The text itself, and each row without quotes, since a value may be spread over cells.
    `by_record`: a row belongs to the record that it names."""
    # One limit for the whole process; the library's own is shorter than the texts of a record.
    csv.field_size_limit(max(csv.field_size_limit(), len(text) + 1))
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error:
        raise NotExtractableError("not CSV") from None
    if not rows:
        return
    head = rows[0]
    place = head.index(_COLUMN) if by_record and _COLUMN in head else None
    yield text, None if place is None else SEVERAL
    yield "\n".join(head), None
    for row in rows[1:]:
        whose = row[place] if place is not None and place < len(row) else None
        yield "\n".join(row), whose
        for cell in row:
            if cell[:1] in ("{", "["):
                # A field of several texts. One that only begins like JSON was searched already.
                with contextlib.suppress(NotExtractableError):
                    yield from _json(cell, whose, by_record=by_record)


# ---------------------------------------------------------------- PDF


BROKEN_PDF: Final = (
    pikepdf.PdfError,
    pikepdf.PasswordError,
    pikepdf.DataDecodingError,
    ValueError,
    TypeError,
    RecursionError,
)
"""What reading a PDF raises."""


def _pdf(content: bytes, depth: int) -> Iterator[Extracted]:
    """The text of a PDF: what its pages and forms show, and every string and stream in it."""
    try:
        with pikepdf.open(io.BytesIO(content)) as document:
            if document.is_encrypted:
                raise NotExtractableError("encrypted")
            yield from map(_of_pdf, _shown(document))
            strings: list[str] = []
            for each in document.objects:
                _pdf_strings(each, strings)
            _pdf_strings(document.trailer, strings)
            yield _of_pdf("\n".join(strings))
            for each in document.objects:
                if not isinstance(each, pikepdf.Stream):
                    continue
                if is_picture(each):
                    # A JPEG lies in a PDF as it was.
                    yield Extracted("", "", None, sha256(each.read_raw_bytes()).digest())
                else:
                    yield from _stream(each, depth)
    except BROKEN_PDF:
        raise NotExtractableError("a PDF that does not open") from None
    yield from map(_of_pdf, _around(content))


def _of_pdf(text: str) -> Extracted:
    return Extracted("", text)


def is_picture(stream: pikepdf.Stream) -> bool:
    """Whether a stream of a PDF is a picture."""
    return stream.get("/Subtype") == "/Image"


def is_attached(stream: pikepdf.Stream) -> bool:
    """Whether a stream of a PDF is an attached file."""
    return stream.get("/Type") == "/EmbeddedFile"


def _stream(stream: pikepdf.Stream, depth: int) -> Iterator[Extracted]:
    """The decompressed bytes of a stream, as text; an attached file is extracted like an entry."""
    content = unpacked(stream)
    if is_attached(stream):
        yield Extracted("", "", None, sha256(content).digest())
        yield from extracted_here(name_of_attached(content), content, depth + 1)
        return
    if "/Length1" in stream or stream.get("/Subtype") in ("/Type1C", "/CIDFontType0C", "/OpenType"):
        # A font: its glyphs are no text.
        return
    yield _of_pdf(content.decode("latin-1"))


def name_of_attached(content: bytes) -> str:
    """By which name an attached file is extracted."""
    return "attachment.pdf" if content.startswith(b"%PDF-") else "attachment.txt"


def unpacked(stream: pikepdf.Stream) -> bytes:
    """:raises NotExtractableError: it is larger than it may be.
    :raises pikepdf.PdfError: it does not unpack."""
    filters = str(stream.get("/Filter", ""))
    if "LZW" in filters and len(stream.read_raw_bytes()) > LARGEST_LZW:
        raise NotExtractableError("a stream is too large")
    content = stream.read_bytes()
    if len(content) > LARGEST_STREAM:
        raise NotExtractableError("a stream is too large")
    return content


def _pdf_strings(node: Any, found: list[str], depth: int = 0) -> None:
    """Every string of an object: titles, annotations, fields of forms, names of files. The objects
    that it refers to are looked at by themselves."""
    if depth > _MOST_NESTED:
        raise NotExtractableError("nested too deep")
    if isinstance(node, pikepdf.String):
        found.append(str(node))
        return
    if isinstance(node, pikepdf.Array):
        parts = list(node)
    elif isinstance(node, pikepdf.Dictionary | pikepdf.Stream):
        parts = [node[name] for name in node.keys()]  # noqa: SIM118
    else:
        return
    for part in parts:
        if not getattr(part, "is_indirect", False):
            _pdf_strings(part, found, depth + 1)


_RAW_STREAM: Final = re.compile(rb"stream\r?\n(.*?)\r?\nendstream", re.DOTALL)


def _around(content: bytes) -> Iterator[str]:
    """What is in the file besides the document that it shows: bytes around it, and the objects of
    earlier versions with their streams."""
    yield _RAW_STREAM.sub(b"", content).decode("latin-1")
    for found in _RAW_STREAM.finditer(content):
        packed = found[1]
        if packed.rstrip().endswith(b"~>"):
            with contextlib.suppress(ValueError):
                packed = base64.a85decode(packed.strip().removesuffix(b"~>"))
        with contextlib.suppress(zlib.error):
            packed = zlib.decompressobj().decompress(packed, LARGEST_STREAM)
            yield packed.decode("latin-1")


def _shown(document: pikepdf.Pdf) -> Iterator[str]:
    """The text that each page, form and appearance shows, by the fonts of its resources."""
    for page in document.pages:
        yield "".join(_text_of(page, page.resources, {}))
    for each in document.objects:
        if isinstance(each, pikepdf.Stream) and each.get("/Subtype") == "/Form":
            yield "".join(_text_of(each, each.get("/Resources"), {}))


def _text_of(source: Any, resources: Any, cache: dict[str, "_Font"]) -> Iterator[str]:
    fonts = resources.get("/Font", {}) if resources is not None else {}
    font = _Font(None)
    if sum(len(unpacked(each)) for each in _drawing(source)) > LARGEST_DRAWING:
        raise NotExtractableError("a page that draws too much")
    for instruction in pikepdf.parse_content_stream(source, _OPERATORS):
        operands, name = instruction.operands, str(instruction.operator)
        if name == "Tf" and operands:
            chosen = str(operands[0])
            font = cache.setdefault(chosen, _Font(fonts.get(chosen)))
        elif name in _SHOWING and operands:
            for each in operands[0] if name == "TJ" else operands[-1:]:
                if isinstance(each, pikepdf.String):
                    yield font.text(bytes(each))
            if name in ("'", '"'):
                yield "\n"
        elif name in _MOVING:
            # Where the text goes on elsewhere. Spaces and line ends do not matter to the search.
            yield "\n"


def _drawing(source: Any) -> Sequence[pikepdf.Stream]:
    """The streams that draw a page or a form."""
    drawn = source.obj.get("/Contents", ()) if isinstance(source, pikepdf.Page) else source
    parts = [drawn] if isinstance(drawn, pikepdf.Stream) else list(drawn)
    return [each for each in parts if isinstance(each, pikepdf.Stream)]


class _Font:
    """Which characters the bytes of a shown string are.

    :raises NotExtractableError: a font of several bytes a character does not say it.
    """

    def __init__(self, font: Any) -> None:
        self._codes: dict[int, str] = {}
        self._width = 1
        if font is None:
            return
        composite = font.get("/Subtype") == "/Type0"
        self._width = 2 if composite else 1
        mapped = font.get("/ToUnicode")
        if isinstance(mapped, pikepdf.Stream):
            self._codes = dict(_mapped(unpacked(mapped).decode("latin-1")))
        elif composite:
            raise NotExtractableError("a font does not say which characters it shows")
        encoding = font.get("/Encoding")
        if not self._codes and isinstance(encoding, pikepdf.Dictionary):
            self._codes = dict(_differences(encoding.get("/Differences", ())))

    def text(self, shown: bytes) -> str:
        width = self._width
        codes = (
            int.from_bytes(shown[at : at + width], "big") for at in range(0, len(shown), width)
        )
        return "".join(self._codes.get(code) or self._other(code) for code in codes)

    def _other(self, code: int) -> str:
        return bytes([code]).decode("cp1252", "replace") if code < 256 else "\ufffd"


def _mapped(cmap: str) -> Iterator[tuple[int, str]]:
    """The codes of a ToUnicode map (ISO 32000-1, section 9.10.3) with their characters."""
    for block in re.findall(r"beginbfchar(.*?)endbfchar", cmap, re.DOTALL):
        given = _MIDDLE.findall(block)
        for code, text in zip(given[::2], given[1::2], strict=False):
            yield int(code.replace(" ", ""), 16), _utf16(text)
    for block in re.findall(r"beginbfrange(.*?)endbfrange", cmap, re.DOTALL):
        for first, last, many, one in re.findall(
            r"<([0-9A-Fa-f]+)>\s*<([0-9A-Fa-f]+)>\s*(?:\[(.*?)\]|<([0-9A-Fa-f\s]+)>)",
            block,
            re.DOTALL,
        ):
            codes = range(int(first, 16), min(int(last, 16), int(first, 16) + 65_535) + 1)
            if many:
                yield from zip(codes, map(_utf16, _MIDDLE.findall(many)), strict=False)
                continue
            start = _utf16(one)
            for step, code in enumerate(codes):
                yield code, start[:-1] + chr(min(ord(start[-1]) + step, 0x10FFFF))


def _utf16(text: str) -> str:
    found = bytes.fromhex("".join(text.split())).decode("utf-16-be", "replace")
    return found or "\ufffd"


def _differences(given: Any) -> Iterator[tuple[int, str]]:
    """The codes that an encoding gives to glyphs with names (Adobe Glyph List: `uniXXXX`, and the
    letters and digits by themselves)."""
    code = 0
    for each in given:
        if isinstance(each, int):
            code = each
            continue
        name = str(each).removeprefix("/")
        if len(name) == 1:
            yield code, name
        elif name in _GLYPHS:
            yield code, _GLYPHS[name]
        elif found := re.fullmatch(r"uni([0-9A-F]{4})|u([0-9A-F]{4,6})", name):
            yield code, chr(int(found[1] or found[2], 16))
        code += 1


_DIGITS: Final = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_GLYPHS: Final[Mapping[str, str]] = {
    **{name: str(digit) for digit, name in enumerate(_DIGITS)},
    "at": "@",
    "period": ".",
    "hyphen": "-",
    "space": " ",
}
