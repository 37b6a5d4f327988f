"""A resident's file attacks the search of a finished package: bombs, loops, 10,000 pages, archives
in archives.

Each is searched, or stops the package, within a minute of a processor and a bounded memory.
"""

import io
import resource
import zipfile
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from direct311.retention.packages.leaks import extracted
from direct311.runtime.extraction.documents import LARGEST_DRAWING, LARGEST_STREAM, MOST_DEPTH
from direct311.runtime.extraction.pieces import NotExtractableError
from tests.support import pdfs

SECONDS = 60
MEMORY = 2 * 1024**3
"""In bytes, of which the interpreter and its libraries take a part."""
NEEDLE = "Zora Neale"


def _confined() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS * 10, SECONDS * 10))


@pytest.fixture(scope="module")
def worker() -> Iterator[ProcessPoolExecutor]:
    with ProcessPoolExecutor(1, get_context("spawn"), _confined) as found:
        yield found


def search(name: str, content: bytes) -> tuple[str, float]:
    """How the search ends, and the seconds of a processor that it took."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_utime
    hits = 0
    try:
        for piece in extracted(name, content):
            hits += NEEDLE in piece.text.replace("\n", "")
        end = "found" if hits else "searched"
    except NotExtractableError:
        end = "stopped"
    return end, resource.getrusage(resource.RUSAGE_SELF).ru_utime - before


# ---------------------------------------------------------------- PDFs


def _drawn(content: bytes, filters: bytes) -> bytes:
    """A page that is drawn by a packed stream."""
    document = pdfs.Pdf()
    number = document.page(b"")
    drawn = document.stream(content, b"/Filter" + filters)
    body = document.objects[number]
    document.objects[number] = body.replace(b"/Contents", b"/Contents %d 0 R/Old" % drawn)
    return document.bytes()


def many_texts() -> bytes:
    """A page that shows nothing, millions of times."""
    return _drawn(zlib.compress(b"()Tj " * (LARGEST_DRAWING // 4)), b"/FlateDecode")


def packed_twice() -> bytes:
    once = zlib.compress(bytes(4 * LARGEST_STREAM), 9)
    return _drawn(zlib.compress(once, 9), b"[/FlateDecode/FlateDecode]")


def run_lengths() -> bytes:
    """128 zeros for each two bytes."""
    return _drawn(b"\x81\x00" * (LARGEST_STREAM // 64), b"/RunLengthDecode")


def by_lzw() -> bytes:
    return _drawn(bytes(10 * 1024**2), b"/LZWDecode")


def many_bombs() -> bytes:
    """Forty attachments, each a little smaller than a stream may be."""
    document = pdfs.Pdf()
    packed = zlib.compress(bytes(LARGEST_STREAM - 1_000), 9)
    for _ in range(40):
        document.stream(packed, b"/Type/EmbeddedFile/Filter/FlateDecode")
    document.page(pdfs.text("a page"))
    return document.bytes()


def at_the_end_of_many_pages() -> bytes:
    document = pdfs.Pdf()
    for _ in range(9_999):
        document.page(pdfs.text("a page"))
    document.page(pdfs.text(NEEDLE))
    return document.bytes()


def inside_each_other(depth: int) -> bytes:
    made = b"%PDF-1.7\n"
    for _ in range(depth):
        document = pdfs.Pdf()
        document.stream(made, b"/Type/EmbeddedFile")
        document.page(pdfs.text("a page"))
        made = document.bytes()
    return made


# ---------------------------------------------------------------- archives


def zipped(entries: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return stream.getvalue()


def zip_bomb() -> bytes:
    return zipped({"a.txt": bytes(300 * 1024**2)})


def zip_that_lies() -> bytes:
    """300 MB that say they are ten bytes."""
    made = bytearray(zip_bomb())
    told = (300 * 1024**2).to_bytes(4, "little")
    while (at := made.find(told)) >= 0:
        made[at : at + 4] = (10).to_bytes(4, "little")
    return bytes(made)


def zips_in_zips() -> bytes:
    """Sixteen archives of sixteen archives of one text of 40 MB."""
    made = zipped({f"{number}.txt": bytes(40 * 1024**2) for number in range(1)})
    for _ in range(MOST_DEPTH - 1):
        made = zipped({f"{number}.zip": made for number in range(16)})
    return made


def overlapping() -> bytes:
    """A directory that names one entry a thousand times."""
    made = zipped({"a.txt": b"x" * 1000})
    end = made.rindex(b"PK\x05\x06")
    start = made.index(b"PK\x01\x02")
    entry = made[start:end]
    tail = bytearray(made[end:])
    tail[8:12] = (1000).to_bytes(2, "little") * 2
    tail[12:16] = (1000 * len(entry)).to_bytes(4, "little")
    return made[:start] + entry * 1000 + bytes(tail)


CASES: dict[str, tuple[str, Callable[[], bytes], set[str]]] = {
    "locked": ("a.pdf", pdfs.locked, {"stopped"}),
    "cut off": ("a.pdf", pdfs.cut_off, {"stopped"}),
    "a page tree that is its own branch": ("a.pdf", pdfs.page_tree_loop, {"stopped"}),
    "a form that draws itself": ("a.pdf", pdfs.drawing_itself, {"searched", "stopped"}),
    "a hundred million drawings": ("a.pdf", pdfs.thousandfold, {"searched", "stopped"}),
    "a count of 10,000 pages": ("a.pdf", pdfs.said_pages, {"searched", "stopped"}),
    "10,000 pages": ("a.pdf", at_the_end_of_many_pages, {"found"}),
    "a content of 200 megabytes": ("a.pdf", pdfs.packed_bomb, {"stopped"}),
    "millions of empty texts": ("a.pdf", many_texts, {"stopped"}),
    "a stream that is packed twice": ("a.pdf", packed_twice, {"stopped"}),
    "runs": ("a.pdf", run_lengths, {"stopped"}),
    "LZW": ("a.pdf", by_lzw, {"stopped"}),
    "forty bombs": ("a.pdf", many_bombs, {"stopped"}),
    "a picture of 3.6 thousand million pixels": (
        "a.pdf",
        pdfs.picture_bomb,
        {"searched", "stopped"},
    ),
    "documents in documents": ("a.pdf", lambda: inside_each_other(MOST_DEPTH + 2), {"stopped"}),
    "an archive of 300 megabytes": ("a.docx", zip_bomb, {"stopped"}),
    "an archive that lies": ("a.docx", zip_that_lies, {"stopped"}),
    "archives in archives": ("a.docx", zips_in_zips, {"stopped"}),
    "an entry that is named a thousand times": ("a.docx", overlapping, {"stopped"}),
    "a tree without an end": ("a.json", lambda: b"[" * 10_000_000, {"stopped"}),
}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", CASES)
def test_it_is_searched_or_stops_the_package(worker: ProcessPoolExecutor, name: str) -> None:
    file, make, expected = CASES[name]
    end, seconds = worker.submit(search, f"data/media/r-1/{file}", make()).result()
    assert end in expected
    assert seconds < SECONDS


def test_an_ordinary_file_is_searched(worker: ProcessPoolExecutor) -> None:
    """A control: what the limits stop is more than any letter has."""
    letter = pdfs.letter(100)
    assert worker.submit(search, "data/media/r-1/a.pdf", letter).result()[0] == "searched"
    named = pdfs.planted("text", NEEDLE)
    assert worker.submit(search, "data/media/r-1/a.pdf", named).result()[0] == "found"
