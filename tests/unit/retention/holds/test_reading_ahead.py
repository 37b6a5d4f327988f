"""Whoever raises the fence reads what stands soon afterwards, so that the next order need not."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest

from direct311.retention.holds.adapters import MongoHolds
from direct311.retention.holds.domain import ProvisionalHold
from direct311.runtime.errors import TransientError
from tests.support.runtime import NOW, SetClock

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Fence:
    """The one document of the fence, in memory."""

    value = 0

    async def find_one(self, *_: Any) -> dict[str, Any]:
        return {"value": self.value}

    async def find_one_and_update(self, *_: Any, **__: Any) -> dict[str, Any]:
        self.value += 1
        return {"value": self.value}


class NoDocuments:
    """A collection without holds."""

    async def _nothing(self) -> AsyncIterator[dict[str, Any]]:
        none: tuple[dict[str, Any], ...] = ()
        for each in none:
            yield each

    def find(self, *_: Any) -> AsyncIterator[dict[str, Any]]:
        return self._nothing()


class Cases:
    """The provisional holds of no case. `reads`: how often they were read; `away`: the database
    does not answer."""

    reads = 0
    away = False

    async def standing(self) -> Sequence[ProvisionalHold]:
        self.reads += 1
        if self.away:
            raise TransientError("no database")
        return ()


def holds(cases: Cases) -> MongoHolds:
    store = SimpleNamespace(records=SimpleNamespace(collection=NoDocuments()))
    database = {"fence": Fence()}
    return MongoHolds(cast(Any, store), cast(Any, database), cases, SetClock(NOW))


async def soon() -> None:
    await asyncio.sleep(3 * MongoHolds.SOON_SECONDS)


async def test_the_next_order_finds_it_read() -> None:
    cases = Cases()
    found = holds(cases)
    value = await found.raise_fence()
    assert cases.reads == 0
    await soon()
    assert cases.reads == 1
    assert (await found.standing_now()).fence == value
    assert cases.reads == 1


async def test_an_order_that_comes_before_reads_for_itself() -> None:
    cases = Cases()
    found = holds(cases)
    value = await found.raise_fence()
    assert (await found.standing_now()).fence == value
    await soon()
    assert cases.reads == 1


async def test_many_who_raise_it_together_are_one_read() -> None:
    cases = Cases()
    found = holds(cases)
    await asyncio.gather(*(found.raise_fence() for _ in range(50)))
    await soon()
    assert cases.reads == 1
    await found.raise_fence()
    await soon()
    assert cases.reads == 2


async def test_a_read_that_fails_is_left_to_the_next_order() -> None:
    cases = Cases()
    found = holds(cases)
    cases.away = True
    value = await found.raise_fence()
    await soon()
    cases.away = False
    assert (await found.standing_now()).fence == value
    assert cases.reads == 2
    await found.raise_fence()
    await soon()
    assert cases.reads == 3
