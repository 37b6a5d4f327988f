"""Before the first entry, and while none is taken."""

from datetime import timedelta

import pytest

from direct311.audit.log.handlers.begin import LostHeadError, begin
from direct311.audit.log.handlers.waiting import LONGEST_WAIT, Waiting
from direct311.audit.log.ports.inbox import InboxBatch
from tests.support.runtime import SetClock
from tests.unit.audit.events import START
from tests.unit.audit.fakes import InMemoryInbox, InMemoryObjects

pytestmark = pytest.mark.anyio


class Database:
    """Has a head, or none."""

    def __init__(self) -> None:
        self.begun = 0

    async def exists(self) -> bool:
        return self.begun > 0

    async def begin(self) -> None:
        self.begun += 1


async def test_a_log_is_begun_once() -> None:
    database = Database()
    for _ in range(2):
        await begin(database, InMemoryObjects())
    assert database.begun == 1


async def test_no_second_log_is_begun_over_the_files_of_the_first() -> None:
    database, objects = Database(), InMemoryObjects()
    await objects.put_new("tile/0/000", b"hashes", "application/octet-stream", START)
    with pytest.raises(LostHeadError):
        await begin(database, objects)
    assert database.begun == 0


async def test_events_that_wait_for_over_a_minute_are_told() -> None:
    inbox, clock = InMemoryInbox(), SetClock(START)
    waiting = Waiting(inbox, clock)
    assert (await waiting.age(), await waiting.problem()) == (timedelta(), None)
    await inbox.put([InboxBatch("1", START, (), {})])
    clock.at = START + LONGEST_WAIT
    assert (await waiting.age(), await waiting.problem()) == (LONGEST_WAIT, None)
    clock.at += timedelta(seconds=1)
    assert await waiting.problem() is not None
