"""Programs that people read files with find nothing in a rendering but its pictures."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.local.bootstrap import Tool, install_tools
from direct311.media.decisions import Box
from direct311.media.review.adapters.rendering import RenderLimits, burn
from direct311.media.review.domain import PDF
from tests.support import pdfs, pictures

pytestmark = pytest.mark.wire

LIMITS = RenderLimits()
UPPER_HALF = Box(left=0, top=0, right=1, bottom=0.5, code="protected_person")


def _present(program: str) -> Callable[[], bool]:
    return lambda: shutil.which(program) is not None


TOOLS = tuple(
    Tool(program, _present(program), package, f"apt-get install -y {package}")
    for program, package in (
        ("pdftotext", "poppler-utils"),
        ("exiftool", "libimage-exiftool-perl"),
    )
)


@pytest.fixture(scope="module", autouse=True)
def _installed() -> None:
    if missing := install_tools(TOOLS):
        pytest.skip("; ".join(f"{each.name} is missing; run: {each.otherwise}" for each in missing))


def _said(*command: str | Path) -> bytes:
    """Everything that a program says about a file."""
    done = subprocess.run([str(each) for each in command], capture_output=True, check=True)
    return done.stdout + done.stderr


def _of_pdf(file: Path) -> bytes:
    commands = (
        ("pdftotext", "-layout", file, "-"),
        ("pdfinfo", "-meta", file),
        ("pdfinfo", "-js", file),
        ("pdfinfo", "-struct-text", file),
        ("pdfinfo", file),
        ("pdfdetach", "-list", file),
        ("exiftool", "-a", "-u", "-ee", "-g1", file),
        ("exiftool", "-PDF-update:all", file),
    )
    return b"".join(_said(*command) for command in commands)


@pytest.mark.parametrize("place", [*pdfs.PLACES, "earlier revision"])
def test_no_tool_finds_a_canary_in_a_rendered_pdf(place: str, tmp_path: Path) -> None:
    data = pdfs.updated() if place == "earlier revision" else pdfs.planted(place)
    rendered = tmp_path / "rendered.pdf"
    rendered.write_bytes(burn(data, PDF, [UPPER_HALF], LIMITS).data)
    said = _of_pdf(rendered)
    assert not any(spelling in said for spelling in pictures.spellings(pdfs.CANARY))
    assert b"Pages:" in said
    assert b"0 embedded files" in said
    assert _said("pdftotext", rendered, "-").strip() == b""


def test_the_tools_find_canaries_where_there_are_some(tmp_path: Path) -> None:
    found = set()
    for place in pdfs.PLACES:
        original = tmp_path / "original.pdf"
        original.write_bytes(pdfs.planted(place))
        if pdfs.CANARY.encode() in _of_pdf(original):
            found.add(place)
    assert {"text", "unseen text", "white text", "information", "attachment"} <= found


@pytest.mark.parametrize("name", pictures.MAKERS)
def test_no_tool_finds_a_canary_in_a_rendered_picture(name: str, tmp_path: Path) -> None:
    content_type = f"image/{name.partition(' ')[0]}"
    original, rendered = tmp_path / "original", tmp_path / "rendered"
    original.write_bytes(pictures.MAKERS[name]())
    rendered.write_bytes(burn(original.read_bytes(), content_type, [UPPER_HALF], LIMITS).data)
    assert pictures.CANARY.encode() in _said("exiftool", "-a", "-u", "-g1", original)
    said = _said("exiftool", "-a", "-u", "-ee", "-g1", rendered)
    assert pictures.CANARY.encode() not in said
    assert b"GPS" not in said
