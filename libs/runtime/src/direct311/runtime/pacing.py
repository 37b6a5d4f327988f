"""Long loops give way: callers waiting for an answer are served between two items, not after the
last."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from typing import TypeVar

T = TypeVar("T")

TURN_SECONDS = 0.001


async def paced(items: Iterable[T]) -> AsyncIterator[T]:
    """The items, with a turn of the event loop for others after each millisecond of work."""
    until = time.perf_counter() + TURN_SECONDS
    for item in items:
        yield item
        if time.perf_counter() > until:
            await asyncio.sleep(0)
            until = time.perf_counter() + TURN_SECONDS
