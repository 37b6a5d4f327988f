"""PDFs made for the tests: honest ones, some with canaries wherever the format has room for text,
and hostile ones. Written here object by object, so that they contain what is said of them."""

import zlib
from collections.abc import Callable, Mapping
from io import BytesIO
from types import MappingProxyType
from typing import Final

from pypdf import PdfReader, PdfWriter
from pypdf.generic import IndirectObject, StreamObject

CANARY = "Canary-Ximena-Tuckerman-3055550199"
SIDE = 200
"""Of a page, in points."""


def text(words: str, *, left: int = 20, up: int = 150, size: int = 8, mode: int = 0) -> bytes:
    """Operators that write words. `mode` 3 shows nothing (ISO 32000-1, table 106)."""
    return f"BT /F {size} Tf {mode} Tr {left} {up} Td ({words}) Tj ET\n".encode()


class Pdf:
    """A document in the making. Objects 1 to 3 are the catalog, the page tree and the font."""

    def __init__(self) -> None:
        self.objects: dict[int, bytes] = {
            3: b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
        }
        self.catalog: list[bytes] = []
        self.pages: list[int] = []
        self.trailer: list[bytes] = []
        self._next = 4

    def add(self, body: bytes) -> int:
        number = self._next
        self._next += 1
        self.objects[number] = body
        return number

    def stream(self, content: bytes, head: bytes = b"", *, packed: bool = False) -> int:
        if packed:
            content, head = zlib.compress(content), head + b"/Filter/FlateDecode"
        return self.add(b"<<%s/Length %d>>stream\n%s\nendstream" % (head, len(content), content))

    def page(
        self, content: bytes, more: bytes = b"", resources: bytes = b"", *, side: float = SIDE
    ) -> int:
        drawn = self.stream(content)
        number = self.add(
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 %g %g]/Resources<</Font<</F 3 0 R>>%s>>"
            b"/Contents %d 0 R%s>>" % (side, side, resources, drawn, more)
        )
        self.pages.append(number)
        return number

    def bytes(self) -> bytes:
        kids = b" ".join(b"%d 0 R" % each for each in self.pages)
        objects = {
            1: b"<</Type/Catalog/Pages 2 0 R%s>>" % b"".join(self.catalog),
            2: self.objects.get(2)
            or b"<</Type/Pages/Count %d/Kids[%s]>>" % (len(self.pages), kids),
            **{number: body for number, body in self.objects.items() if number > 2},
        }
        return written(b"%PDF-1.7\n", objects, b"".join(self.trailer))


def written(
    before: bytes, objects: Mapping[int, bytes], trailer: bytes = b"", prev: int | None = None
) -> bytes:
    """`before` with these objects, a table of where they are, and a trailer. With `prev` they are
    an incremental update (ISO 32000-1, section 7.5.6)."""
    made, rows = bytearray(before), []
    for number in sorted(objects):
        rows.append(b"%d 1\n%010d 00000 n \n" % (number, len(made)))
        made += b"%d 0 obj\n%s\nendobj\n" % (number, objects[number])
    start = len(made)
    told = b"/Prev %d" % prev if prev is not None else b""
    made += b"xref\n0 1\n0000000000 65535 f \n" + b"".join(rows)
    size = max(objects) + 1_000
    made += b"trailer<</Size %d/Root 1 0 R%s%s>>\nstartxref\n%d\n%%%%EOF\n" % (
        *(size, told, trailer),
        start,
    )
    return bytes(made)


def plain(pages: int = 1, words: str = "A bridge on 5th Street", side: float = SIDE) -> bytes:
    """Some pages with a line of text each."""
    document = Pdf()
    for number in range(pages):
        document.page(text(f"{words}, page {number + 1}"), side=side)
    return document.bytes()


def letter(pages: int, lines: int = 55) -> bytes:
    """Letter-size pages full of text."""
    document = Pdf()
    line = "The quick brown fox jumps over the lazy dog near the bridge on 5th Street in Miami. "
    for _ in range(pages):
        content = b"".join(text(line, left=50, up=740 - 13 * row, size=11) for row in range(lines))
        number = document.page(content)
        body = document.objects[number]
        document.objects[number] = body.replace(b"[0 0 200 200]", b"[0 0 612 792]")
    return document.bytes()


# ---------------------------------------------------------------- places for a canary


def _in_text(document: Pdf, canary: str) -> None:
    document.page(text(canary))


def _unseen_text(document: Pdf, canary: str) -> None:
    document.page(text("a page") + text(canary, mode=3))


def _white_text(document: Pdf, canary: str) -> None:
    document.page(text("a page") + b"1 g\n" + text(canary))


def _covered_text(document: Pdf, canary: str) -> None:
    """A black box over a text: what people take for a redaction."""
    document.page(text(canary) + b"0 g 10 140 180 30 re f\n")


def _beside_the_page(document: Pdf, canary: str) -> None:
    document.page(text("a page") + text(canary, left=5_000))


def _packed_text(document: Pdf, canary: str) -> None:
    number = document.page(b"")
    packed = document.stream(text("a page") + text(canary, mode=3), packed=True)
    body = document.objects[number]
    document.objects[number] = body.replace(b"/Contents", b"/Contents %d 0 R/Old" % packed)


def _hidden_layer(document: Pdf, canary: str) -> None:
    group = document.add(b"<</Type/OCG/Name(%s)>>" % canary.encode())
    document.catalog.append(
        b"/OCProperties<</OCGs[%d 0 R]/D<</OFF[%d 0 R]/Order[%d 0 R]>>>>" % (group, group, group)
    )
    content = text("a page") + b"/OC /L BDC\n" + text(canary) + b"EMC\n"
    document.page(content, resources=b"/Properties<</L %d 0 R>>" % group)


def _annotation(document: Pdf, canary: str) -> None:
    words = canary.encode()
    note = document.add(
        b"<</Type/Annot/Subtype/Text/Rect[20 20 40 40]/Contents(%s)/T(%s)/F 2>>" % (words, words)
    )
    document.page(text("a page"), b"/Annots[%d 0 R]" % note)


def _form(document: Pdf, canary: str) -> None:
    field = document.add(
        b"<</Type/Annot/Subtype/Widget/FT/Tx/T(name)/V(%s)/Rect[20 20 21 21]/F 2>>"
        % canary.encode()
    )
    document.catalog.append(b"/AcroForm<</Fields[%d 0 R]>>" % field)
    document.page(text("a page"), b"/Annots[%d 0 R]" % field)


def _attachment(document: Pdf, canary: str) -> None:
    words = canary.encode()
    kept = document.stream(words, b"/Type/EmbeddedFile", packed=True)
    spec = document.add(
        b"<</Type/Filespec/F(%s.txt)/UF(%s.txt)/EF<</F %d 0 R>>>>" % (words, words, kept)
    )
    document.catalog.append(b"/Names<</EmbeddedFiles<</Names[(%s) %d 0 R]>>>>" % (words, spec))
    document.page(text("a page"))


def _information(document: Pdf, canary: str) -> None:
    wide = b"<FEFF" + canary.encode("utf-16-be").hex().encode() + b">"
    told = document.add(b"<</Author(%s)/Title%s>>" % (canary.encode(), wide))
    document.trailer.append(b"/Info %d 0 R/ID[(%s)(%s)]" % (told, *(canary.encode(),) * 2))
    document.page(text("a page"))


def _metadata(document: Pdf, canary: str) -> None:
    xmp = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description xmlns:pdf="http://ns.adobe.com/pdf/1.3/">'
        f"<pdf:Keywords>{canary}</pdf:Keywords></rdf:Description></rdf:RDF></x:xmpmeta>"
    ).encode()
    told = document.stream(xmp, b"/Type/Metadata/Subtype/XML")
    document.catalog.append(b"/Metadata %d 0 R" % told)
    document.page(text("a page"))


def _outline(document: Pdf, canary: str) -> None:
    entry = document.add(b"<</Title(%s)>>" % canary.encode())
    outline = document.add(b"<</Type/Outlines/First %d 0 R/Last %d 0 R>>" % (entry, entry))
    document.catalog.append(b"/Outlines %d 0 R" % outline)
    document.page(text("a page"))


def _script(document: Pdf, canary: str) -> None:
    script = document.add(b"<</S/JavaScript/JS(app.alert\\('%s'\\))>>" % canary.encode())
    document.catalog.append(b"/OpenAction %d 0 R" % script)
    document.page(text("a page"))


def _unused_object(document: Pdf, canary: str) -> None:
    document.add(b"(%s)" % canary.encode())
    document.page(text("a page"))


def _replaced_text(document: Pdf, canary: str) -> None:
    """Spoken in place of what is written (ISO 32000-1, section 14.9.4)."""
    document.page(b"/Span<</ActualText(%s)>>BDC\n" % canary.encode() + text("a page") + b"EMC\n")


PLACES: Final[Mapping[str, Callable[[Pdf, str], None]]] = MappingProxyType(
    {
        "text": _in_text,
        "unseen text": _unseen_text,
        "white text": _white_text,
        "covered text": _covered_text,
        "text beside the page": _beside_the_page,
        "packed text": _packed_text,
        "hidden layer": _hidden_layer,
        "annotation": _annotation,
        "form": _form,
        "attachment": _attachment,
        "information": _information,
        "metadata": _metadata,
        "outline": _outline,
        "script": _script,
        "unused object": _unused_object,
        "replaced text": _replaced_text,
    }
)


def planted(place: str, canary: str = CANARY) -> bytes:
    """A document with the canary in one place. Anything visible stands in the upper half."""
    document = Pdf()
    PLACES[place](document, canary)
    return document.bytes()


def updated(canary: str = CANARY) -> bytes:
    """A document whose first revision says the canary, and whose second one does not."""
    document = Pdf()
    document.page(text(canary))
    first = document.bytes()
    drawn = document.pages[0] - 1
    content = text("a page")
    body = b"<</Length %d>>stream\n%s\nendstream" % (len(content), content)
    prev = int(first.rpartition(b"startxref\n")[2].split()[0])
    return written(first, {drawn: body}, prev=prev)


# ---------------------------------------------------------------- hostile ones


def locked(password: str = "secret") -> bytes:
    """One that does not open without a password."""
    writer = PdfWriter(clone_from=PdfReader(BytesIO(plain())))
    writer.encrypt(password, algorithm="RC4-128")
    stream = BytesIO()
    writer.write(stream)
    return stream.getvalue()


def cut_off() -> bytes:
    return plain(3)[:300]


def page_tree_loop() -> bytes:
    """A page tree that is its own branch."""
    document = Pdf()
    document.objects[2] = b"<</Type/Pages/Count 10/Kids[2 0 R 2 0 R]>>"
    document.page(text("a page"))
    return document.bytes()


def drawing_itself() -> bytes:
    """A form that draws itself."""
    document = Pdf()
    form = document.stream(b"/X Do", b"/Type/XObject/Subtype/Form/BBox[0 0 200 200]")
    head, _, tail = document.objects[form].partition(b"/Length")
    document.objects[form] = head + b"/Resources<</XObject<</X %d 0 R>>>>/Length" % form + tail
    document.page(b"/X Do", resources=b"/XObject<</X %d 0 R>>" % form)
    return document.bytes()


def thousandfold(depth: int = 8) -> bytes:
    """Forms that draw ten forms each: a few kilobytes, and 10 to the power of `depth` drawings."""
    document = Pdf()
    form = document.stream(b"0 0 1 1 re f " * 10, b"/Type/XObject/Subtype/Form/BBox[0 0 200 200]")
    for _ in range(depth):
        form = document.stream(
            b"/X Do " * 10,
            b"/Type/XObject/Subtype/Form/BBox[0 0 200 200]"
            b"/Resources<</XObject<</X %d 0 R>>>>" % form,
        )
    document.page(b"/X Do", resources=b"/XObject<</X %d 0 R>>" % form)
    return document.bytes()


def packed_bomb(size: int = 200 * 1024**2) -> bytes:
    """A page whose content is much larger when it is unpacked."""
    packer = zlib.compressobj(1)
    block = b"0 0 m\n" * 100_000
    packed = b"".join(packer.compress(block) for _ in range(size // len(block))) + packer.flush()
    document = Pdf()
    number = document.page(b"")
    drawn = document.add(
        b"<</Length %d/Filter/FlateDecode>>stream\n%s\nendstream" % (len(packed), packed)
    )
    body = document.objects[number]
    document.objects[number] = body.replace(b"/Contents", b"/Contents %d 0 R/Old" % drawn)
    return document.bytes()


def picture_bomb(side: int = 60_000) -> bytes:
    """A page with a picture of 3.6 thousand million pixels, in some kilobytes. Most of them are
    left out."""
    packed = zlib.compress(bytes(64 * 1024**2), 1)
    document = Pdf()
    picture = document.add(
        b"<</Type/XObject/Subtype/Image/Width %d/Height %d/ColorSpace/DeviceGray"
        b"/BitsPerComponent 8/Filter/FlateDecode/Length %d>>stream\n%s\nendstream"
        % (side, side, len(packed), packed)
    )
    document.page(b"q 200 0 0 200 0 0 cm /X Do Q", resources=b"/XObject<</X %d 0 R>>" % picture)
    return document.bytes()


def said_pages(count: int = 10_000) -> bytes:
    """One page, and a page tree that counts many."""
    document = Pdf()
    number = document.page(text("a page"))
    document.objects[2] = b"<</Type/Pages/Count %d/Kids[%d 0 R]>>" % (count, number)
    return document.bytes()


def huge_page() -> bytes:
    return plain(side=14_400)


# ---------------------------------------------------------------- what can be got out of one


def extracted(data: bytes) -> bytes:
    """Everything that a reader gets out of a PDF without looking at its pages: text, annotations,
    metadata, outline, form, the names of attachments and what is in them, and every object that
    the catalog leads to, with its stream unpacked."""
    reader = PdfReader(BytesIO(data))
    found: list[object] = [page.extract_text() for page in reader.pages]
    found += [reader.metadata, reader.outline, reader.get_fields(), dict(reader.attachments)]
    if (xmp := reader.xmp_metadata) is not None:
        found.append(xmp.pdf_keywords)
    seen: set[int] = set()
    waiting: list[object] = [reader.trailer]
    while waiting:
        each = waiting.pop()
        if isinstance(each, IndirectObject):
            if each.idnum not in seen:
                seen.add(each.idnum)
                waiting.append(each.get_object())
        elif isinstance(each, StreamObject):
            found.append(each.get_data())
            waiting += each.values()
        elif isinstance(each, dict):
            waiting += each.values()
        elif isinstance(each, list):
            waiting += each
        else:
            found.append(each)
    return "\n".join(str(each) for each in found).encode()
