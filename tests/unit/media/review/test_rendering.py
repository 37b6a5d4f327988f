"""What is burnt out of a picture or PDF is gone, and nothing but pixels goes out."""

import random
from collections.abc import Callable
from io import BytesIO

import pypdfium2 as pdfium
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageStat
from pypdf import PdfReader

from direct311.media.decisions import Box
from direct311.media.pictures import FORMATS, require_bare
from direct311.media.review.adapters.image_pdf import require_image_pdf
from direct311.media.review.adapters.rendering import (
    RenderLimits,
    blacken,
    burn,
    look,
    margin_of,
    page,
)
from direct311.media.review.domain import BURNABLE_PICTURES, PDF, PageSize, is_burnable, kind_of
from direct311.media.review.ports import UnrenderableError
from direct311.media.uploads.domain import ACCEPTED, CLEANABLE, Kind
from tests.support import pdfs, pictures
from tests.support.real_data import REAL_DATA, needs_real_data

LIMITS = RenderLimits()
UPPER_HALF = Box(left=0, top=0, right=1, bottom=0.5, code="protected_person")
CORNER = Box(left=0.1, top=0.1, right=0.3, bottom=0.2, code="protected_person")
TYPES = {
    "jpeg": "image/jpeg",
    "jpeg with manifest and archive": "image/jpeg",
    "png": "image/png",
    "webp": "image/webp",
    "gif": "image/gif",
    "avif": "image/avif",
    "heic": "image/heic",
}


def _opened(data: bytes) -> Image.Image:
    picture = Image.open(BytesIO(data))
    picture.load()
    return picture.convert("RGB")


def _is_black(picture: Image.Image, box: Box, lightest: int = 0) -> bool:
    """Whether every pixel inside the box is black; `lightest` is what a lossy format may make of
    it."""
    width, height = picture.size
    inside = picture.crop(
        (
            int(box.left * width),
            int(box.top * height),
            round(box.right * width),
            round(box.bottom * height),
        )
    )
    return max(high for _, high in inside.getextrema()) <= lightest  # type: ignore[misc]


def _pixels_of_page(data: bytes, number: int) -> Image.Image:
    document = pdfium.PdfDocument(data)
    try:
        picture: Image.Image = document[number - 1].render(scale=1).to_pil().convert("RGB")
        return picture
    finally:
        document.close()


def _text_of(data: bytes) -> str:
    return "".join(page.extract_text() for page in PdfReader(BytesIO(data)).pages)


# ---------------------------------------------------------------- pictures


@pytest.mark.parametrize("name", pictures.MAKERS)
def test_a_picture_is_black_where_the_box_is_and_the_same_elsewhere(name: str) -> None:
    data = pictures.MAKERS[name]()
    burnt = burn(data, TYPES[name], [CORNER], LIMITS)
    whole = page(data, TYPES[name], 1, LIMITS)
    after, before = _opened(burnt.data), _opened(whole.data)
    assert after.size == before.size == (320, 200)
    assert _is_black(after, CORNER, lightest=12)
    far = (160, 100, 320, 200)
    differing = ImageStat.Stat(ImageChops.difference(after.crop(far), before.crop(far)))
    # A drawing that has more colors than a palette with the boxes becomes a JPEG.
    assert max(differing.mean) < (3 if name == "gif" else 0.001)


@pytest.mark.parametrize("name", pictures.MAKERS)
def test_nothing_but_pixels_is_left_of_a_picture(name: str) -> None:
    data = pictures.MAKERS[name]()
    burnt = burn(data, TYPES[name], [CORNER], LIMITS)
    require_bare(burnt.data, burnt.content_type)
    assert not any(spelling in burnt.data for spelling in pictures.spellings())
    assert burn(data, TYPES[name], [CORNER], LIMITS) == burnt


def test_a_box_is_where_the_reviewer_saw_it_although_the_camera_was_turned() -> None:
    data = pictures.jpeg(orientation=6)
    shown = _opened(page(data, "image/jpeg", 1, LIMITS).data)
    assert look(data, "image/jpeg", LIMITS).pages == (PageSize(width=200, height=320),)
    burnt = _opened(burn(data, "image/jpeg", [CORNER], LIMITS).data)
    assert burnt.size == shown.size == (200, 320)
    assert _is_black(burnt, CORNER, lightest=12)


def test_what_is_transparent_is_black_too() -> None:
    clear = pictures.scene(mode="RGBA")
    clear.putalpha(10)
    burnt = burn(pictures.png(clear), "image/png", [CORNER], LIMITS)
    picture = Image.open(BytesIO(burnt.data))
    assert picture.mode == "RGBA"
    assert picture.getpixel((60, 30)) == (0, 0, 0, 255)


def test_a_reviewer_is_told_what_a_picture_says_beside_its_pixels() -> None:
    assert look(pictures.jpeg(), "image/jpeg", LIMITS).findings == ("metadata", "position")
    assert look(pictures.heic(), "image/heic", LIMITS).findings == ("metadata", "position")
    assert "more_pictures" in look(pictures.gif(), "image/gif", LIMITS).findings
    bare = page(pictures.jpeg(), "image/jpeg", 1, LIMITS)
    assert look(bare.data, bare.content_type, LIMITS).findings == ()


def test_a_picture_has_one_page() -> None:
    with pytest.raises(UnrenderableError, match="no_such_page"):
        page(pictures.jpeg(), "image/jpeg", 2, LIMITS)
    second = Box(page=2, left=0, top=0, right=1, bottom=1, code="x")
    with pytest.raises(UnrenderableError, match="no_such_page"):
        burn(pictures.jpeg(), "image/jpeg", [second], LIMITS)


@settings(max_examples=200, deadline=None)
@given(
    size=st.tuples(st.integers(1, 300), st.integers(1, 300)),
    sides=st.tuples(*[st.floats(0, 1)] * 4).filter(lambda s: s[0] < s[1] and s[2] < s[3]),
)
def test_a_box_and_its_margin_are_black_at_every_size(
    size: tuple[int, int], sides: tuple[float, float, float, float]
) -> None:
    left, right, top, bottom = sides
    box = Box(left=left, top=top, right=right, bottom=bottom, code="x")
    picture = Image.new("RGB", size, "white")
    blacken(picture, [box])
    width, height = size
    margin = margin_of(width, height)
    for x in range(max(0, int(left * width) - margin), min(width, int(right * width) + margin)):
        assert picture.getpixel((x, min(height - 1, int(top * height)))) == (0, 0, 0)
    far = (int(left * width) - margin - 2, int(top * height) - margin - 2)
    if min(far) >= 0:
        assert picture.getpixel(far) == (255, 255, 255)


# ---------------------------------------------------------------- PDFs


def test_a_box_is_black_on_its_own_page_alone() -> None:
    data = pdfs.plain(pages=3)
    second = Box(page=2, left=0, top=0.1, right=1, bottom=0.4, code="x")
    burnt = burn(data, PDF, [second], LIMITS)
    require_image_pdf(burnt.data)
    assert burnt.content_type == PDF
    black = [_is_black(_pixels_of_page(burnt.data, each), second, 12) for each in (1, 2, 3)]
    assert black == [False, True, False]


def test_a_page_is_rendered_at_200_dots_an_inch() -> None:
    data = pdfs.plain()
    assert look(data, PDF, LIMITS).pages == (PageSize(width=556, height=556),)
    shown = page(data, PDF, 1, LIMITS)
    require_bare(shown.data, "image/jpeg")
    assert _opened(shown.data).size == (556, 556)


def test_a_reviewer_sees_a_page_as_it_goes_out() -> None:
    data = pdfs.planted("text")
    shown = page(data, PDF, 1, LIMITS)
    assert shown.data in burn(data, PDF, [], LIMITS).data


@pytest.mark.parametrize("place", pdfs.PLACES)
def test_a_rendering_does_not_depend_on_what_was_withheld(place: str) -> None:
    one, other = pdfs.planted(place, "Ximena"), pdfs.planted(place, "Zacarias")
    assert one != other
    assert burn(one, PDF, [UPPER_HALF], LIMITS) == burn(other, PDF, [UPPER_HALF], LIMITS)


def test_an_earlier_revision_does_not_go_out() -> None:
    one, other = pdfs.updated("Ximena"), pdfs.updated("Zacarias")
    assert b"Ximena" in one
    assert burn(one, PDF, [CORNER], LIMITS) == burn(other, PDF, [CORNER], LIMITS)
    assert "earlier_versions" in look(one, PDF, LIMITS).findings


@pytest.mark.parametrize(
    ("place", "finding"),
    [
        ("hidden layer", "layers"),
        ("annotation", "annotations"),
        ("form", "form"),
        ("attachment", "attachments"),
        ("information", "metadata"),
        ("metadata", "metadata"),
    ],
)
def test_a_reviewer_is_told_what_shows_on_no_page(place: str, finding: str) -> None:
    findings = look(pdfs.planted(place), PDF, LIMITS).findings
    assert {finding, "unscanned"} <= set(findings)
    assert look(pdfs.plain(), PDF, LIMITS).findings == ("unscanned",)


def test_none_of_hundreds_of_canaries_is_in_a_rendering() -> None:
    drawn = random.Random(311)
    places, makers = sorted(pdfs.PLACES), sorted(pictures.MAKERS)
    for number in range(400):
        canary = f"Canary-{number}-{drawn.randrange(10**9):09}"
        place = places[number % len(places)]
        data = pdfs.updated(canary) if number % 17 == 16 else pdfs.planted(place, canary)
        assert canary.encode() in data + pdfs.extracted(data), place
        burnt = burn(data, PDF, [UPPER_HALF], LIMITS).data
        found = burnt + pdfs.extracted(burnt)
        assert not any(spelling in found for spelling in pictures.spellings(canary)), place
    for name in makers:
        burnt = burn(pictures.MAKERS[name](), TYPES[name], [UPPER_HALF], LIMITS).data
        assert not any(spelling in burnt for spelling in pictures.spellings())


@needs_real_data
@pytest.mark.parametrize("name", ["pypdf_minimal-document.pdf", "pypdf_pdflatex-image.pdf"])
def test_a_real_document_has_no_text_left(name: str) -> None:
    data = (REAL_DATA / "media" / name).read_bytes()
    assert len(_text_of(data)) > 100
    burnt = burn(data, PDF, [CORNER], LIMITS).data
    assert _text_of(burnt).strip() == ""


# ---------------------------------------------------------------- what can be rendered


def test_pictures_that_can_be_cleaned_can_be_burnt() -> None:
    assert BURNABLE_PICTURES == CLEANABLE
    assert {*FORMATS, "image/heic"} == BURNABLE_PICTURES


def test_every_accepted_type_has_a_kind() -> None:
    for content_type, kind in ACCEPTED.items():
        expected = "pdf" if content_type == PDF else kind.value
        assert kind_of(content_type) == expected
        if kind in (Kind.VIDEO, Kind.AUDIO):
            assert not is_burnable(content_type)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (pdfs.locked, "encrypted"),
        (pdfs.cut_off, "unreadable"),
        (pdfs.page_tree_loop, "unreadable"),
        (pdfs.said_pages, "too_many_pages"),
        (pdfs.huge_page, "too_large"),
        (lambda: b"", "unreadable"),
        (lambda: b"%PDF-1.7\n", "unreadable"),
    ],
)
def test_what_cannot_be_rendered_says_why(make: Callable[[], bytes], reason: str) -> None:
    data = make()
    for attempt in (
        lambda: look(data, PDF, LIMITS),
        lambda: page(data, PDF, 1, LIMITS),
        lambda: burn(data, PDF, [CORNER], LIMITS),
    ):
        with pytest.raises(UnrenderableError) as raised:
            attempt()
        assert raised.value.reason == reason


def test_limits_hold() -> None:
    with pytest.raises(UnrenderableError, match="too_many_pages"):
        look(pdfs.plain(pages=4), PDF, RenderLimits(max_pages=3))
    with pytest.raises(UnrenderableError, match="too_large"):
        burn(pdfs.plain(pages=3), PDF, [], RenderLimits(max_bytes=10_000))
    with pytest.raises(UnrenderableError, match="no_such_page"):
        page(pdfs.plain(), PDF, 2, LIMITS)
    with pytest.raises(UnrenderableError, match="too_large"):
        look(pictures.blank_png(9_000, 9_000), "image/png", LIMITS)
    with pytest.raises(UnrenderableError, match="unreadable"):
        look(b"nothing", "image/jpeg", LIMITS)
