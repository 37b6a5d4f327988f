"""Decoding happens in another process, within limits, and never stops the loop."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from direct311.media import workers
from direct311.media.pictures import Limits
from direct311.media.ports import UncleanCopyError
from direct311.media.record import RejectionReason
from direct311.media.uploads.adapters.picture_worker import WorkerLimits
from direct311.media.uploads.adapters.pictures import examine
from direct311.media.uploads.adapters.workers import CleanerProcesses
from direct311.media.uploads.domain import Accepted, Rejected
from direct311.media.uploads.ports import CleanerBusyError
from tests.support import pictures

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@asynccontextmanager
async def cleaning(
    *, processes: int = 2, limits: WorkerLimits | None = None, patience: float = 60.0
) -> AsyncIterator[CleanerProcesses]:
    cleaner = CleanerProcesses(processes=processes, limits=limits, patience=patience)
    try:
        yield cleaner
    finally:
        await cleaner.aclose()


def _workers() -> list[int]:
    """Process ids of our children that decode pictures."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            line = (entry / "cmdline").read_bytes()
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            continue
        if b"picture_worker" in line and parent == os.getpid():
            found.append(int(entry.name))
    return found


def _facts(process: int, name: str) -> bytes:
    return Path(f"/proc/{process}/{name}").read_bytes()


@pytest.mark.parametrize("name", pictures.MAKERS)
async def test_a_worker_reaches_the_same_verdict(name: str) -> None:
    data = pictures.MAKERS[name]()
    async with cleaning() as cleaner:
        assert await cleaner.clean(data, "") == examine(data, "", Limits())


async def test_a_worker_passes_on_refusals_and_files_without_a_copy() -> None:
    async with cleaning() as cleaner:
        assert await cleaner.clean(b"", "") == Rejected(reason=RejectionReason.EMPTY)
        assert await cleaner.clean(b"%PDF-1.7\n", "") == Accepted(content_type="application/pdf")


async def test_many_files_share_few_workers_and_all_end() -> None:
    data = pictures.jpeg()
    async with cleaning(processes=2) as cleaner:
        verdicts = await asyncio.gather(*(cleaner.clean(data, "image/jpeg") for _ in range(12)))
        assert all(isinstance(verdict, Accepted) for verdict in verdicts)
        assert 1 <= len(_workers()) <= 2
    assert _workers() == []


async def test_the_loop_goes_on_while_a_picture_is_decoded() -> None:
    large = pictures.jpeg(image=pictures.scene(6000, 4000))
    async with cleaning() as cleaner:
        await cleaner.clean(pictures.jpeg(), "")
        task = asyncio.create_task(cleaner.clean(large, ""))
        longest, turns = 0.0, 0
        started = time.perf_counter()
        while not task.done():
            before = time.perf_counter()
            await asyncio.sleep(0)
            longest, turns = max(longest, time.perf_counter() - before), turns + 1
        assert isinstance(await task, Accepted)
        assert turns > 10
        # Decoding on the loop would be one turn that lasts as long as all of it.
        assert longest < max(0.5, (time.perf_counter() - started) / 2)


async def test_a_killed_worker_is_replaced_and_the_file_tried_again() -> None:
    data = pictures.jpeg()
    async with cleaning(processes=1) as cleaner:
        await cleaner.clean(data, "")
        (worker,) = _workers()
        os.kill(worker, signal.SIGKILL)
        assert isinstance(await cleaner.clean(data, ""), Accepted)
        assert _workers() != [worker]


async def test_a_file_over_which_two_workers_die_is_damaged() -> None:
    async with cleaning(processes=1) as cleaner:
        task = asyncio.create_task(cleaner.clean(pictures.jpeg(), ""))
        dead: set[int] = set()
        async with asyncio.timeout(30):
            while not task.done():
                for worker in set(_workers()) - dead:
                    os.kill(worker, signal.SIGKILL)
                    dead.add(worker)
                await asyncio.sleep(0)
        assert len(dead) == 2
        assert await task == Rejected(reason=RejectionReason.DAMAGED)


async def test_memory_has_a_limit() -> None:
    # 64 million grey pixels need 64 MB; the libraries alone have about 200.
    limits = WorkerLimits(memory=256 * 1024**2)
    async with cleaning(processes=1, limits=limits) as cleaner:
        large = pictures.jpeg(image=pictures.scene(9_000, 8_000, "L"))
        assert isinstance(await cleaner.clean(large, ""), Accepted)
        verdict = await cleaner.clean(pictures.blank_png(8_000, 8_000), "")
        assert verdict == Rejected(reason=RejectionReason.BOMB)
        assert isinstance(await cleaner.clean(pictures.jpeg(), ""), Accepted)


async def test_a_slow_machine_is_not_the_files_fault() -> None:
    async with cleaning(processes=1, patience=0.001) as cleaner:
        with pytest.raises(CleanerBusyError):
            await cleaner.clean(pictures.jpeg(), "")
        assert _workers() == []


async def test_a_worker_knows_nothing_of_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDIA_STORE_SECRET_KEY", "canary-secret")
    async with cleaning(processes=1) as cleaner:
        await cleaner.clean(pictures.jpeg(), "")
        (worker,) = _workers()
        assert b"canary-secret" not in _facts(worker, "environ")
        assert b"Max file size             0                    0" in _facts(worker, "limits")
        assert b"NoNewPrivs:\t1" in _facts(worker, "status")


@pytest.mark.parametrize("body", [b"", b"<html>", pictures.jpeg(), pictures.png(), pictures.gif()])
@pytest.mark.parametrize("content_type", ["image/jpeg", "image/png", "text/html"])
async def test_what_a_worker_calls_clean_is_taken_apart_again(
    monkeypatch: pytest.MonkeyPatch, content_type: str, body: bytes
) -> None:
    async def taken_over(worker: object, request: bytes) -> tuple[dict[str, Any], bytes]:
        copy = {"content_type": content_type, "width": 1, "height": 1}
        return {"content_type": "image/jpeg", "copy": copy, "size": len(body)}, body

    monkeypatch.setattr(workers, "_exchange", taken_over)
    async with cleaning(processes=1) as cleaner:
        with pytest.raises(UncleanCopyError):
            await cleaner.clean(pictures.jpeg(), "")
        assert _workers() == []
