"""A lease is held by one process at a time, in memory and in the database."""

from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta

import anyio
import pytest

from direct311.runtime.messaging.relay import Lease
from direct311.runtime.storage.database import MongoLease
from tests.support.memory import InMemoryLease
from tests.support.runtime import NOW, database_of_its_own

pytestmark = [pytest.mark.wire, pytest.mark.anyio]

LENGTH = timedelta(seconds=5)
INSTANT = timedelta(milliseconds=1)
Leases = Callable[[str, str], Lease]
"""The lease of a name (first) for a holder (second)."""


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=["memory", "database"])
async def leases(request: pytest.FixtureRequest) -> AsyncIterator[Leases]:
    if request.param == "memory":
        held: dict[str, tuple[str, datetime]] = {}
        yield lambda name, holder: InMemoryLease(held, name, holder, LENGTH)
        return
    async with database_of_its_own(request.getfixturevalue("servers")) as database:
        yield lambda name, holder: MongoLease(database["leases"], name, holder, LENGTH)


async def test_one_holds_it_and_the_other_does_not(leases: Leases) -> None:
    one, other = leases("relay", "a"), leases("relay", "b")
    assert await one.hold(NOW)
    assert not await other.hold(NOW)
    assert not await other.hold(NOW + LENGTH)


async def test_it_runs_out_unless_it_is_renewed(leases: Leases) -> None:
    one, other = leases("relay", "a"), leases("relay", "b")
    assert await one.hold(NOW)
    assert await one.hold(NOW + LENGTH)
    assert not await other.hold(NOW + LENGTH + INSTANT)
    assert await other.hold(NOW + LENGTH + LENGTH + INSTANT)
    assert not await one.hold(NOW + LENGTH + LENGTH + INSTANT)


async def test_it_is_renewed_before_it_runs_out(leases: Leases) -> None:
    one, other = leases("relay", "a"), leases("relay", "b")
    assert await one.hold(NOW)
    # Asked often, as loops do: at any time it is ours for half of its length yet.
    for tenth in range(1, 31):
        now = NOW + tenth * LENGTH / 10
        assert await one.hold(now)
        assert not await other.hold(now + LENGTH / 2)


async def test_who_asks_no_more_loses_it(leases: Leases) -> None:
    one, other = leases("relay", "a"), leases("relay", "b")
    assert await one.hold(NOW)
    assert await one.hold(NOW + LENGTH / 4)
    assert await other.hold(NOW + LENGTH / 4 + LENGTH + INSTANT)
    assert not await one.hold(NOW + LENGTH / 4 + LENGTH + INSTANT)


async def test_it_can_be_given_back_by_its_holder_alone(leases: Leases) -> None:
    one, other = leases("relay", "a"), leases("relay", "b")
    assert await one.hold(NOW)
    await other.release()
    assert not await other.hold(NOW)
    await one.release()
    assert await other.hold(NOW)


async def test_leases_of_other_names_do_not_matter(leases: Leases) -> None:
    assert await leases("relay", "a").hold(NOW)
    assert await leases("destroy", "b").hold(NOW)


async def test_of_many_who_ask_at_once_one_gets_it(leases: Leases) -> None:
    got = []

    async def ask(holder: str) -> None:
        if await leases("relay", holder).hold(NOW):
            got.append(holder)

    async with anyio.create_task_group() as group:
        for number in range(20):
            group.start_soon(ask, f"holder-{number}")
    assert len(got) == 1
