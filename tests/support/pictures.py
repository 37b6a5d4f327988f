"""Pictures made for the tests, each with canaries wherever its format has room for text."""

import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pillow_heif
from PIL import Image, ImageCms, PngImagePlugin
from PIL.TiffImagePlugin import IFDRational

CANARY = "Canary-Zaida-Quintero-7865550142"
LATITUDE = (IFDRational(25), IFDRational(46), IFDRational(67957, 2500))
LATITUDE_BYTES = ((67957).to_bytes(4), (67957).to_bytes(4, "little"))


def spellings(text: str = CANARY) -> list[bytes]:
    """The byte forms in which a canary is searched for."""
    return [text.encode(), text.encode("utf-16-le"), text.encode("utf-16-be")]


def scene(width: int = 320, height: int = 200, mode: str = "RGB") -> Image.Image:
    """Many colors, with red at the upper left."""
    image = Image.merge(
        "RGB",
        (
            Image.linear_gradient("L").rotate(180).resize((width, height)),
            Image.linear_gradient("L").resize((width, height)),
            Image.radial_gradient("L").resize((width, height)),
        ),
    )
    image.paste((255, 0, 0), (0, 0, width // 4, height // 4))
    return image.convert(mode)


def exif(orientation: int = 1) -> bytes:
    """EXIF with name, comment (UTF-16) and a position of 25°46'27.18" N."""
    tags = Image.Exif()
    tags[0x0112] = orientation
    tags[0x010E] = CANARY
    tags[0x013B] = CANARY
    tags[0x9C9C] = CANARY.encode("utf-16-le")
    tags.get_ifd(0x8769)[0x9286] = b"UNICODE\0" + CANARY.encode("utf-16-be")
    gps = tags.get_ifd(0x8825)
    gps[1], gps[2] = "N", LATITUDE
    gps[3], gps[4] = "W", (IFDRational(80), IFDRational(11), IFDRational(314159, 10000))
    return tags.tobytes()


def xmp() -> bytes:
    return f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><r>{CANARY}</r></x:xmpmeta>'.encode()


def profile() -> bytes:
    """An sRGB profile whose description is the canary, in the text formats it has room for."""
    made = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    # Appended after the last tag, with the size in the header put right: a private tag's data.
    made += CANARY.encode()
    made[0:4] = len(made).to_bytes(4)
    return bytes(made)


def jpeg(orientation: int = 1, image: Image.Image | None = None) -> bytes:
    stream = BytesIO()
    (image or scene()).save(
        stream,
        "JPEG",
        quality=92,
        exif=exif(orientation),
        xmp=xmp(),
        comment=CANARY,
        icc_profile=profile(),
    )
    return stream.getvalue()


def jpeg_with_manifest_and_archive() -> bytes:
    """A JPEG with a C2PA box in APP11, IPTC in APP13 and a ZIP file's head after its end."""

    def segment(marker: int, body: bytes) -> bytes:
        return bytes((0xFF, marker)) + (len(body) + 2).to_bytes(2) + body

    plain = jpeg()
    words = CANARY.encode()
    extra = segment(0xEB, b"JP\0\1\0\0\0\1jumbc2pa" + words)
    extra += segment(0xED, b"Photoshop 3.0\x008BIM\x04\x04\0\0\0\0\0\x20" + words)
    return plain[:2] + extra + plain[2:] + b"PK\x03\x04" + words


def png(image: Image.Image | None = None) -> bytes:
    words = PngImagePlugin.PngInfo()
    words.add_text("Author", CANARY)
    words.add_itxt("Comment", CANARY)
    words.add(b"prVt", CANARY.encode())
    stream = BytesIO()
    (image or scene()).save(
        stream, "PNG", pnginfo=words, exif=exif(), icc_profile=profile(), dpi=(72, 72)
    )
    return stream.getvalue() + CANARY.encode()


def blank_png(width: int, height: int) -> bytes:
    """A black 8-bit RGBA picture: a few kilobytes, whatever its size."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return len(body).to_bytes(4) + name + body + zlib.crc32(name + body).to_bytes(4)

    head = width.to_bytes(4) + height.to_bytes(4) + b"\x08\x06\0\0\0"
    packer = zlib.compressobj(1)
    row = bytes(1 + 4 * width)
    rows = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def webp(orientation: int = 1) -> bytes:
    stream = BytesIO()
    scene().save(
        stream, "WEBP", exif=exif(orientation), xmp=xmp(), icc_profile=profile(), quality=92
    )
    return stream.getvalue()


def gif() -> bytes:
    second = scene().rotate(90)
    stream = BytesIO()
    scene().save(stream, "GIF", comment=CANARY.encode(), save_all=True, append_images=[second])
    return stream.getvalue()


def avif() -> bytes:
    stream = BytesIO()
    scene().save(stream, "AVIF", exif=exif(), xmp=xmp(), quality=92)
    return stream.getvalue()


def heic() -> bytes:
    stream = BytesIO()
    container = pillow_heif.from_pillow(scene())
    container.info["exif"] = exif()
    container.info["xmp"] = xmp()
    container.save(stream, quality=92)
    return stream.getvalue()


MAKERS: dict[str, Callable[[], bytes]] = {
    "jpeg": jpeg,
    "jpeg with manifest and archive": jpeg_with_manifest_and_archive,
    "png": png,
    "webp": webp,
    "gif": gif,
    "avif": avif,
    "heic": heic,
}


def real_samples(root: Path) -> list[Path]:
    """Photos from real cameras and phones, if they are next to the checkout."""
    endings = {".jpg", ".jpeg", ".heic", ".heif", ".avif", ".png", ".webp", ".gif"}
    return sorted(path for path in (root / "media").glob("*") if path.suffix in endings)
