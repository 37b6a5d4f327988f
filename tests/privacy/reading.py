"""What programs get out of files that none of this project's services uses: poppler, exiftool,
ffprobe and pypdf."""

import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from pypdf.errors import PyPdfError

from deploy.local.bootstrap import Tool
from tests.support import pdfs


def _present(program: str) -> Callable[[], bool]:
    return lambda: shutil.which(program) is not None


TOOLS: Final = tuple(
    Tool(program, _present(program), package, f"apt-get install -y {package}")
    for program, package in (
        ("pdftotext", "poppler-utils"),
        ("exiftool", "libimage-exiftool-perl"),
        ("ffprobe", "ffmpeg"),
    )
)


def _said(*command: str | Path) -> bytes:
    """Everything that a program says about files. It may not know what they are."""
    done = subprocess.run([str(each) for each in command], capture_output=True, check=False)
    return done.stdout + done.stderr


def _of_pdf(file: Path) -> Iterator[tuple[str, bytes]]:
    yield "pdftotext", _said("pdftotext", "-layout", file, "-") + _said("pdftotext", file, "-")
    about = (("-meta",), ("-js",), ("-struct-text",), ("-custom",), ())
    yield "pdfinfo", b"".join(_said("pdfinfo", *each, file) for each in about)
    with tempfile.TemporaryDirectory() as folder:
        _said("pdfdetach", "-saveall", "-o", folder, file)
        detached = b"".join(_folder(Path(folder)))
    yield "pdfdetach", _said("pdfdetach", "-list", file) + detached
    with tempfile.TemporaryDirectory() as folder:
        _said("pdfimages", "-all", file, f"{folder}/picture")
        yield "pdfimages", b"".join(_folder(Path(folder)))
    yield "exiftool", _said("exiftool", "-PDF-update:all", file)
    try:
        yield "pypdf", pdfs.extracted(file.read_bytes())
    except (PyPdfError, ValueError, KeyError):
        yield "pypdf", b""


def _folder(folder: Path) -> Iterator[bytes]:
    for each in sorted(folder.rglob("*")):
        yield str(each.relative_to(folder)).encode()
        if each.is_file():
            yield each.read_bytes()


def read(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Each program that read something below the folder, and what it said. `bytes`: the files as
    they are, with their names and with what is in archives."""
    yield "exiftool", _said("exiftool", "-a", "-u", "-U", "-ee3", "-g1", "-r", folder)
    yield "bytes", b"\n".join(_folder(folder))
    for file in sorted(each for each in folder.rglob("*") if each.is_file()):
        head = file.read_bytes()[:8]
        if head.startswith(b"%PDF"):
            yield from _of_pdf(file)
        elif head.startswith(b"PK"):
            with zipfile.ZipFile(file) as archive:
                for name in archive.namelist():
                    yield "bytes", name.encode() + b"\n" + archive.read(name)
        elif not head.startswith((b"{", b"[")):
            about = ("-show_format", "-show_streams", "-show_chapters", "-show_packets")
            yield "ffprobe", _said("ffprobe", "-v", "verbose", *about, file)
