"""Long loops give way, and consumers gather."""

import asyncio
import time

import pytest

from direct311.runtime.messaging.broker import EAGER, PATIENT, PROMPT, Pace
from direct311.runtime.pacing import paced

pytestmark = pytest.mark.anyio


async def test_who_waits_is_served_between_two_items() -> None:
    served: list[int] = []
    done: list[int] = []

    async def waiting() -> None:
        while len(done) < 20:
            served.append(len(done))
            await asyncio.sleep(0)

    other = asyncio.create_task(waiting())
    async for item in paced(range(20)):
        time.sleep(0.002)  # noqa: ASYNC251 - work that does not wait
        done.append(item)
    await other
    assert done == list(range(20))
    assert len(set(served)) >= 19


async def test_quick_items_do_not_give_way() -> None:
    turns = 0

    async def counting() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    other = asyncio.create_task(counting())
    started = time.perf_counter()
    assert [item async for item in paced(range(1000))] == list(range(1000))
    milliseconds = (time.perf_counter() - started) * 1000
    other.cancel()
    assert turns <= milliseconds + 1


@pytest.mark.parametrize(
    ("pace", "count", "took", "late", "pause"),
    [
        (PROMPT, 1, 0.001, 0.0, 0.02),
        (PROMPT, 500, 0.05, 0.0, 0.02),
        (PROMPT, 499, 0.05, 0.02, 0.02),
        (PROMPT, 500, 0.05, 0.02, 0.15),
        (PROMPT, 500, 10.0, 0.02, 1.0),
        (PATIENT, 1, 0.001, 0.0, 0.4),
        (PATIENT, 2_000, 3.0, 0.02, 5.0),
        (EAGER, 1_000, 0.2, 0.02, 0.02),
        (Pace(records=50), 50, 0.1, 0.02, 0.3),
    ],
)
def test_a_consumer_lingers_and_stays_away_if_it_is_behind_and_the_processor_is_busy(
    pace: Pace, count: int, took: float, late: float, pause: float
) -> None:
    assert pace.pause(count, took, late) == pytest.approx(pause)
