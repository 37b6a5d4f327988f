"""Who lives says so again and again, in memory and in the database; who is silent is found."""

from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta

import pytest

from direct311.runtime.messaging.relay import Presence
from direct311.runtime.storage.database import MongoPresence
from tests.support.memory import InMemoryPresence
from tests.support.runtime import NOW, database_of_its_own

pytestmark = [pytest.mark.wire, pytest.mark.anyio]

LENGTH = timedelta(seconds=5)
INSTANT = timedelta(milliseconds=1)
Presences = Callable[[str], Presence]
"""The presence of a writer."""


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=["memory", "database"])
async def presences(request: pytest.FixtureRequest) -> AsyncIterator[Presences]:
    if request.param == "memory":
        until: dict[str, datetime] = {}
        yield lambda writer: InMemoryPresence(until, writer, LENGTH)
        return
    async with database_of_its_own(request.getfixturevalue("servers")) as database:
        other = MongoPresence(database["relays"], "others", "silent", LENGTH)
        await other.confirm(NOW - timedelta(days=1))
        yield lambda writer: MongoPresence(database["relays"], "records", writer, LENGTH)


async def test_who_is_silent_is_gone_when_its_time_is_over(presences: Presences) -> None:
    one, other = presences("one"), presences("other")
    await one.confirm(NOW)
    await other.confirm(NOW + LENGTH)
    assert await other.gone(NOW + LENGTH) == []
    assert await other.gone(NOW + LENGTH + INSTANT) == ["one"]


async def test_who_says_so_often_is_never_gone(presences: Presences) -> None:
    one, other = presences("one"), presences("other")
    for tenth in range(31):
        now = NOW + tenth * LENGTH / 10
        await one.confirm(now)
        assert await other.gone(now + LENGTH / 2) == []


async def test_who_is_forgotten_or_has_left_is_not_named_again(presences: Presences) -> None:
    one, two, other = presences("one"), presences("two"), presences("other")
    await one.confirm(NOW)
    await two.confirm(NOW)
    await two.leave()
    late = NOW + 2 * LENGTH
    assert await other.gone(late) == ["one"]
    await other.forget("one")
    assert await other.gone(late) == []


async def test_who_was_forgotten_by_mistake_comes_back(presences: Presences) -> None:
    one, other = presences("one"), presences("other")
    await one.confirm(NOW)
    await other.forget("one")
    await one.confirm(NOW + LENGTH)
    assert await other.gone(NOW + 2 * LENGTH + INSTANT) == ["one"]
