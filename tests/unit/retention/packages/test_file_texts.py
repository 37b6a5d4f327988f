"""The tags of pictures and recordings are searched, whatever wrote them."""

import io
import struct
import wave
import zlib

import pytest
from PIL import Image, PngImagePlugin

from direct311.retention.packages.leaks import NOT_EXTRACTABLE
from direct311.runtime.extraction.tags import TooLongTagError, texts_in
from tests.support.submissions import photo
from tests.unit.retention.packages.test_package_leaks import NAME, found, zipped_of

WORDS = "Zora Neale"


def png(**tags: str) -> bytes:
    info = PngImagePlugin.PngInfo()
    info.add_text("Author", tags.get("plain", ""))
    if "packed" in tags:
        info.add_text("Author", tags["packed"], zip=True)
    if "unicode" in tags:
        info.add_itxt("Author", tags["unicode"], zip=True)
    made = io.BytesIO()
    Image.new("RGB", (8, 8)).save(made, "PNG", pnginfo=info)
    return made.getvalue()


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def id3(encoding: int, text: bytes) -> bytes:
    frame = b"TPE1" + struct.pack(">I", len(text) + 1) + b"\0\0" + bytes([encoding]) + text
    size = len(frame)
    syncsafe = bytes([size >> 21 & 127, size >> 14 & 127, size >> 7 & 127, size & 127])
    return b"ID3\x03\x00\x00" + syncsafe + frame + b"\xff\xfb\x90\x00" + bytes(400)


def wav(artist: str) -> bytes:
    made = io.BytesIO()
    with wave.open(made, "wb") as sound:
        sound.setparams((1, 2, 8_000, 0, "NONE", ""))
        sound.writeframes(bytes(800))
    tag = b"INFOIART" + struct.pack("<I", len(artist) + 1) + artist.encode() + b"\0"
    return made.getvalue() + b"LIST" + struct.pack("<I", len(tag)) + tag


def box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body) + 8) + kind + body


FTYP = box(b"ftyp", b"isom\0\0\2\0isomiso2")
FILES = {
    "exif.jpg": photo(WORDS, (25, 46, 1), (80, 12, 1)),
    "plain.png": png(plain=WORDS),
    "packed.png": png(packed=WORDS * 20),
    "unicode.png": png(unicode=WORDS * 20),
    "comment.gif": b"GIF89a" + bytes(7) + b"!\xfe\x0aZora Neale\0;",
    "latin.mp3": id3(0, WORDS.encode("latin-1")),
    "utf16.mp3": id3(1, b"\xff\xfe" + WORDS.encode("utf-16-le")),
    "big.mp3": id3(2, WORDS.encode("utf-16-be")),
    "info.wav": wav(WORDS),
    "atoms.mp4": FTYP
    + box(b"moov", box(b"\xa9ART", box(b"data", b"\0\0\0\1\0\0\0\0" + WORDS.encode()))),
    "after.mp4": FTYP + box(b"mdat", bytes(99)) + box(b"udta", WORDS.encode()),
    "broken.mp4": FTYP + b"\xff\xff\xff\xffmdat" + WORDS.encode(),
    "behind.jpg": photo("x", (1, 1, 1), (1, 1, 1)) + WORDS.encode(),
    "broken.jpg": b"\xff\xd8\xff\xe0\0\1" + WORDS.encode(),
}


@pytest.mark.parametrize("name", FILES)
def test_a_name_in_the_tags_of_a_file_stops_the_package(name: str) -> None:
    entry = f"data/media/r-1/{name}"
    hits = found(zipped_of({entry: FILES[name]}), NAME)
    assert {(each.record_id, each.entry, each.kind) for each in hits} == {("r-1", entry, "name")}


def test_a_file_without_tags_is_clean() -> None:
    made = io.BytesIO()
    Image.effect_noise((300, 300), 90).convert("RGB").save(made, "JPEG")
    assert not found(zipped_of({"data/media/r-1/a.jpg": made.getvalue()}), NAME)


def test_a_tag_that_unpacks_to_too_much_or_not_at_all_stops_the_package() -> None:
    bomb = zlib.compress(bytes(20 * 1024 * 1024))
    for body in (b"Author\0\0" + bomb, b"Author\0\0no zlib at all"):
        broken = png()[:-12] + chunk(b"zTXt", body)
        with pytest.raises(TooLongTagError):
            list(texts_in(broken))
        (hit,) = found(zipped_of({"data/media/r-1/a.png": broken}), NAME)
        assert hit.kind == NOT_EXTRACTABLE


def test_a_kind_of_file_that_nobody_can_search_stops_the_package() -> None:
    for name in ("a.doc", "a.rtf", "a.bin"):
        (hit,) = found(zipped_of({f"data/media/r-1/{name}": b"\xd0\xcf\x11\xe0"}), NAME)
        assert (hit.entry, hit.kind) == (f"data/media/r-1/{name}", NOT_EXTRACTABLE)
