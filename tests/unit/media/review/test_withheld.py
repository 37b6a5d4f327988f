"""What is withheld of a file is found elsewhere by its fingerprints, and what is not is not."""

import asyncio
import struct
import zipfile
from hashlib import sha256
from io import BytesIO

import pytest
from PIL import Image

from direct311.media.decisions import Box
from direct311.media.review.adapters.renderers import RendererProcesses
from direct311.media.review.adapters.rendering import RenderLimits
from direct311.media.review.adapters.sound_tags import sound_tags
from direct311.media.review.adapters.withheld import SMALLEST_PICTURE, fingerprinted
from direct311.media.review.domain import PDF
from direct311.redaction.leak_scan import scan
from direct311.redaction.leaks import Fingerprint, Keyed
from direct311.runtime.extraction.pdf_notes import Note
from tests.support import pdfs, pictures
from tests.unit.retention.packages.test_package_leaks import zipped, zipped_of

KEY = bytes(range(32))
LIMITS = RenderLimits()
SECRET = "Ximena Tuckerman, call her at 305-555-0199"
LINES = (
    "Mrs. Tuckerman of the old mill asked us last Tuesday",
    "whether the county would mend the little bridge",
    "before her grandson comes home from school in June",
)
JPEG, DOCX = (
    "image/jpeg",
    ("application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
)


def sought(data: bytes, content_type: str, *boxes: Box) -> list[Fingerprint]:
    found, _ = fingerprinted(data, content_type, "r-1", boxes, KEY, LIMITS)
    return list(found)


def kinds(found: list[Fingerprint], text: str, record_id: str = "r-2") -> set[str]:
    """What is found of it in a text of another record."""
    return {hit.kind for hit in scan(KEY, found, text, record_id)}


def page_of(*lines: str, more: bytes = b"") -> bytes:
    document = pdfs.Pdf()
    content = b"".join(pdfs.text(line, up=150 - 20 * at, size=6) for at, line in enumerate(lines))
    document.page(content, more)
    return document.bytes()


@pytest.mark.parametrize(
    "place",
    [each for each in pdfs.PLACES if each not in ("script", "unused object", "replaced text")],
)
def test_what_a_withheld_pdf_says_anywhere_is_found_in_another_record(place: str) -> None:
    found = sought(pdfs.planted(place, SECRET), PDF)
    assert "telephone" in kinds(found, f"Note: {SECRET}.")
    assert kinds(found, "Note: nobody called, and 305-555-0198 is another number.") == set()


def test_the_text_of_a_withheld_page_is_found_where_somebody_pasted_it() -> None:
    found = sought(page_of(*LINES), PDF)
    assert kinds(found, f"He wrote: {' '.join(LINES)} That is all.") == {"page"}
    # A sentence of it is found in the record itself. In others, people write the same sentences.
    assert kinds(found, f"He wrote: {LINES[1]}", "r-1") == {"page"}
    assert kinds(found, f"He wrote: {LINES[1]}") == set()


@pytest.mark.parametrize("turned", [0, 90, 180, 270])
def test_only_what_is_under_a_box_is_withheld_of_a_page(turned: int) -> None:
    data = page_of(*LINES, "Call 305-555-0188", more=b"/Rotate %d" % turned)
    # The second line, whose letters stand between 130 and 136 points above the lower edge.
    place = {
        0: (0.05, 0.31, 1.0, 0.36),
        90: (0.64, 0.05, 0.69, 1.0),
        180: (0.0, 0.64, 0.95, 0.69),
        270: (0.31, 0.0, 0.36, 0.95),
    }[turned]
    left, top, right, bottom = place
    box = Box(left=left, top=top, right=right, bottom=bottom, code="victim")
    found = sought(data, PDF, box)
    assert kinds(found, LINES[1])
    assert kinds(found, LINES[0]) == set()
    assert kinds(found, "305-555-0188") == set()


def test_a_value_in_two_boxes_is_found_as_one() -> None:
    data = page_of("Write to Ximena", "Tuckerman at once")
    boxes = [
        Box(left=0.2, top=0.22, right=0.5, bottom=0.26, code="victim"),
        Box(left=0.05, top=0.32, right=0.25, bottom=0.36, code="victim"),
    ]
    assert kinds(sought(data, PDF, *boxes), "It was Ximena Tuckerman.") == {"name"}


def test_what_a_redacted_page_shows_is_not_withheld_though_its_information_says_it_too() -> None:
    document = pdfs.Pdf()
    document.page(pdfs.text("The bridge on 5th Street", up=150) + pdfs.text("hidden", up=50))
    title = b"<</Title(The bridge on 5th Street)/Author(Zora Neale)>>"
    document.trailer.append(b"/Info %d 0 R" % document.add(title))
    box = Box(left=0.05, top=0.7, right=0.5, bottom=0.8, code="victim")
    found = sought(document.bytes(), PDF, box)
    assert kinds(found, "The bridge on 5th Street", "r-1") == set()
    assert kinds(found, "by Zora Neale") == {"name"}


def test_programs_that_sign_for_nobody_are_not_looked_for() -> None:
    document = pdfs.Pdf()
    document.page(pdfs.text("a page"))
    told = document.add(b"<</Author(Microsoft Office User)/Producer(Acme PDF Library 15)>>")
    document.trailer.append(b"/Info %d 0 R" % told)
    assert (
        kinds(sought(document.bytes(), PDF), "Microsoft Office User, Acme PDF Library 15") == set()
    )


def test_the_tags_and_the_position_of_a_withheld_photo_are_found() -> None:
    exif = Image.Exif()
    exif[0x013B] = "Zora Neale"
    exif[0x010E] = "Mrs. Tuckerman, 305-555-0199, in front of her mill"
    exif.get_ifd(0x8769)[0xA434] = "Acme Lens 50 mm f/1.8 for everybody"
    gps = exif.get_ifd(0x8825)
    gps[1], gps[2] = "N", (25.0, 46.0, 30.36)
    gps[3], gps[4] = "W", (80.0, 11.0, 37.68)
    made = BytesIO()
    pictures.scene().save(made, "JPEG", exif=exif)
    found = sought(made.getvalue(), JPEG)
    assert kinds(found, "Photo by Zora Neale") == {"name"}
    assert "telephone" in kinds(found, "Ask at 305-555-0199")
    assert kinds(found, "Taken at 25.77510, -80.19380") == {"position"}
    assert kinds(found, "Acme Lens 50 mm f/1.8 for everybody") == set()


def test_a_document_that_is_withheld_whole_is_found_by_its_paragraphs() -> None:
    words = "".join(f"<w:p><w:t>{line}. </w:t></w:p>" for line in ("x", " ".join(LINES)))
    document = zipped(word__document_dot_xml=f"<w:body>{words}</w:body>")
    assert kinds(sought(document, DOCX), " ".join(LINES)) == {"page"}
    assert kinds(sought(SECRET.encode(), "text/plain"), "305-555-0199") == {"telephone"}


def test_a_document_is_read_though_some_of_its_parts_cannot_be() -> None:
    """Word and LibreOffice write parts without text, and extra fields."""
    made = BytesIO()
    text = f"<w:p>{' '.join(LINES)}</w:p>"
    with zipfile.ZipFile(made, "w") as archive:
        for name, content in (
            ("mimetype", "application/zip"),
            ("_rels/.rels", "<Relationships/>"),
            ("word/media/image1.emf", "drawn"),
            ("word/document.xml", text),
        ):
            info = zipfile.ZipInfo(name)
            info.extra = struct.pack("<HHHH", 0xA220, 4, 0xA028, 0)
            archive.writestr(info, content)
    assert kinds(sought(made.getvalue(), DOCX), " ".join(LINES)) == {"page"}


def test_the_author_and_the_pictures_of_a_document_are_looked_for() -> None:
    picture = bytes(SMALLEST_PICTURE)
    core = "<cp:coreProperties><dc:creator>Zora Neale</dc:creator></cp:coreProperties>"
    data = zipped_of(
        {
            "docProps/core.xml": core,
            "word/document.xml": "<w:p>x</w:p>",
            "word/media/1.png": picture,
            "word/media/2.png": b"seal",
        }
    )
    found, files = fingerprinted(data, DOCX, "r-1", (), KEY, LIMITS)
    assert kinds(list(found), "as Zora Neale wrote") == {"name"}
    assert files == [Keyed(KEY).file_mac(sha256(each).digest()) for each in (data, picture)]


def _id3(*frames: tuple[bytes, bytes]) -> bytes:
    body = b"".join(name + struct.pack(">I", len(text)) + b"\0\0" + text for name, text in frames)
    return b"ID3\x03\0\0" + bytes([0, 0, len(body) >> 7, len(body) & 0x7F]) + body + b"\xff\xfb"


def _atom(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body) + 8) + name + body


def _comment(text: bytes) -> bytes:
    return struct.pack("<I", len(text)) + text


@pytest.mark.parametrize(
    "content",
    [
        _id3((b"TPE1", b"\0Zora Neale"), (b"COMM", b"\x01eng" + "\0A mill".encode("utf-16"))),
        _atom(b"ftyp", b"M4A ")
        + _atom(b"\xa9ART", _atom(b"data", bytes(8) + b"Zora Neale"))
        + _atom(b"\xa9cmt", _atom(b"data", bytes(8) + b"A mill")),
        b"fLaC" + _comment(b"ARTIST=Zora Neale") + _comment(b"comment=A mill"),
        b"RIFF\0\0\0\0WAVELIST" + b"IART" + _comment(b"Zora Neale") + b"ICMT" + _comment(b"A mill"),
    ],
    ids=["mp3", "m4a", "flac", "wav"],
)
def test_the_tags_of_a_recording_are_read(content: bytes) -> None:
    assert set(sound_tags(content)) >= {Note("author", "Zora Neale"), Note("text", "A mill")}
    assert kinds(sought(content, "audio/mpeg"), "by Zora Neale") == {"name"}


def test_the_file_itself_and_its_larger_pictures_are_known_by_their_hashes() -> None:
    large, small = bytes(SMALLEST_PICTURE), bytes(10)
    document = pdfs.Pdf()
    head = b"/Type/XObject/Subtype/Image/Width 1/Height 1/ColorSpace/DeviceGray/BitsPerComponent 8"
    for each in (large, small):
        document.stream(each, head)
    document.page(pdfs.text("a page"))
    data = document.bytes()
    _, files = fingerprinted(data, PDF, "r-1", (), KEY, LIMITS)
    keyed = Keyed(KEY)
    assert files == [keyed.file_mac(sha256(each).digest()) for each in (data, large)]


@pytest.mark.parametrize("data", [pdfs.locked(), pdfs.cut_off(), b"%PDF-1.7 nothing"])
def test_of_what_cannot_be_read_there_is_only_the_hash(data: bytes) -> None:
    found, files = fingerprinted(data, PDF, "r-1", (), KEY, LIMITS)
    assert len(files) == 1
    assert kinds(list(found), SECRET) == set()


def test_the_worker_answers_the_same_and_tells_no_text() -> None:
    data = pdfs.planted("annotation", SECRET)

    async def asked() -> str:
        renderer = RendererProcesses(limits=LIMITS)
        try:
            told = await renderer.fingerprint(data, PDF, "r-1", (), KEY)
        finally:
            await renderer.aclose()
        return told.model_dump_json()

    told = asyncio.run(asked())
    assert {f"{each.rolling:016x}" for each in sought(data, PDF)} <= {*told.split('"')}
    assert "Ximena" not in told
