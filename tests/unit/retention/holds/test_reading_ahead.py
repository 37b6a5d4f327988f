"""Whoever raises the fence reads what stands soon afterwards, so that the next order need not."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Set
from types import SimpleNamespace
from typing import Any, cast

import pytest

from direct311.retention.holds.adapters import MongoHolds
from direct311.retention.holds.domain import ProvisionalHold, Raiser
from direct311.runtime.errors import TransientError
from tests.support.runtime import NOW, SetClock

CASE: Raiser = ("case", "c1")

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Fence:
    """The one document of the fence, in memory."""

    def __init__(self) -> None:
        self.document: dict[str, Any] = {"value": 0}

    async def find_one(self, *_: Any) -> dict[str, Any]:
        return dict(self.document)

    async def find_one_and_update(
        self, _: object, update: dict[str, Any], **__: Any
    ) -> dict[str, Any]:
        pushed = update["$push"]["recent"]
        recent = [*self.document.get("recent", ()), *pushed["$each"]][pushed["$slice"] :]
        counted = {name: self.document.get(name, 0) + by for name, by in update["$inc"].items()}
        self.document = {**counted, "recent": recent}
        return dict(self.document)


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

    async def standing(self) -> Mapping[str, ProvisionalHold]:
        self.reads += 1
        if self.away:
            raise TransientError("no database")
        return {}

    async def standing_of(self, case_ids: Set[str]) -> Mapping[str, ProvisionalHold]:
        return await self.standing()


def holds(cases: Cases) -> MongoHolds:
    store = SimpleNamespace(records=SimpleNamespace(collection=NoDocuments()))
    database = {"fence": Fence()}
    return MongoHolds(cast(Any, store), cast(Any, database), cases, SetClock(NOW))


async def soon() -> None:
    await asyncio.sleep(3 * MongoHolds.SOON_SECONDS)


async def test_the_next_order_finds_it_read() -> None:
    cases = Cases()
    found = holds(cases)
    value = await found.raise_fence(CASE)
    assert cases.reads == 0
    await soon()
    assert cases.reads == 1
    assert (await found.standing_now()).fence == value
    assert cases.reads == 1


async def test_an_order_that_comes_before_reads_for_itself() -> None:
    cases = Cases()
    found = holds(cases)
    value = await found.raise_fence(CASE)
    assert (await found.standing_now()).fence == value
    await soon()
    assert cases.reads == 1


async def test_many_who_raise_it_together_are_one_read() -> None:
    cases = Cases()
    found = holds(cases)
    await asyncio.gather(*(found.raise_fence(CASE) for _ in range(50)))
    await soon()
    assert cases.reads == 1
    await found.raise_fence(CASE)
    await soon()
    assert cases.reads == 2


async def test_a_read_that_fails_is_left_to_the_next_order() -> None:
    cases = Cases()
    found = holds(cases)
    cases.away = True
    value = await found.raise_fence(CASE)
    await soon()
    cases.away = False
    assert (await found.standing_now()).fence == value
    assert cases.reads == 2
    await found.raise_fence(CASE)
    await soon()
    assert cases.reads == 3
