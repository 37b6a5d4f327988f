"""What goes out is pixels and nothing else; what is not whole, or is a bomb, does not go out."""

from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from direct311.media.pictures import Limits, require_bare
from direct311.media.ports import UncleanCopyError
from direct311.media.record import CleanCopy, RejectionReason
from direct311.media.uploads.adapters.pictures import examine
from direct311.media.uploads.domain import Accepted, Rejected
from tests.support import pictures
from tests.support.real_data import REAL_DATA, needs_real_data

LIMITS = Limits()


def cleaned(data: bytes, limits: Limits = LIMITS) -> CleanCopy:
    verdict = examine(data, "", limits)
    assert isinstance(verdict, Accepted)
    assert verdict.clean_copy is not None
    return verdict.clean_copy


def opened(copy: CleanCopy) -> Image.Image:
    image = Image.open(BytesIO(copy.data))
    image.load()
    return image


# ---------------------------------------------------------------- nothing but pixels


@pytest.mark.policy("P5", "P20")
@pytest.mark.parametrize("name", pictures.MAKERS)
def test_no_canary_survives_cleaning(name: str) -> None:
    original = pictures.MAKERS[name]()
    planted = [form for form in pictures.spellings() if form in original]
    assert planted, "control: the original must hold a canary, or this test shows nothing"
    copy = cleaned(original)
    found = [form for form in (*planted, *pictures.LATITUDE_BYTES, b"Exif") if form in copy.data]
    assert found == []


@pytest.mark.policy("P9")
@pytest.mark.parametrize("name", ["jpeg", "png", "webp", "avif", "heic"])
def test_the_position_is_in_the_original_and_not_in_the_copy(name: str) -> None:
    original = pictures.MAKERS[name]()
    assert any(form in original for form in pictures.LATITUDE_BYTES)
    assert not any(form in cleaned(original).data for form in pictures.LATITUDE_BYTES)
    assert opened(cleaned(original)).getexif() == {}


@pytest.mark.parametrize("name", pictures.MAKERS)
def test_the_same_bytes_give_the_same_copy(name: str) -> None:
    original = pictures.MAKERS[name]()
    assert cleaned(original).data == cleaned(original).data


@pytest.mark.parametrize("name", pictures.MAKERS)
def test_the_picture_is_still_the_picture(name: str) -> None:
    image = opened(cleaned(pictures.MAKERS[name]())).convert("RGB")
    wanted = pictures.scene()
    assert image.size == wanted.size
    for point in ((20, 20), (300, 20), (160, 100), (20, 180), (300, 180)):
        got, expected = image.getpixel(point), wanted.getpixel(point)
        assert isinstance(got, tuple)
        assert isinstance(expected, tuple)
        assert max(abs(a - b) for a, b in zip(got, expected, strict=True)) < 40, point


@pytest.mark.parametrize("maker", [pictures.jpeg, pictures.webp])
@pytest.mark.parametrize(
    ("orientation", "red_corner"),
    [
        *((1, (0, 0)), (2, (1, 0)), (3, (1, 1)), (4, (0, 1))),
        *((5, (0, 0)), (6, (1, 0)), (7, (1, 1)), (8, (0, 1))),
    ],
)
def test_orientation_is_applied(
    maker: object, orientation: int, red_corner: tuple[int, int]
) -> None:
    assert callable(maker)
    image = opened(cleaned(maker(orientation))).convert("RGB")
    assert image.size == ((200, 320) if orientation >= 5 else (320, 200))
    corner = tuple((side - 10) * at or 5 for side, at in zip(image.size, red_corner, strict=True))
    pixel = image.getpixel((corner[0], corner[1]))
    assert isinstance(pixel, tuple)
    assert pixel[0] > 200
    assert max(pixel[1:]) < 60


def test_large_pictures_are_made_smaller() -> None:
    copy = cleaned(pictures.jpeg(image=pictures.scene(3000, 1000)), Limits(max_side=640))
    assert (copy.width, copy.height) == (640, 213)
    assert opened(copy).size == (640, 213)


def test_colours_under_full_transparency_are_gone() -> None:
    image = Image.new("RGBA", (64, 64), (10, 20, 30, 255))
    image.paste((201, 202, 203, 0), (0, 0, 32, 64))
    copy = cleaned(pictures.png(image))
    assert copy.content_type == "image/png"
    assert opened(copy).getpixel((5, 5)) == (0, 0, 0, 0)
    assert opened(copy).getpixel((40, 5)) == (10, 20, 30, 255)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_every_mode_of_png_is_cleaned(mode: str) -> None:
    image = pictures.scene(mode="L" if mode == "I;16" else mode)
    if mode == "I;16":
        image = Image.frombytes(mode, image.size, b"".join(bytes((0, v)) for v in image.tobytes()))
    copy = cleaned(pictures.png(image))
    assert opened(copy).mode in ("L", "RGB", "RGBA")


def test_sixteen_bits_keep_their_brightness() -> None:
    copy = cleaned(pictures.png(Image.new("I;16", (8, 8), 40_000)))
    assert opened(copy).getpixel((4, 4)) == 40_000 // 256


def test_cmyk_becomes_rgb() -> None:
    image = opened(cleaned(pictures.jpeg(image=pictures.scene().convert("CMYK"))))
    assert image.mode == "RGB"


def test_drawings_stay_png_and_photographs_become_jpeg() -> None:
    drawing = Image.new("RGB", (200, 100), (250, 250, 250))
    drawing.paste((0, 0, 0), (10, 10, 60, 60))
    assert cleaned(pictures.png(drawing)).content_type == "image/png"
    assert cleaned(pictures.png()).content_type == "image/jpeg"


@pytest.mark.parametrize(
    "dirty",
    [pictures.jpeg(), pictures.jpeg_with_manifest_and_archive(), pictures.jpeg()[:2] + b"\xff\xd9"],
    ids=["jpeg", "manifest", "empty jpeg"],
)
def test_a_jpeg_with_more_than_pixels_is_caught(dirty: bytes) -> None:
    with pytest.raises((UncleanCopyError, OSError)):
        require_bare(dirty, "image/jpeg")


def test_a_single_byte_after_the_end_is_caught() -> None:
    photo, drawing = cleaned(pictures.jpeg()), cleaned(pictures.gif())
    require_bare(photo.data, "image/jpeg")
    require_bare(drawing.data, "image/png")
    with pytest.raises(UncleanCopyError):
        require_bare(photo.data + b"x", "image/jpeg")
    with pytest.raises(UncleanCopyError):
        require_bare(drawing.data + b"x", "image/png")
    with pytest.raises(UncleanCopyError):
        require_bare(pictures.png(Image.new("RGB", (4, 4))), "image/png")


# ---------------------------------------------------------------- what is refused


def test_nothing_is_refused_as_empty() -> None:
    assert examine(b"", "image/jpeg", LIMITS) == Rejected(reason=RejectionReason.EMPTY)


@pytest.mark.parametrize("name", ["jpeg", "png", "webp", "gif", "avif", "heic"])
@settings(max_examples=25, deadline=None)
@given(share=st.floats(min_value=0.02, max_value=0.995))
def test_a_cut_off_picture_is_never_published(name: str, share: float) -> None:
    whole = _WHOLE[name]
    verdict = examine(whole[: int(len(whole) * share)], "", LIMITS)
    assert isinstance(verdict, Rejected)
    assert verdict.reason in (RejectionReason.DAMAGED, RejectionReason.UNSUPPORTED_TYPE)


def _encoded(file_format: str, **options: object) -> bytes:
    stream = BytesIO()
    pictures.scene().save(stream, file_format, **options)
    return stream.getvalue()


# One picture a file, so that what is cut off is always the picture.
_WHOLE = {
    "jpeg": _encoded("JPEG"),
    "png": _encoded("PNG"),
    "webp": _encoded("WEBP"),
    "gif": _encoded("GIF"),
    "avif": _encoded("AVIF"),
    "heic": pictures.heic(),
}


@settings(max_examples=150, deadline=None)
@given(
    name=st.sampled_from(sorted(_WHOLE)),
    at=st.floats(min_value=0, max_value=1, exclude_max=True),
    bits=st.integers(min_value=1, max_value=255),
)
def test_a_flipped_byte_gives_a_clean_copy_or_a_refusal(name: str, at: float, bits: int) -> None:
    data = bytearray(_WHOLE[name])
    data[int(at * len(data))] ^= bits
    verdict = examine(bytes(data), "", LIMITS)
    if isinstance(verdict, Accepted) and verdict.clean_copy is not None:
        require_bare(verdict.clean_copy.data, verdict.clean_copy.content_type)
    else:
        assert isinstance(verdict, Accepted | Rejected)


@pytest.mark.parametrize("side", [9_000, 12_000, 16_000])
def test_a_decompression_bomb_is_refused_before_it_is_decoded(side: int) -> None:
    verdict = examine(pictures.blank_png(side, side), "image/png", LIMITS)
    assert verdict == Rejected(reason=RejectionReason.BOMB)


def test_a_heic_over_the_pixel_limit_is_a_bomb() -> None:
    verdict = examine(pictures.heic(), "image/heic", Limits(max_pixels=1_000))
    assert verdict == Rejected(reason=RejectionReason.BOMB)


@pytest.mark.parametrize(
    ("data", "declared", "reason"),
    [
        (b"MZ" + bytes(200), "image/jpeg", RejectionReason.UNSUPPORTED_TYPE),
        (b"#!/bin/sh\necho hello\n", "text/plain", RejectionReason.UNSUPPORTED_TYPE),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "", RejectionReason.UNSUPPORTED_TYPE),
        (b"%PDF-1.7\n", "image/png", RejectionReason.TYPE_MISMATCH),
    ],
)
def test_what_is_no_picture_is_not_taken_for_one(
    data: bytes, declared: str, reason: RejectionReason
) -> None:
    assert examine(data, declared, LIMITS) == Rejected(reason=reason)


def test_a_document_is_taken_without_a_public_copy() -> None:
    verdict = examine(b"%PDF-1.7\n%%EOF\n", "application/pdf", LIMITS)
    assert verdict == Accepted(content_type="application/pdf", clean_copy=None)


# ---------------------------------------------------------------- real cameras and phones


@needs_real_data
@pytest.mark.parametrize(
    "path", pictures.real_samples(REAL_DATA), ids=lambda path: getattr(path, "name", "none")
)
def test_photos_of_real_devices_come_out_clean(path: Path) -> None:
    original = path.read_bytes()
    copy = cleaned(original)
    require_bare(copy.data, copy.content_type)
    assert max(copy.width, copy.height) <= LIMITS.max_side
    words = (b"Exif", b"http://ns.adobe.com", b"jumb", b"c2pa", b"Apple", b"SAMSUNG", b"Nikon")
    assert [word for word in words if word.lower() in copy.data.lower()] == []


@needs_real_data
@pytest.mark.parametrize("share", [0.3, 0.9, 0.999])
def test_a_cut_off_heic_of_a_phone_is_refused(share: float) -> None:
    whole = (REAL_DATA / "media" / "mei_cheers_1440x960.heic").read_bytes()
    verdict = examine(whole[: int(len(whole) * share)], "image/heic", LIMITS)
    assert verdict == Rejected(reason=RejectionReason.DAMAGED)


@needs_real_data
@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        ("mei_with-gps.mp4", "video/mp4"),
        ("mei_xmp480qt.mov", "video/quicktime"),
        ("mei_sample.3gp", "video/3gpp"),
        ("mei_chirp-1.mp3", "audio/mpeg"),
        ("pypdf_minimal-document.pdf", "application/pdf"),
        ("pypdf_libreoffice-writer-password.pdf", "application/pdf"),
    ],
)
def test_video_sound_and_documents_are_kept_without_a_copy(name: str, content_type: str) -> None:
    verdict = examine((REAL_DATA / "media" / name).read_bytes(), content_type, LIMITS)
    assert verdict == Accepted(content_type=content_type, clean_copy=None)


@needs_real_data
@pytest.mark.parametrize(
    "name", ["zip.zip", "gzip.gz", "rar5.rar", "svg.svg", "png-truncated.png", "gif.gif"]
)
def test_archives_scripts_and_broken_files_are_refused(name: str) -> None:
    verdict = examine((REAL_DATA / "media" / "small" / name).read_bytes(), "", LIMITS)
    assert isinstance(verdict, Rejected)
