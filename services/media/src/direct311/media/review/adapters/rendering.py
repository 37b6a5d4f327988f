"""Renders pictures and PDFs, and burns boxes into them. Pure: bytes in, pixels out.

Nothing of a PDF's own structure is copied. Each page is drawn as a reader sees it, without text
layer, annotation or attachment, and without a layer that is switched off.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from typing import Final

import pillow_heif
import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c
from PIL import Image, ImageColor, ImageDraw

from direct311.media.decisions import Box
from direct311.media.pictures import (
    Limits,
    PictureError,
    PixelLimitError,
    decoded,
    encoded,
    require_bare_parts,
)
from direct311.media.review.adapters.image_pdf import (
    PicturePage,
    image_pdf,
    points,
    require_image_pdf,
)
from direct311.media.review.domain import (
    PDF,
    UNSCANNED,
    Burnt,
    Finding,
    Look,
    PageImage,
    PageSize,
)
from direct311.media.review.ports import UnrenderableError
from direct311.schemas import Model

_POINTS: Final = 72
"""To the inch (ISO 32000-1, section 8.3.2.3)."""
_JPEG: Final = "image/jpeg"
_QUALITY: Final = 85


class RenderLimits(Model):
    """`pictures`: of pictures; their renderings keep their size. `memory`: bytes of address space;
    `cpu_seconds`: for each file. `dpi`: of a PDF's pages. `max_pages`, `max_page_pixels`: of one
    PDF, of one page. `max_bytes`: of a rendering."""

    pictures: Limits = Limits(max_side=100_000)
    memory: int = 2 * 1024**3
    cpu_seconds: int = 120
    dpi: int = 200
    max_pages: int = 500
    max_page_pixels: int = 60_000_000
    max_bytes: int = 150 * 1024**2


def look(data: bytes, content_type: str, limits: RenderLimits) -> Look:
    """The sizes of its pages, and what shows on none of them.

    :raises UnrenderableError: it cannot be rendered.
    """
    if content_type != PDF:
        picture = _picture(data, content_type, limits)
        size = PageSize(width=picture.width, height=picture.height)
        return Look(pages=(size,), findings=_in_picture(data, content_type))
    with _opened(data, limits) as document:
        sizes = [_pixels(document, index, limits) for index in range(len(document))]
        return Look(
            pages=tuple(PageSize(width=width, height=height) for width, height in sizes),
            findings=_in_pdf(document, data),
        )


def page(data: bytes, content_type: str, number: int, limits: RenderLimits) -> PageImage:
    """One page, as `burn` would have it without boxes.

    :raises UnrenderableError: it cannot be rendered, or has no such page.
    """
    if content_type != PDF:
        if number != 1:
            raise UnrenderableError("no_such_page")
        copy = encoded(_picture(data, content_type, limits), content_type)
        return PageImage(content_type=copy.content_type, data=copy.data)
    with _opened(data, limits) as document:
        if number > len(document):
            raise UnrenderableError("no_such_page")
        return PageImage(content_type=_JPEG, data=_jpeg(_drawn(document, number - 1, limits)))


def burn(data: bytes, content_type: str, boxes: Sequence[Box], limits: RenderLimits) -> Burnt:
    """The whole file anew, with these boxes black.

    :raises UnrenderableError: it cannot be rendered, or has no page for a box.
    :raises UncleanCopyError: the result holds more than pixels; nothing of it may go out.
    """
    last = max((box.page for box in boxes), default=1)
    if content_type != PDF:
        if last != 1:
            raise UnrenderableError("no_such_page")
        picture = _picture(data, content_type, limits)
        blacken(picture, boxes)
        copy = encoded(picture, content_type)
        return Burnt(content_type=copy.content_type, data=copy.data)
    with _opened(data, limits) as document:
        if last > len(document):
            raise UnrenderableError("no_such_page")
        whole = image_pdf(list(_pages(document, boxes, limits)))
    require_image_pdf(whole)
    return Burnt(content_type=PDF, data=whole)


def blacken(picture: Image.Image, boxes: Sequence[Box]) -> None:
    """Fill the boxes, widened by a margin on every side, with opaque black."""
    width, height = picture.size
    margin = margin_of(width, height)
    black = ImageColor.getcolor("black", picture.mode)
    drawing = ImageDraw.Draw(picture)
    for box in boxes:
        drawing.rectangle(
            (
                math.floor(box.left * width) - margin,
                math.floor(box.top * height) - margin,
                math.ceil(box.right * width) + margin,
                math.ceil(box.bottom * height) + margin,
            ),
            fill=black,
        )


def margin_of(width: int, height: int) -> int:
    """In pixels: half a hundredth of the shorter side, which is 1 mm on a letter page."""
    return max(2, math.ceil(min(width, height) / 200))


# ---------------------------------------------------------------- pictures


def _picture(data: bytes, content_type: str, limits: RenderLimits) -> Image.Image:
    try:
        return decoded(data, content_type, limits.pictures)
    except PixelLimitError:
        raise UnrenderableError("too_large") from None
    except PictureError:
        raise UnrenderableError("unreadable") from None


def _in_picture(data: bytes, content_type: str) -> tuple[Finding, ...]:
    """What the file says beside the pixels of its first picture. Broken metadata are metadata."""
    found: set[Finding] = set()
    try:
        with container(data, content_type) as picture:
            exif = picture.getexif()
            if exif or picture.info.keys() & _SAYING:
                found.add("metadata")
            if exif.get_ifd(GPS):
                found.add("position")
            if getattr(picture, "n_frames", 1) != 1:
                found.add("more_pictures")
    except Exception:
        found.add("metadata")
    return tuple(sorted(found))


def container(data: bytes, content_type: str) -> Image.Image:
    if content_type == "image/heic":
        return pillow_heif.open_heif(data, convert_hdr_to_8bit=True).to_pillow()
    return Image.open(BytesIO(data))


GPS: Final = 0x8825
_SAYING: Final = frozenset(
    {"exif", "xmp", "XML:com.adobe.xmp", "comment", "photoshop", "parsed_exif", "Comment", "mp"}
)
"""Where Pillow puts what a picture says."""


# ---------------------------------------------------------------- PDFs


@contextmanager
def _opened(data: bytes, limits: RenderLimits) -> Iterator[pdfium.PdfDocument]:
    """The document. What the library cannot do inside the block is `unreadable`."""
    with _errors():
        document = pdfium.PdfDocument(data)
        try:
            count = len(document)
            if not 0 < count <= limits.max_pages:
                raise UnrenderableError("too_many_pages" if count else "unreadable")
            yield document
        finally:
            document.close()


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except pdfium.PdfiumError as error:
        locked = getattr(error, "err_code", None) in (
            pdfium_c.FPDF_ERR_PASSWORD,
            pdfium_c.FPDF_ERR_SECURITY,
        )
        raise UnrenderableError("encrypted" if locked else "unreadable") from None
    except MemoryError:
        raise UnrenderableError("too_large") from None


def _pixels(document: pdfium.PdfDocument, index: int, limits: RenderLimits) -> tuple[int, int]:
    """:raises UnrenderableError: the page has more pixels than may be drawn."""
    scale = limits.dpi / _POINTS
    across, down = document.get_page_size(index)
    if not (math.isfinite(across) and math.isfinite(down) and across > 0 and down > 0):
        raise UnrenderableError("unreadable")
    width, height = math.ceil(across * scale), math.ceil(down * scale)
    if width * height > limits.max_page_pixels or max(width, height) > _LONGEST_SIDE:
        raise UnrenderableError("too_large")
    return width, height


_LONGEST_SIDE: Final = 65_000
"""In pixels; a JPEG has no longer one."""


def _drawn(document: pdfium.PdfDocument, index: int, limits: RenderLimits) -> Image.Image:
    _pixels(document, index, limits)
    page = document[index]
    try:
        bitmap = page.render(scale=limits.dpi / _POINTS, rev_byteorder=True, draw_annots=True)
        # A copy, because the bitmap's memory ends with it.
        picture: Image.Image = bitmap.to_pil().convert("RGB")
        bitmap.close()
        return picture
    finally:
        page.close()


def _pages(
    document: pdfium.PdfDocument, boxes: Sequence[Box], limits: RenderLimits
) -> Iterator[PicturePage]:
    size = 0
    for index in range(len(document)):
        picture = _drawn(document, index, limits)
        blacken(picture, [box for box in boxes if box.page == index + 1])
        jpeg = _jpeg(picture)
        size += len(jpeg)
        if size > limits.max_bytes:
            raise UnrenderableError("too_large")
        yield PicturePage(
            jpeg,
            picture.width,
            picture.height,
            points(picture.width, limits.dpi),
            points(picture.height, limits.dpi),
        )


def _jpeg(picture: Image.Image) -> bytes:
    stream = BytesIO()
    picture.save(stream, "JPEG", quality=_QUALITY)
    data = stream.getvalue()
    require_bare_parts(data, _JPEG)
    return data


def _in_pdf(document: pdfium.PdfDocument, data: bytes) -> tuple[Finding, ...]:
    """What was found that shows on no page. A PDF has more places where something can be."""
    found: set[Finding] = {*UNSCANNED}
    if document.count_attachments() > 0 or b"/EmbeddedFile" in data:
        found.add("attachments")
    if b"/Metadata" in data or any(document.get_metadata_dict().values()):
        found.add("metadata")
    if document.get_formtype() != pdfium_c.FORMTYPE_NONE:
        found.add("form")
    if b"/OCProperties" in data:
        found.add("layers")
    if data.count(b"startxref") > (2 if b"/Linearized" in data[:1024] else 1):
        found.add("earlier_versions")
    for index in range(len(document)):
        page = document[index]
        try:
            if pdfium_c.FPDFPage_GetAnnotCount(page) > 0:
                found.add("annotations")
                break
        finally:
            page.close()
    return tuple(sorted(found))
