"""Jobs that run every so often, on one copy of a service at a time."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest

from direct311.runtime.loops import Loop
from tests.support.memory import InMemoryLease
from tests.support.runtime import SetClock, until

pytestmark = pytest.mark.anyio

SOON = timedelta(milliseconds=5)


class Job:
    def __init__(self) -> None:
        self.turns = 0
        self.error: Exception | None = None

    async def step(self) -> None:
        self.turns += 1
        if self.error is not None:
            raise self.error


@contextlib.asynccontextmanager
async def running(loop: Loop) -> AsyncIterator[None]:
    task = asyncio.create_task(loop.run())
    yield
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def test_a_job_runs_again_and_again_whatever_it_raises() -> None:
    job = Job()
    job.error = ValueError("Maria")
    loop = Loop("job", SOON, job.step, None, SetClock())
    async with running(loop):
        await until(lambda: job.turns > 3, "it runs on")
        assert loop.last_error == "ValueError"
        job.error = None
        await until(lambda: loop.last_error is None, "it works again")


async def test_a_job_that_is_woken_does_not_wait_for_its_turn() -> None:
    job = Job()
    loop = Loop("job", timedelta(hours=1), job.step, None, SetClock())
    async with running(loop):
        await until(lambda: job.turns == 1, "it runs at once")
        loop.wake()
        await until(lambda: job.turns == 2, "it runs when woken")


async def test_of_two_copies_one_runs_the_job_until_it_gives_it_back() -> None:
    held: dict[str, tuple[str, datetime]] = {}
    clock = SetClock()
    one, other = Job(), Job()
    loops = [
        Loop("job", SOON, job.step, InMemoryLease(held, "job", name), clock)
        for name, job in (("one", one), ("other", other))
    ]
    async with running(loops[0]):
        await until(lambda: one.turns > 3, "the first runs")
        async with running(loops[1]):
            before = one.turns
            await until(lambda: one.turns > before + 3, "the first runs on")
            assert other.turns == 0
    async with running(loops[1]):
        await loops[0].give_back()
        await until(lambda: other.turns > 3, "the second takes over at once")
