"""What residents send about themselves where nobody looks: each text, each tag of a file and each
hidden place of a document is a canary of its own.

All of it is withheld by the people who review it, so nothing of it may be in a package.
"""

import subprocess
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from itertools import cycle, islice
from pathlib import Path
from typing import Final

import pillow_heif
from PIL import Image, PngImagePlugin

from tests.support import pdfs, pictures
from tests.support.canaries import Canary
from tests.support.county import File

_STARTS: Final = "Bar Cel Dor Fen Gul Hax Jor Kel Lum Mov Nib Ori Pax Quo Rud Syl Tov Urn Wex Zim"
_MIDDLES: Final = "abro equi ilda ompa ustra ybel anto erik ondu ifra"
_ENDS: Final = "stein quist barra loff mire denko wold zetti nakka prost"


def word(number: int) -> str:
    """A name that nobody has; never the same for two numbers."""
    starts, middles, ends = _STARTS.split(), _MIDDLES.split(), _ENDS.split()
    rest, start = divmod(number, len(starts))
    rest, middle = divmod(rest, len(middles))
    more, end = divmod(rest, len(ends))
    return f"{starts[start]}{middles[middle]}{ends[end]}-{number:05}{'x' * more}"


@dataclass
class Planted:
    """Canaries as they are made: `place` says what each stands in."""

    canaries: list[Canary] = field(default_factory=list)
    first: int = 0

    def __call__(self, place: str) -> str:
        number = self.first + len(self.canaries)
        self.canaries.append(Canary(f"{place} {number}", word(number)))
        return self.canaries[-1].text

    def telephone(self) -> str:
        number = self.first + len(self.canaries)
        digits = f"305555{number % 10_000:04}"
        text = f"{digits[:3]}-{digits[3:6]}-{digits[6:]}"
        self.canaries.append(Canary(f"telephone {number}", text, (digits,)))
        return text


Place = Callable[[str], str]


def reporter(plant: Planted) -> dict[str, str]:
    """Who sent it, and what they wrote of themselves and others."""
    said = f"{plant('text')} of {plant('text')} Terrace told {plant('text')}, call me."
    return {
        "first_name": plant("first name"),
        "last_name": plant("last name"),
        "email": f"{plant('e-mail')}@canary.example",
        "phone": plant.telephone(),
        "description": f"A boat blocks the canal. {said}",
    }


# ---------------------------------------------------------------- files


def document(plant: Place) -> bytes:
    """A PDF with a canary in each place that the format has, and one in an earlier revision."""
    made = pdfs.Pdf()
    for place, put in pdfs.PLACES.items():
        put(made, plant(f"PDF, {place}"))
    made.page(pdfs.text(plant("PDF, earlier revision")))
    first = made.bytes()
    content = pdfs.text("a page")
    body = b"<</Length %d>>stream\n%s\nendstream" % (len(content), content)
    prev = int(first.rpartition(b"startxref\n")[2].split()[0])
    return pdfs.written(first, {made.pages[-1] - 1: body}, prev=prev)


def _exif(plant: Place) -> bytes:
    tags = Image.Exif()
    tags[0x010E] = plant("EXIF, description")
    tags[0x013B] = plant("EXIF, artist")
    tags[0x8298] = plant("EXIF, copyright")
    tags[0x9C9C] = plant("EXIF, comment").encode("utf-16-le")
    tags.get_ifd(0x8769)[0x9286] = b"ASCII\0\0\0" + plant("EXIF, user comment").encode()
    gps = tags.get_ifd(0x8825)
    gps[1], gps[2] = "N", pictures.LATITUDE
    gps[0x1D] = plant("EXIF, day of the position")
    return tags.tobytes()


def _xmp(plant: Place) -> bytes:
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description xmlns:dc="http://purl.org/dc/elements/1.1/" dc:format="x">'
        f"<dc:source>{plant('XMP')}</dc:source></rdf:Description></rdf:RDF></x:xmpmeta>"
    ).encode()


def jpeg(plant: Place) -> bytes:
    stream = BytesIO()
    pictures.scene().save(
        stream, "JPEG", exif=_exif(plant), xmp=_xmp(plant), comment=plant("JPEG, comment")
    )
    made, end = stream.getvalue(), plant("JPEG, after its end").encode()
    body = b"Photoshop 3.0\x008BIM\x04\x04\0\0\0\0\0\x20" + plant("JPEG, IPTC").encode()
    segment = b"\xff\xed" + (len(body) + 2).to_bytes(2) + body
    return made[:2] + segment + made[2:] + end


def png(plant: Place) -> bytes:
    words = PngImagePlugin.PngInfo()
    words.add_text("Author", plant("PNG, author"))
    words.add_itxt("Comment", plant("PNG, comment"))
    words.add_text("Title", plant("PNG, packed title"), zip=True)
    words.add(b"prVt", plant("PNG, private part").encode())
    stream = BytesIO()
    pictures.scene().save(stream, "PNG", pnginfo=words, exif=_exif(plant))
    return stream.getvalue() + plant("PNG, after its end").encode()


def webp(plant: Place) -> bytes:
    stream = BytesIO()
    pictures.scene().save(stream, "WEBP", exif=_exif(plant), xmp=_xmp(plant))
    return stream.getvalue()


def heic(plant: Place) -> bytes:
    stream = BytesIO()
    container = pillow_heif.from_pillow(pictures.scene())
    container.info["exif"], container.info["xmp"] = _exif(plant), _xmp(plant)
    container.save(stream, quality=80)
    return stream.getvalue()


SOUNDS: Final[Mapping[str, str]] = {
    "mp3": "audio/mpeg",
    "flac": "audio/flac",
    "ogg": "audio/ogg",
    "m4a": "audio/mp4",
    "mp4": "video/mp4",
}
"""Endings and types of what has tags and is withheld whole."""


def sound(plant: Place, ending: str) -> bytes:
    """A tenth of a second of silence (a film, for `mp4`), with tags."""
    tags = {name: plant(f"{ending}, {name}") for name in ("title", "artist", "comment", "album")}
    picture = ("-f", "lavfi", "-i", "color=black:s=64x64:d=0.1") if ending == "mp4" else ()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"made.{ending}"
        command: Sequence[str | Path] = (
            *("ffmpeg", "-v", "error", "-f", "lavfi", "-i", "anullsrc=r=44100:cl=mono"),
            *(*picture, "-t", "0.1"),
            *(word for name, text in tags.items() for word in ("-metadata", f"{name}={text}")),
            file,
        )
        subprocess.run(command, check=True)
        return file.read_bytes()


def archive(plant: Place) -> bytes:
    """A text document of an office, which is an archive."""
    space = "http://schemas.openxmlformats.org"
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{space}/package/2006/content-types">'
        '<Override PartName="/word/document.xml" ContentType="application/vnd.openxmlformats-'
        'officedocument.wordprocessingml.document.main+xml"/></Types>',
        "word/document.xml": f'<w:document xmlns:w="{space}/wordprocessingml/2006/main"><w:body>'
        f"<w:p><w:r><w:t>{plant('office, text')}</w:t></w:r></w:p></w:body></w:document>",
        "docProps/core.xml": f"<creator>{plant('office, author')}</creator>",
        f"word/media/{plant('office, name of a part')}.txt": plant("office, part"),
    }
    stream = BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as made:
        for name, text in parts.items():
            made.writestr(name, text)
    return stream.getvalue()


DOCX: Final = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


def files(plant: Place) -> Iterator[list[File]]:
    """The files of one record after the other: two PDFs and three pictures, of which a part is
    withheld, and a sound or a film and an archive, which are withheld whole."""
    makers = {"png": png, "webp": webp, "heic": heic}
    for other, ending in zip(cycle(makers), cycle(SOUNDS), strict=False):
        yield [
            (f"{plant('name of a file')}.pdf", document(plant), pdf_type()),
            ("b.pdf", document(plant), pdf_type()),
            ("c.jpg", jpeg(plant), "image/jpeg"),
            ("d.jpg", jpeg(plant), "image/jpeg"),
            (f"e.{other}", makers[other](plant), f"image/{other}"),
            (f"f.{ending}", sound(plant, ending), SOUNDS[ending]),
            ("g.docx", archive(plant), DOCX),
        ]


def pdf_type() -> str:
    return "application/pdf"


def records(plant: Planted, count: int) -> list[tuple[dict[str, str], list[File]]]:
    """So many records: what their reporters say, and their files."""
    return [(reporter(plant), each) for each in islice(files(plant), count)]
