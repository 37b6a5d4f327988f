"""The gateway's rate while records of a case are collected, rendered, packaged and searched for
leaks beside it, against its rate without that."""

import asyncio
import contextlib
import itertools
import statistics
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.load.cases.collecting import build, collect, collections, prepared
from tests.load.cases.desk import Desk
from tests.load.generators import Burst
from tests.support.county import County

RECORDS = 200
WORKERS = 20
"""So many take turns: one person opens 3,000 records an hour at most."""
REST_SECONDS = 1.0
"""Between two bursts."""


@dataclass(slots=True)
class Work:
    """What was done for the case meanwhile: records rendered, and packages built and searched."""

    rendered: int = 0
    packages: int = 0


@dataclass(slots=True)
class Turns:
    """Bursts a turn: a bare handler, the gateway, and the gateway beside the work. `quiet`: what
    the work is in as many seconds without a burst."""

    floor: list[Burst] = field(default_factory=list)
    alone: list[Burst] = field(default_factory=list)
    beside: list[Burst] = field(default_factory=list)
    work: Work = field(default_factory=Work)
    quiet: Work = field(default_factory=Work)

    @property
    def ratios(self) -> list[float]:
        """The rate beside the work, as a part of the gateway's own, turn by turn."""
        pairs = zip(self.beside, self.alone, strict=True)
        return [ours.per_second / own.per_second for ours, own in pairs]

    @property
    def ratio(self) -> float:
        """That of the middle turn."""
        return statistics.median(self.ratios)


async def beside(
    county: County,
    turns: int,
    seconds: int,
    floor: Callable[[], Burst],
    gateway: Callable[[], Burst],
    told: Callable[[str], object] = lambda _: None,
) -> Turns:
    """In each turn, three bursts: of the floor, and of the gateway without and with the work. Which
    of these two comes first changes from turn to turn."""
    desk, people = await prepared(county, RECORDS, told, workers=WORKERS)
    await collect(desk)
    await build(desk)
    found = Turns()
    async with _working(desk, people, found.quiet):
        await asyncio.sleep(seconds)

    async def alone() -> None:
        found.alone.append(await asyncio.to_thread(gateway))

    async def with_work() -> None:
        async with _working(desk, people, found.work):
            await asyncio.sleep(REST_SECONDS)
            found.beside.append(await asyncio.to_thread(gateway))

    for number in range(turns):
        found.floor.append(await asyncio.to_thread(floor))
        for burst in (alone, with_work) if number % 2 else (with_work, alone):
            await asyncio.sleep(REST_SECONDS)
            await burst()
    await desk.close()
    return found


@asynccontextmanager
async def _working(desk: Desk, people: Sequence[str], done: Work) -> AsyncIterator[None]:
    """Collects all records again and again, and builds the package again and again, for the
    duration of the block. The decisions stay the same, so neither changes the case."""

    async def collecting() -> None:
        for worker in itertools.cycle(people):
            async for asked in collections(desk, worker, again=True):
                done.rendered += asked

    async def building() -> None:
        while True:
            await build(desk)
            done.packages += 1

    tasks = [asyncio.create_task(collecting()), asyncio.create_task(building())]
    try:
        yield
        for task in tasks:
            if task.done():
                # It never ends by itself.
                task.result()
    finally:
        for task in tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
