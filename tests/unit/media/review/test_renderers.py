"""Rendering happens in another process, within limits, and its answer is taken apart again."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from direct311.media import workers
from direct311.media.decisions import Box
from direct311.media.ports import UncleanCopyError
from direct311.media.review.adapters.renderers import RendererProcesses
from direct311.media.review.adapters.rendering import RenderLimits, burn, look, page
from direct311.media.review.domain import PDF, Look
from direct311.media.review.ports import RendererBusyError, UnrenderableError
from tests.support import pdfs, pictures

pytestmark = pytest.mark.anyio
LIMITS = RenderLimits()
BOX = Box(left=0.1, top=0.1, right=0.3, bottom=0.2, code="protected_person")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@asynccontextmanager
async def rendering(
    *, limits: RenderLimits = LIMITS, patience: float = 60.0
) -> AsyncIterator[RendererProcesses]:
    renderer = RendererProcesses(processes=1, limits=limits, patience=patience)
    try:
        yield renderer
    finally:
        await renderer.aclose()


def _workers() -> list[int]:
    """Process ids of our children that render."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            line = (entry / "cmdline").read_bytes()
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            continue
        if b"render_worker" in line and parent == os.getpid():
            found.append(int(entry.name))
    return found


@pytest.mark.parametrize(
    ("data", "content_type"), [(pdfs.plain(2), PDF), (pictures.jpeg(), "image/jpeg")]
)
async def test_a_worker_answers_the_same(data: bytes, content_type: str) -> None:
    async with rendering() as renderer:
        assert await renderer.look(data, content_type) == look(data, content_type, LIMITS)
        assert await renderer.page(data, content_type, 1) == page(data, content_type, 1, LIMITS)
        burnt = await renderer.burn(data, content_type, [BOX])
        assert burnt == burn(data, content_type, [BOX], LIMITS)


async def test_a_worker_says_why_it_cannot_and_lives_on() -> None:
    async with rendering() as renderer:
        assert await renderer.look(pdfs.locked(), PDF) == Look(unrenderable="encrypted")
        before = _workers()
        with pytest.raises(UnrenderableError, match="no_such_page"):
            await renderer.page(pdfs.plain(), PDF, 2)
        assert _workers() == before
    assert _workers() == []


async def test_what_uses_up_the_processor_is_timed_out_and_the_next_file_is_rendered() -> None:
    async with rendering(limits=RenderLimits(cpu_seconds=1)) as renderer:
        with pytest.raises(UnrenderableError, match="timed_out"):
            await renderer.burn(pdfs.thousandfold(), PDF, [BOX])
        assert (await renderer.look(pdfs.plain(), PDF)).unrenderable is None


async def test_a_file_over_which_two_workers_die_is_unreadable() -> None:
    async with rendering() as renderer:
        task = asyncio.create_task(renderer.look(pdfs.plain(), PDF))
        dead: set[int] = set()
        async with asyncio.timeout(30):
            while not task.done():
                for worker in set(_workers()) - dead:
                    os.kill(worker, signal.SIGKILL)
                    dead.add(worker)
                await asyncio.sleep(0)
        assert len(dead) == 2
        assert await task == Look(unrenderable="unreadable")


async def test_a_slow_machine_is_not_the_files_fault() -> None:
    async with rendering(patience=0.001) as renderer:
        with pytest.raises(RendererBusyError):
            await renderer.look(pdfs.plain(), PDF)
        assert _workers() == []


async def test_a_worker_knows_nothing_of_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDIA_STORE_SECRET_KEY", "canary-secret")
    async with rendering() as renderer:
        await renderer.look(pdfs.plain(), PDF)
        (worker,) = _workers()
        facts = Path(f"/proc/{worker}")
        assert b"canary-secret" not in (facts / "environ").read_bytes()
        limits = (facts / "limits").read_bytes()
        assert b"Max file size             0                    0" in limits
        assert b"Max core file size        0                    0" in limits
        assert b"NoNewPrivs:\t1" in (facts / "status").read_bytes()


@pytest.mark.parametrize("body", [b"", pdfs.plain(), pictures.jpeg(), pictures.png(), b"<html>"])
@pytest.mark.parametrize("content_type", [PDF, "image/jpeg", "image/png", "text/html"])
async def test_what_a_worker_calls_a_rendering_is_taken_apart_again(
    monkeypatch: pytest.MonkeyPatch, content_type: str, body: bytes
) -> None:
    async def taken_over(worker: object, request: bytes) -> tuple[dict[str, Any], bytes]:
        return {"content_type": content_type, "size": len(body)}, body

    monkeypatch.setattr(workers, "_exchange", taken_over)
    async with rendering() as renderer:
        with pytest.raises(UncleanCopyError):
            await renderer.burn(pdfs.plain(), PDF, [BOX])
        with pytest.raises(UncleanCopyError):
            await renderer.page(pdfs.plain(), PDF, 1)
        assert _workers() == []


async def test_a_reason_that_is_none_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    async def taken_over(worker: object, request: bytes) -> tuple[dict[str, Any], bytes]:
        return {"unrenderable": "Wurzelgruber", "size": 0}, b""

    monkeypatch.setattr(workers, "_exchange", taken_over)
    async with rendering() as renderer:
        with pytest.raises(UncleanCopyError):
            await renderer.look(pdfs.plain(), PDF)
        assert _workers() == []
