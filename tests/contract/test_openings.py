"""What audit remembers of emergency staff's openings, in memory and in the database."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from direct311.audit.monitoring.adapters.mongo_watch import MongoOpenings
from direct311.audit.monitoring.domain.openings import Unexplained
from direct311.audit.monitoring.ports import Openings
from tests.support.openings import InMemoryOpenings
from tests.support.runtime import NOW, database_of_its_own

pytestmark = [pytest.mark.wire, pytest.mark.anyio]

SECOND = timedelta(seconds=1)


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=["memory", "database"])
async def openings(request: pytest.FixtureRequest) -> AsyncIterator[Openings]:
    if request.param == "memory":
        yield InMemoryOpenings()
        return
    async with database_of_its_own(request.getfixturevalue("servers")) as database:
        found = MongoOpenings(database)
        await found.prepare()
        yield found


def opening(case_id: str, event_id: str = "event", seconds: int = 0) -> Unexplained:
    return Unexplained(case_id=case_id, event_id=event_id, at=NOW + seconds * SECOND)


async def test_what_nobody_explains_is_late_and_the_first_opening_counts(
    openings: Openings,
) -> None:
    await openings.keep([])
    await openings.keep([opening("one", "first"), opening("two", seconds=-1), opening("three")])
    await openings.keep([opening("one", "second", seconds=5)])
    await openings.explain([])
    await openings.explain(["three", "unknown"])
    assert await openings.late(NOW) == [opening("two", seconds=-1)]
    late = await openings.late(NOW + SECOND)
    assert list(late) == [opening("two", seconds=-1), opening("one", "first")]
    # What was explained stays so, also if it is opened again.
    await openings.keep([opening("three", "again")])
    assert len(await openings.late(NOW + SECOND)) == 2
