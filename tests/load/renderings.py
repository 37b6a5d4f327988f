"""How long rendering a file of a disclosure case takes, in a confined worker as media runs it."""

import asyncio
import time
from dataclasses import dataclass

from direct311.media.decisions import Box
from direct311.media.review.adapters.renderers import RendererProcesses
from direct311.media.review.domain import PDF
from tests.support import pdfs, pictures

PAGES = 100
MOST_SECONDS = 60
"""For a PDF of that many pages."""
TWELVE_MEGAPIXELS = (4_000, 3_000)


@dataclass(frozen=True)
class Rendering:
    """`size`: of the rendering, in bytes."""

    what: str
    seconds: float
    size: int


def renderings() -> list[Rendering]:
    """A PDF with a box on each page, and a camera's picture with one."""
    boxes = [
        Box(page=page, left=0.1, top=0.1, right=0.4, bottom=0.13, code="protected_person")
        for page in range(1, PAGES + 1)
    ]
    photo = pictures.jpeg(image=pictures.scene(*TWELVE_MEGAPIXELS))

    async def measured() -> list[Rendering]:
        renderer = RendererProcesses(processes=1)
        found = []
        try:
            # The first one starts the worker.
            await renderer.look(pdfs.plain(), PDF)
            for what, data, content_type, given in (
                (f"PDF of {PAGES} full pages", pdfs.letter(PAGES), PDF, boxes),
                ("picture of 12 megapixels", photo, "image/jpeg", boxes[:1]),
            ):
                started = time.perf_counter()
                burnt = await renderer.burn(data, content_type, given)
                found.append(Rendering(what, time.perf_counter() - started, len(burnt.data)))
        finally:
            await renderer.aclose()
        return found

    return asyncio.run(measured())
