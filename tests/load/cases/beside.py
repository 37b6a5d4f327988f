"""The gateway's rate while records of a case are collected, rendered, packaged and searched for
leaks beside it, against its rate without that."""

import asyncio
import contextlib
import itertools
import statistics
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
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


RENDERED, SEARCHED = "/rendering", "/leaks"
"""How the routes end by which intake renders a record, and tells what to look for in a package."""


@dataclass(slots=True)
class Work:
    """What intake did for the case meanwhile: records that it rendered, and questions for what to
    look for in a package that it answered."""

    rendered: int = 0
    searched: int = 0

    def more(self, before: Mapping[str, int], after: Mapping[str, int]) -> None:
        """Add what was counted between two looks at intake's metrics."""
        self.rendered += after[RENDERED] - before[RENDERED]
        self.searched += after[SEARCHED] - before[SEARCHED]


Processor = Mapping[str, float]
"""Seconds of processor time by process."""


@dataclass(slots=True)
class Turns:
    """Bursts a turn: a bare handler, the gateway, and the gateway beside the work. `quiet`: what
    the work is in as many seconds without a burst. `used_alone`, `used_beside`: what the processes
    used during all bursts of the gateway."""

    floor: list[Burst] = field(default_factory=list)
    alone: list[Burst] = field(default_factory=list)
    beside: list[Burst] = field(default_factory=list)
    work: Work = field(default_factory=Work)
    quiet: Work = field(default_factory=Work)
    used_alone: dict[str, float] = field(default_factory=dict)
    used_beside: dict[str, float] = field(default_factory=dict)

    @property
    def ratios(self) -> list[float]:
        """The rate beside the work, as a part of the gateway's own, turn by turn."""
        pairs = zip(self.beside, self.alone, strict=True)
        return [ours.per_second / own.per_second for ours, own in pairs]

    @property
    def ratio(self) -> float:
        """That of the middle turn."""
        return statistics.median(self.ratios)

    @property
    def cost_of_the_work(self) -> Mapping[str, float]:
        """Processor milliseconds by process that the bursts beside the work used for each accepted
        request, beyond what the bursts without it did."""
        with_it, without = _requests(self.beside), _requests(self.alone)
        return {
            name: (self.used_beside[name] / with_it - self.used_alone[name] / without) * 1000
            for name in self.used_alone
        }


def _requests(bursts: Sequence[Burst]) -> float:
    """How many were accepted, in bursts of one second; all bursts are of the same length."""
    return sum(each.per_second for each in bursts)


async def beside(
    county: County,
    turns: int,
    seconds: int,
    floor: Callable[[], Burst],
    gateway: Callable[[], Burst],
    processor: Callable[[], Processor],
    told: Callable[[str], object] = lambda _: None,
) -> Turns:
    """In each turn, three bursts: of the floor, and of the gateway without and with the work. Which
    of these two comes first changes from turn to turn."""
    desk, people = await prepared(county, RECORDS, told, workers=WORKERS)
    await collect(desk)
    await build(desk)
    found = Turns()
    async with _working(desk, people):
        await asyncio.sleep(REST_SECONDS)
        before = await _counts(county)
        await asyncio.sleep(seconds)
        found.quiet.more(before, await _counts(county))

    async def measured(bursts: list[Burst], used: dict[str, float]) -> None:
        before = processor()
        bursts.append(await asyncio.to_thread(gateway))
        for name, after in processor().items():
            used[name] = used.get(name, 0.0) + after - before[name]

    async def alone() -> None:
        await measured(found.alone, found.used_alone)

    async def with_work() -> None:
        async with _working(desk, people):
            await asyncio.sleep(REST_SECONDS)
            before = await _counts(county)
            await measured(found.beside, found.used_beside)
            found.work.more(before, await _counts(county))

    for number in range(turns):
        found.floor.append(await asyncio.to_thread(floor))
        for burst in (alone, with_work) if number % 2 else (with_work, alone):
            await asyncio.sleep(REST_SECONDS)
            await burst()
    await desk.close()
    return found


async def _counts(county: County) -> Mapping[str, int]:
    """How many calls of these routes intake has answered."""
    url = f"{county.known.services['intake']}/metrics"
    return counted((await county.http.get(url)).text)


def counted(metrics: str) -> Mapping[str, int]:
    """The answers with 2xx by the end of the route, from the text of a service's metrics."""
    found = dict.fromkeys((RENDERED, SEARCHED), 0)
    for line in metrics.splitlines():
        for end in found:
            if line.startswith("direct311_http_seconds_count") and f'{end}"' in line:
                found[end] += int(float(line.rpartition(" ")[2])) * ('"2xx"' in line)
    return found


@asynccontextmanager
async def _working(desk: Desk, people: Sequence[str]) -> AsyncIterator[None]:
    """Collects all records again and again, and builds the package again and again, for the
    duration of the block. The decisions stay the same, so neither changes the case."""

    async def collecting() -> None:
        for worker in itertools.cycle(people):
            async for _ in collections(desk, worker, again=True):
                pass

    async def building() -> None:
        while True:
            await build(desk)

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
