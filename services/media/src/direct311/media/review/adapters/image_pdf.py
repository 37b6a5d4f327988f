"""A PDF of one picture a page, and nothing else. Pure: JPEGs in, bytes out.

The file has a catalog, a page tree and, for each page, the page, three drawing operators and the
picture: no text, font, annotation, form, layer, attachment, script, metadata, identifier or second
revision (ISO 32000-1, chapter 7). The same pictures give the same bytes.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from direct311.media.pictures import require_bare_parts, size_of_jpeg
from direct311.media.ports import UncleanCopyError

_HEADER: Final = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n"
_OBJECTS_BEFORE: Final = 2
_OBJECTS_A_PAGE: Final = 3
_LONGEST_HEAD: Final = 1_000
"""In bytes: what comes before a picture's bytes on its page."""
_PAGE: Final = re.compile(
    rb"\d+ 0 obj\n<</Type/Page/Parent 2 0 R/MediaBox\[0 0 (\d+\.\d\d) (\d+\.\d\d)\].{1,400}?"
    rb"/Width (\d+)/Height (\d+)/ColorSpace/DeviceRGB/BitsPerComponent 8/Filter/DCTDecode"
    rb"/Length (\d+)>>\nstream\n",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class PicturePage:
    """`jpeg`: three components; `width` and `height` in pixels; `across` and `down`: the page's
    size in points, with two decimals."""

    jpeg: bytes | memoryview
    width: int
    height: int
    across: str
    down: str


def points(pixels: int, dpi: int) -> str:
    """A length in points, as a page names it."""
    return f"{pixels * 72 / dpi:.2f}"


def image_pdf(pages: Sequence[PicturePage]) -> bytes:
    """The file."""
    return b"".join(_pieces(pages))


def require_image_pdf(data: bytes) -> None:
    """The file is, byte for byte, what `image_pdf` writes for the pictures in it, and each picture
    has nothing but pixels.

    :raises UncleanCopyError: anything else is in it.
    """
    view = memoryview(data)
    pages = list(_found(view))
    at = 0
    for piece in _pieces(pages):
        if view[at : at + len(piece)] != piece:
            raise _unclean()
        at += len(piece)
    if at != len(data) or not pages:
        raise _unclean()
    for page in pages:
        jpeg = bytes(page.jpeg)
        require_bare_parts(jpeg, "image/jpeg")
        if size_of_jpeg(jpeg) != (page.width, page.height):
            raise _unclean()


def _found(view: memoryview) -> Iterator[PicturePage]:
    """The pictures, where the writer would have put them."""
    # The page tree names every page, so its length is not known before.
    start = bytes(view[: len(_HEADER) + 64 + 16 * _most_pages(len(view))]).find(b"3 0 obj\n")
    at = start
    while at >= 0:
        head = _PAGE.match(bytes(view[at : at + _LONGEST_HEAD]))
        if head is None:
            return
        across, down, width, height, length = (each.decode() for each in head.groups())
        begin = at + head.end()
        end = begin + int(length)
        yield PicturePage(view[begin:end], int(width), int(height), across, down)
        at = end + len(_END_OF_STREAM)


def _most_pages(size: int) -> int:
    """How many pages a file of this size can have: a page takes more than 300 bytes."""
    return size // 300


_END_OF_STREAM: Final = b"\nendstream\nendobj\n"


def _pieces(pages: Sequence[PicturePage]) -> Iterator[bytes | memoryview]:
    offsets: list[int] = []
    at = len(_HEADER)
    yield _HEADER
    for parts in _objects(pages):
        offsets.append(at)
        for part in parts:
            at += len(part)
            yield part
    rows = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    count = len(offsets) + 1
    yield b"xref\n0 %d\n0000000000 65535 f \n" % count + rows
    yield b"trailer\n<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (count, at)


def _objects(pages: Sequence[PicturePage]) -> Iterator[tuple[bytes | memoryview, ...]]:
    first = _OBJECTS_BEFORE + 1
    numbers = range(first, first + _OBJECTS_A_PAGE * len(pages), _OBJECTS_A_PAGE)
    kids = b" ".join(b"%d 0 R" % number for number in numbers)
    yield (b"1 0 obj\n<</Type/Catalog/Pages 2 0 R>>\nendobj\n",)
    yield (b"2 0 obj\n<</Type/Pages/Count %d/Kids[%s]>>\nendobj\n" % (len(pages), kids),)
    for number, page in zip(numbers, pages, strict=True):
        across, down = page.across.encode(), page.down.encode()
        yield (
            b"%d 0 obj\n<</Type/Page/Parent 2 0 R/MediaBox[0 0 %s %s]/Resources<</XObject"
            b"<</I %d 0 R>>>>/Contents %d 0 R>>\nendobj\n"
            % (number, across, down, number + 2, number + 1),
        )
        drawing = b"q %s 0 0 %s 0 0 cm /I Do Q" % (across, down)
        yield (
            b"%d 0 obj\n<</Length %d>>\nstream\n%s" % (number + 1, len(drawing), drawing),
            _END_OF_STREAM,
        )
        yield (
            b"%d 0 obj\n<</Type/XObject/Subtype/Image/Width %d/Height %d/ColorSpace/DeviceRGB"
            b"/BitsPerComponent 8/Filter/DCTDecode/Length %d>>\nstream\n"
            % (number + 2, page.width, page.height, len(page.jpeg)),
            page.jpeg,
            _END_OF_STREAM,
        )


def _unclean() -> UncleanCopyError:
    return UncleanCopyError("a rendering holds more than pictures")
