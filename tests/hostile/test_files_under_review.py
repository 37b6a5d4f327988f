"""A resident's file attacks whoever reviews it: bombs, loops, 10,000 pages, locked, broken.

Each is withheld whole, or rendered, within the limits of a worker; the service never parses it.
"""

from collections.abc import AsyncIterator, Callable

import pytest

from direct311.media.decisions import Box
from direct311.media.review.adapters.image_pdf import require_image_pdf
from direct311.media.review.adapters.renderers import RendererProcesses
from direct311.media.review.adapters.rendering import RenderLimits
from direct311.media.review.domain import PDF, Burnt
from direct311.media.review.ports import UnrenderableError
from tests.support import pdfs, pictures

pytestmark = pytest.mark.anyio
BOX = Box(left=0, top=0, right=1, bottom=0.5, code="protected_person")
LIMITS = RenderLimits(cpu_seconds=3)


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def renderer(anyio_backend: str) -> AsyncIterator[RendererProcesses]:
    found = RendererProcesses(processes=1, limits=LIMITS)
    yield found
    await found.aclose()


WITHHELD: dict[str, tuple[Callable[[], bytes], str]] = {
    "locked": (pdfs.locked, "encrypted"),
    "cut off": (pdfs.cut_off, "unreadable"),
    "a page tree that is its own branch": (pdfs.page_tree_loop, "unreadable"),
    "10,000 pages": (lambda: pdfs.plain(pages=10_000), "too_many_pages"),
    "a count of 10,000 pages": (pdfs.said_pages, "too_many_pages"),
    "a page as large as a house": (pdfs.huge_page, "too_large"),
    "a hundred million drawings": (pdfs.thousandfold, "timed_out"),
    "nothing": (lambda: b"", "unreadable"),
    "a picture that says it is a PDF": (pictures.jpeg, "unreadable"),
    "noise": (lambda: b"%PDF-1.7\n" + bytes(range(256)) * 4_000, "unreadable"),
}


@pytest.mark.parametrize("name", WITHHELD)
async def test_it_is_withheld_whole(renderer: RendererProcesses, name: str) -> None:
    make, reason = WITHHELD[name]
    with pytest.raises(UnrenderableError) as raised:
        await renderer.burn(make(), PDF, [BOX])
    assert raised.value.reason == reason


MADE: dict[str, Callable[[], bytes]] = {
    "a form that draws itself": pdfs.drawing_itself,
    "a picture of 3.6 thousand million pixels": pdfs.picture_bomb,
    "a content of 200 megabytes": pdfs.packed_bomb,
}


@pytest.mark.parametrize("name", MADE)
async def test_it_is_rendered_or_withheld_whole(renderer: RendererProcesses, name: str) -> None:
    found: Burnt | str
    try:
        found = await renderer.burn(MADE[name](), PDF, [BOX])
    except UnrenderableError as error:
        found = error.reason
    if isinstance(found, Burnt):
        require_image_pdf(found.data)
    else:
        assert found in ("timed_out", "too_large", "unreadable")


@pytest.mark.parametrize("side", [14_000, 30_000])
async def test_a_picture_that_is_enormous_when_decoded_is_withheld_whole(
    renderer: RendererProcesses, side: int
) -> None:
    with pytest.raises(UnrenderableError, match="too_large"):
        await renderer.burn(pictures.blank_png(side, side // 2), "image/png", [BOX])


async def test_the_next_reviewer_is_served(renderer: RendererProcesses) -> None:
    assert (await renderer.look(pdfs.plain(), PDF)).unrenderable is None
