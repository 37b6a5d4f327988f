"""A rendered PDF is one picture a page, and not a byte more."""

import re
from collections.abc import Callable
from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pypdf import PdfReader

from direct311.media.ports import UncleanCopyError
from direct311.media.review.adapters.image_pdf import (
    PicturePage,
    image_pdf,
    points,
    require_image_pdf,
)
from tests.support import pictures


def _page(width: int = 40, height: int = 60) -> PicturePage:
    stream = BytesIO()
    pictures.scene(width, height).save(stream, "JPEG")
    return PicturePage(
        stream.getvalue(), width, height, points(width, dpi=200), points(height, dpi=200)
    )


WHOLE = image_pdf([_page(), _page(80, 50), _page()])


def test_another_reader_finds_a_picture_on_each_page_and_nothing_else() -> None:
    reader = PdfReader(BytesIO(WHOLE), strict=True)
    assert len(reader.pages) == 3
    for page, (width, height) in zip(reader.pages, ((40, 60), (80, 50), (40, 60)), strict=True):
        (picture,) = page.images
        found = picture.image
        assert found is not None
        assert found.size == (width, height)
        assert page.extract_text() == ""
        assert set(page) == {"/Type", "/Parent", "/MediaBox", "/Resources", "/Contents"}
    assert reader.metadata is None
    assert reader.xmp_metadata is None
    assert not reader.attachments
    assert set(reader.root_object) == {"/Type", "/Pages"}
    assert set(reader.trailer) == {"/Size", "/Root"}


def test_the_same_pictures_give_the_same_bytes() -> None:
    assert image_pdf([_page(), _page(80, 50), _page()]) == WHOLE
    require_image_pdf(WHOLE)


def test_many_pages_are_found_again() -> None:
    require_image_pdf(image_pdf([_page(8, 8)] * 500))


@pytest.mark.parametrize(
    "changed",
    [
        lambda data: b"",
        lambda data: data[:-1],
        lambda data: data + b"\n",
        lambda data: data.replace(b"/Root 1 0 R", b"/Root 1 0 R/Info 3 0 R"),
        lambda data: data.replace(b"/Type/Catalog", b"/Type/Catalog/Metadata 9 0 R"),
        lambda data: data.replace(b"/I Do Q", b"/I Do Q BT (Canary) Tj ET"),
        lambda data: data.replace(b"%PDF-1.4\n", b"%PDF-1.4\n%Canary\n"),
        lambda data: data.replace(b"/MediaBox", b"/Annots[9 0 R]/MediaBox"),
        lambda data: data.replace(b"\xff\xd9\nendstream", b"Canary\xff\xd9\nendstream"),
        lambda data: data + b"9 0 obj\n(Canary)\nendobj\nstartxref\n0\n%%EOF\n",
        lambda data: data.replace(b"/Count 3", b"/Count 2"),
        lambda data: image_pdf([]),
    ],
)
def test_what_holds_more_or_less_does_not_go_out(changed: Callable[[bytes], bytes]) -> None:
    other = changed(WHOLE)
    assert other != WHOLE
    with pytest.raises(UncleanCopyError):
        require_image_pdf(other)


def test_a_picture_with_metadata_does_not_go_out() -> None:
    inside = pictures.jpeg(image=pictures.scene(40, 60))
    with pytest.raises(UncleanCopyError):
        require_image_pdf(image_pdf([PicturePage(inside, 40, 60, "14.40", "21.60")]))


_IN_PICTURES = [
    (match.start(), match.end())
    for match in re.finditer(rb"\xff\xd8.*?\xff\xd9(?=\nendstream)", WHOLE, re.DOTALL)
]


@settings(max_examples=300)
@given(
    at=st.integers(0, len(WHOLE) - 1).filter(
        lambda at: not any(start <= at < end for start, end in _IN_PICTURES)
    ),
    flipped=st.integers(1, 255),
)
def test_no_changed_byte_beside_the_pictures_is_overlooked(at: int, flipped: int) -> None:
    changed = bytearray(WHOLE)
    changed[at] ^= flipped
    with pytest.raises(UncleanCopyError):
        require_image_pdf(bytes(changed))
