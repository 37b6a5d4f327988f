"""What a picture says beside what it shows: who took it, what they wrote about it, and where.

Names of cameras, lenses and programs are no secrets of one picture and are left out.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from direct311.media.review.adapters.rendering import GPS, container
from direct311.runtime.extraction.pdf_notes import Note, xmp_notes

LONGEST: Final = 10_000
"""In characters; a longer tag is not read."""

# Exif 3.0 and TIFF 6.0; those from 0x9C9B on are Windows' own, in UTF-16.
_AUTHORS: Final = (0x013B, 0xA430, 0x9C9D)
_TEXTS: Final = (0x010E, 0x8298, 0x9286, 0xA431, 0x9C9B, 0x9C9C, 0x9C9E, 0x9C9F)
_WINDOWS: Final = 0x9C9B
_USER_COMMENT: Final = 0x9286
_EXIF: Final = 0x8769
_PNG_AUTHORS: Final = ("Author", "Artist")
_PNG_TEXTS: Final = ("Title", "Description", "Comment", "Copyright", "Source", "comment")
_XMP: Final = ("xmp", "XML:com.adobe.xmp")
_DIGITS: Final = (5, 6)
"""After the point of a degree: about a meter, and less."""


def exif_notes(data: bytes, content_type: str) -> Iterator[Note]:
    """What somebody wrote into the picture. One whose tags are broken says nothing."""
    try:
        with container(data, content_type) as picture:
            exif = picture.getexif()
            tags = {**dict(exif), **dict(exif.get_ifd(_EXIF))}
            info = dict(picture.info)
    except Exception:
        # The decoders' errors have no common type.
        return
    for kind, wanted in (("author", _AUTHORS), ("text", _TEXTS)):
        for tag in wanted:
            if text := _text(tag, tags.get(tag)):
                yield Note("author" if kind == "author" else "text", text)
    for names in (_PNG_AUTHORS, _PNG_TEXTS):
        for name in names:
            if text := _text(0, info.get(name)):
                yield Note("author" if names is _PNG_AUTHORS else "text", text)
    for name in _XMP:
        packet = info.get(name)
        if packet is not None:
            yield from xmp_notes(packet if isinstance(packet, bytes) else str(packet).encode())


def position_in(data: bytes, content_type: str) -> Iterator[str]:
    """Where the picture was taken, in the ways in which people write it."""
    try:
        with container(data, content_type) as picture:
            gps: Mapping[int, Any] = picture.getexif().get_ifd(GPS)
            north = _degrees(gps[2]) * (-1 if gps[1] == "S" else 1)
            east = _degrees(gps[4]) * (-1 if gps[3] == "W" else 1)
    except Exception:
        # As above; also a position of which a part is missing.
        return
    for digits in _DIGITS:
        yield f"{north:.{digits}f}, {east:.{digits}f}"
    yield f"{_sexagesimal(north)}{'S' if north < 0 else 'N'} {_sexagesimal(east)}" + (
        "W" if east < 0 else "E"
    )


def _degrees(parts: Any) -> float:
    degrees, minutes, seconds = map(float, parts)
    return degrees + minutes / 60 + seconds / 3600


def _sexagesimal(degrees: float) -> str:
    seconds = round(abs(degrees) * 36_000)
    return f"{seconds // 36_000} {seconds // 600 % 60:02d} {seconds % 600 / 10:04.1f}"


def _text(tag: int, value: Any) -> str | None:
    if isinstance(value, bytes) and _WINDOWS <= tag <= _WINDOWS + 4:
        value = value.decode("utf-16-le", "replace")
    elif isinstance(value, bytes) and tag == _USER_COMMENT:
        coding, value = value[:8], value[8:]
        wide = coding.startswith(b"UNICODE")
        value = value.decode("utf-16" if wide else "utf-8", "replace")
    elif isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if not isinstance(value, str):
        return None
    text = value.replace("\0", " ").strip()
    return text if 0 < len(text) <= LONGEST else None
