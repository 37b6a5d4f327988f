"""Decodes and encodes pictures, so that nothing but their pixels is left. Pure.

A picture is fully decoded and encoded again from its pixels: orientation applied, colours converted
to sRGB, no EXIF, XMP, IPTC, ICC profile, comment, thumbnail, second picture, C2PA manifest or
appended file. The result is parsed again: it may contain only items from a closed list.
"""

import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from io import BytesIO
from types import MappingProxyType
from typing import Final

import pillow_heif
from PIL import Image, ImageCms

from direct311.media.ports import UncleanCopyError
from direct311.media.record import CleanCopy
from direct311.schemas import Model


class PictureError(Exception):
    """Root of this module's errors."""


class DamagedPictureError(PictureError):
    """The file cannot be decoded, or ends earlier than it announces."""


class PixelLimitError(PictureError):
    """The file has more pixels than may be decoded, or repeats them too often."""


class Limits(Model):
    """`max_pixels`: width times height of the original; `max_side`: pixels of the copy's longer
    side; `max_scans`: the most passes over the pixels of a JPEG (a camera's has 1, a progressive
    one about 10); `max_passed`: the pixels of all passes together."""

    # Below Pillow's own limit (89 megapixels), so that ours applies first.
    max_pixels: int = 80_000_000
    max_side: int = 2048
    max_scans: int = 32
    max_passed: int = 800_000_000


FORMATS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "image/jpeg": "JPEG",
        "image/png": "PNG",
        "image/webp": "WEBP",
        "image/gif": "GIF",
        "image/avif": "AVIF",
    }
)

_SOI, _EOI, _SOS, _APP0 = 0xD8, 0xD9, 0xDA, 0xE0
# Neither a stuffed byte nor a restart, but a marker that has a length, begins or ends.
_MARKER: Final = re.compile(rb"\xff+[^\x00\x01\xff\xd0-\xd7]", re.DOTALL)

# EXIF 2.32, tag 0x0112: how to turn the stored picture upright.
_ORIENTATION: Final = 0x0112
_UPRIGHT: Final[Mapping[int, Image.Transpose]] = MappingProxyType(
    {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }
)


def decoded(data: bytes, content_type: str, limits: Limits) -> Image.Image:
    """The first picture of a file of one of the types in `FORMATS`: upright, sRGB, at most
    `max_side`, mode L, RGB or RGBA.

    :raises PixelLimitError: it is too large when decoded. :raises DamagedPictureError: it cannot be
    decoded.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            return _decode(data, content_type, limits)
    except (
        PixelLimitError,
        MemoryError,
        Image.DecompressionBombError,
        Image.DecompressionBombWarning,
    ):
        raise PixelLimitError from None
    except Exception:
        # Decoders raise nearly every kind of error for bad bytes.
        raise DamagedPictureError from None


# ---------------------------------------------------------------- reading


def _decode(data: bytes, content_type: str, limits: Limits) -> Image.Image:
    if content_type in ("image/heic", "image/avif"):
        _require_whole_boxes(data)
    if content_type == "image/png":
        _require_whole_chunks(data)
    picture = _heif(data, limits) if content_type == "image/heic" else _pillow(data, limits)
    profile = picture.info.get("icc_profile")
    orientation = _orientation(picture) if content_type != "image/heic" else 1
    picture = _continuous(picture)
    picture.thumbnail((limits.max_side, limits.max_side), Image.Resampling.LANCZOS)
    picture = _srgb(picture, profile)
    upright = _UPRIGHT.get(orientation)
    return picture if upright is None else picture.transpose(upright)


def _pillow(data: bytes, limits: Limits) -> Image.Image:
    picture = Image.open(BytesIO(data), formats=list(FORMATS.values()))
    _require_pixels(picture.size, limits)
    if picture.format in ("JPEG", "MPO"):
        _require_few_scans(data, picture.size, limits)
    # A JPEG is decoded at a half, a quarter or an eighth of its size if that is still large enough.
    picture.draft(None, (limits.max_side, limits.max_side))
    picture.load()
    return picture


def _heif(data: bytes, limits: Limits) -> Image.Image:
    container = pillow_heif.open_heif(data, convert_hdr_to_8bit=True)
    _require_pixels(container.size, limits)
    # The decoder applies the container's own rotation. EXIF's orientation repeats it, so it is
    # ignored.
    return container.to_pillow()


def _require_pixels(size: tuple[int, int], limits: Limits) -> None:
    if size[0] * size[1] > limits.max_pixels:
        raise PixelLimitError


def _require_few_scans(data: bytes, size: tuple[int, int], limits: Limits) -> None:
    """Each scan costs a pass over all pixels, and a few bytes are enough for a scan (ITU-T T.81,
    annex B.2.3)."""
    scans = _scans(data, limits.max_scans)
    if scans > limits.max_scans:
        raise DamagedPictureError
    if scans * size[0] * size[1] > limits.max_passed:
        raise PixelLimitError


def _scans(data: bytes, most: int) -> int:
    """Counts the scans of a JPEG up to its end, but at most `most` plus one. Goes from marker to
    marker as a decoder does, skipping everything between."""
    at, found = 2, 0
    while found <= most and (marker := _MARKER.search(data, at)) is not None:
        code, at = data[marker.end() - 1], marker.end()
        if code == _EOI:
            break
        if code == _SOI:
            continue
        found += code == _SOS
        at += int.from_bytes(data[at : at + 2])
    return found


def _orientation(picture: Image.Image) -> int:
    try:
        return int(picture.getexif().get(_ORIENTATION, 1))
    except Exception:
        # Broken metadata around a valid picture: shown as stored.
        return 1


def _continuous(picture: Image.Image) -> Image.Image:
    """The picture in a mode that can be scaled: L, RGB, RGBA or CMYK."""
    if picture.has_transparency_data:
        rgba = picture.convert("RGBA")
        alpha = rgba.getchannel("A")
        if alpha.getextrema() == (255, 255):
            return rgba.convert("RGB")
        # Fully transparent colors are invisible, but would still be readable in the copy.
        seen = alpha.point(lambda value: 255 if value else 0)
        return Image.composite(rgba, Image.new("RGBA", rgba.size), seen)
    if picture.mode.startswith("I"):
        return picture.point(lambda value: value * (1 / 256)).convert("L")
    if picture.mode in ("L", "RGB", "CMYK"):
        return picture
    return picture.convert("L" if picture.mode == "1" else "RGB")


def _srgb(picture: Image.Image, profile: bytes | None) -> Image.Image:
    """The colors converted so that a viewer without the profile shows them best."""
    out = "RGB" if picture.mode == "CMYK" else picture.mode
    if profile and out != "L":
        try:
            source = ImageCms.ImageCmsProfile(BytesIO(profile))
            target = ImageCms.createProfile("sRGB")
            converted = ImageCms.profileToProfile(picture, source, target, outputMode=out)
        except (ImageCms.PyCMSError, OSError):
            converted = None
        if converted is not None:
            return converted
    return picture if picture.mode == out else picture.convert(out)


def _require_whole_boxes(data: bytes) -> None:
    """The top-level boxes of HEIC and AVIF end where the file ends (ISO 14496-12, section 4.2).

    For a truncated file the decoder returns wrong pixels without an error. A box 'to the end of the
    file' cannot be checked and is refused too; no camera writes one.
    """
    at = 0
    while at < len(data):
        size, header = int.from_bytes(data[at : at + 4]), 8
        if size == 1:
            size, header = int.from_bytes(data[at + 8 : at + 16]), 16
        if size < header or at + size > len(data):
            raise DamagedPictureError
        at += size


def _chunks(data: bytes) -> Iterator[bytes]:
    """Names of a PNG's chunks up to IEND; nothing may follow it (PNG, third edition, 5.3)."""
    at = 8
    while True:
        size, name = int.from_bytes(data[at : at + 4]), data[at + 4 : at + 8]
        at += 12 + size
        if at > len(data):
            raise DamagedPictureError
        yield name
        if name == b"IEND":
            break
    if at != len(data):
        yield b"trailer"


def _require_whole_chunks(data: bytes) -> None:
    for _ in _chunks(data):
        pass


# ---------------------------------------------------------------- writing


def encoded(picture: Image.Image, content_type: str) -> CleanCopy:
    """A file with nothing but these pixels. PNG for drawings and transparency, else JPEG.

    :param content_type: of the file from which the picture was decoded.
    :raises UncleanCopyError: the result holds more than pixels.
    """
    bare = Image.new(picture.mode, picture.size)
    bare.paste(picture)
    drawn = content_type in ("image/png", "image/gif") and bare.getcolors(256) is not None
    stream = BytesIO()
    if bare.mode == "RGBA" or drawn:
        bare.save(stream, "PNG", optimize=True)
        copy_type = "image/png"
    else:
        bare.save(stream, "JPEG", quality=85, optimize=True, subsampling="4:2:0")
        copy_type = "image/jpeg"
    data = stream.getvalue()
    require_bare(data, copy_type)
    return CleanCopy(content_type=copy_type, data=data, width=bare.width, height=bare.height)


_PNG_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_BARE_CHUNKS: Final = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})
# Quantisation and Huffman tables, restart interval, baseline and progressive frames, JFIF header.
_FRAMES: Final = frozenset({0xC0, 0xC1, 0xC2})
_BARE_MARKERS: Final = _FRAMES | {0xDB, 0xC4, 0xDD, _SOS, _APP0}


def require_bare(data: bytes, content_type: str) -> None:
    """The file contains pixels and what is needed to decode them, and not a byte more.

    :raises UncleanCopyError: anything else is in it.
    """
    require_bare_parts(data, content_type)
    with Image.open(BytesIO(data), formats=["JPEG", "PNG"]) as reopened:
        if reopened.getexif() or getattr(reopened, "n_frames", 1) != 1:
            raise UncleanCopyError("a clean copy holds more than pixels")


def require_bare_parts(data: bytes, content_type: str) -> None:
    """The part of `require_bare` that checks only the bytes, without a decoder.

    :raises UncleanCopyError: it is not a JPEG or PNG, or has other segments or chunks, or a
    trailer.
    """
    walk = _WALKS.get(content_type)
    try:
        bare = walk is not None and walk(data)
    except (IndexError, ValueError, DamagedPictureError):
        bare = False
    if not bare:
        raise UncleanCopyError("a clean copy holds more than pixels")


def _png_is_bare(data: bytes) -> bool:
    return data[:8] == _PNG_SIGNATURE and set(_chunks(data)) <= _BARE_CHUNKS


def _jpeg_is_bare(data: bytes) -> bool:
    """Segments of ITU-T T.81, annex B: only those of `_BARE_MARKERS`, nothing after EOI."""
    if data[:2] != bytes((0xFF, _SOI)):
        return False
    at = 2
    while data[at] == 0xFF:
        marker = data[at + 1]
        if marker == _EOI:
            return at + 2 == len(data)
        size = int.from_bytes(data[at + 2 : at + 4])
        # 16 bytes: a JFIF header with an empty thumbnail.
        if marker not in _BARE_MARKERS or (marker == _APP0 and size != 16):
            return False
        at += 2 + size
        if marker == _SOS:
            at = _scan_end(data, at)
    return False


def size_of_jpeg(data: bytes) -> tuple[int, int] | None:
    """Width and height of a bare JPEG, as its frame says (ITU-T T.81, annex B.2.2)."""
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF and data[at + 1] != _SOS:
        if data[at + 1] in _FRAMES:
            return int.from_bytes(data[at + 7 : at + 9]), int.from_bytes(data[at + 5 : at + 7])
        at += 2 + int.from_bytes(data[at + 2 : at + 4])
    return None


def _scan_end(data: bytes, at: int) -> int:
    """Where the entropy-coded data ends: at the next 0xFF that is neither stuffed nor a restart."""
    while True:
        at = data.index(0xFF, at)
        if data[at + 1] != 0 and not 0xD0 <= data[at + 1] <= 0xD7:
            return at
        at += 2


_WALKS: Final[Mapping[str, Callable[[bytes], bool]]] = MappingProxyType(
    {"image/jpeg": _jpeg_is_bare, "image/png": _png_is_bare}
)
