"""Documents of Word and LibreOffice are searched with all that these programs put in them."""

import io
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from direct311.redaction.leaks import WithheldValue
from direct311.retention.packages.leaks import NOT_EXTRACTABLE
from tests.unit.retention.packages.test_package_leaks import NAME, found, zipped_of

OWN = WithheldValue("r-9", "name", "Ignatius Quibblethorpe")
FIELD = b"\x15\xa2\x08\0" + b"\0" * 8
"""An extra field with nothing in it, as Word pads its first entry."""
SPREAD = (
    "<w:p><w:r><w:t>Zo</w:t></w:r><w:r><w:rPr><w:b/></w:rPr><w:t>ra</w:t></w:r>"
    "<w:r><w:t> Neale</w:t></w:r></w:p>"
)
HARMLESS = "<w:p><w:r><w:t>A bin stands open.</w:t></w:r></w:p>"
WORD: Mapping[str, str | bytes] = {
    "[Content_Types].xml": "<Types/>",
    "_rels/.rels": "<Relationships/>",
    "word/_rels/document.xml.rels": "<Relationships/>",
    "word/document.xml": HARMLESS,
    "word/vmlDrawing1.vml": "<xml/>",
    "word/printerSettings/printerSettings1.bin": "Office Printer".encode("utf-16-le") + bytes(40),
}
OPEN_DOCUMENT: Mapping[str, str | bytes] = {
    "mimetype": "application/vnd.oasis.opendocument.text",
    "Configurations2/accelerator/": "",
    "content.xml": "<text:p>A bin stands open.</text:p>",
    "manifest.rdf": "<rdf:RDF/>",
    "layout-cache": b"\x0b\0\x01\x06\0\0\0\0",
    "META-INF/manifest.xml": "<manifest/>",
}


class Unseekable(io.RawIOBase):
    """What a program that streams writes to: sizes come after each entry, in a descriptor."""

    def __init__(self) -> None:
        self.made = io.BytesIO()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        return self.made.write(data)


def office(
    parts: Mapping[str, str | bytes],
    *,
    extra: bytes = b"",
    comment: bytes = b"",
    streamed: bool = False,
) -> bytes:
    made: Any = Unseekable() if streamed else io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.comment = comment
        for name, content in parts.items():
            info = zipfile.ZipInfo(name)
            info.extra = extra
            archive.writestr(info, content, zipfile.ZIP_DEFLATED)
    whole: bytes = (made.made if streamed else made).getvalue()
    return whole


def kinds(file: bytes, name: str = "a.docx") -> Sequence[str]:
    return [each.kind for each in found(zipped_of({f"data/media/r-1/{name}": file}), NAME)]


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("extra", [b"", FIELD])
@pytest.mark.parametrize(("name", "parts"), [("a.docx", WORD), ("a.odt", OPEN_DOCUMENT)])
def test_a_document_with_nothing_in_it_goes_out(
    name: str, parts: Mapping[str, str | bytes], extra: bytes, streamed: bool
) -> None:
    assert not kinds(office(parts, extra=extra, streamed=streamed), name)


@pytest.mark.parametrize("part", ["word/document.xml", "word/comments.xml", "word/_rels/a.rels"])
def test_a_name_that_is_spread_over_elements_is_found(part: str) -> None:
    assert kinds(office({**WORD, part: SPREAD}, extra=FIELD)) == ["name"]


def test_characters_that_are_written_as_references_are_read() -> None:
    assert kinds(office({**WORD, "word/document.xml": "<w:t>&#90;ora&#32;Neale</w:t>"})) == ["name"]


@pytest.mark.parametrize("name", ["mimetype", "layout-cache", "a/printerSettings12.bin"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le"])
def test_parts_without_a_kind_are_searched(name: str, encoding: str) -> None:
    assert kinds(office({**WORD, name: b"\0\0" + "Zora Neale".encode(encoding)})) == ["name"]


def test_what_lies_beside_the_parts_is_searched() -> None:
    words = b"Zora Neale"
    field = b"\xca\xfe" + len(words).to_bytes(2, "little") + words
    assert kinds(office(WORD, extra=field)) == ["name"]
    assert kinds(office(WORD, comment=words)) == ["name"]
    assert kinds(office({**WORD, "Zora Neale/": ""})) == ["name"]


@pytest.mark.parametrize("name", ["word/embeddings/oleObject1.bin", "word/fonts/font1.odttf"])
def test_a_part_that_nobody_can_search_stops_the_package(name: str) -> None:
    assert kinds(office({**WORD, name: b"\xd0\xcf\x11\xe0"})) == [NOT_EXTRACTABLE]


def test_bytes_that_belong_to_no_part_stop_the_package() -> None:
    file = office(WORD, streamed=True)
    descriptor = file.index(b"PK\x07\x08")
    wrong = file[: descriptor + 4] + bytes(4) + file[descriptor + 8 :]
    assert kinds(wrong) == [NOT_EXTRACTABLE]
    assert kinds(b"Zora Neale" + office(WORD)) == [NOT_EXTRACTABLE]
    assert kinds(office({**WORD, "folder/": "Zora Neale"})) == [NOT_EXTRACTABLE]


def test_a_package_of_ours_has_nothing_beside_its_entries() -> None:
    for made in (
        office({"letter.txt": "-"}, extra=FIELD),
        office({"letter.txt": "-"}, comment=b"x"),
        office({"letter.txt": "-"}, streamed=True),
        office({"letter.txt": "-", "folder/": ""}),
    ):
        (hit,) = found(made, OWN)
        assert (hit.number, hit.kind) == (0, NOT_EXTRACTABLE)
