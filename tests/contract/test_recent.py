"""Contents of the last day: known at once in the copy that took them, soon in every other."""

import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

import pytest

from deploy.local.stack import Stack
from direct311.intake.submission.adapters.recent import RecentContents
from direct311.runtime.storage.database import Collection
from tests.support.runtime import SetClock, database_of_its_own

pytestmark = [pytest.mark.wire, pytest.mark.anyio]

DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


def content(name: str) -> str:
    return sha256(name.encode()).hexdigest()


def id_of(at: datetime) -> str:
    """As a record's id made at that time (RFC 9562, section 5.7)."""
    digits = f"{int(at.timestamp() * 1000):012x}"
    return f"{digits[:8]}-{digits[8:]}-7abc-8abc-{os.urandom(6).hex()}"


@dataclass
class Copies:
    clock: SetClock
    requests: Collection

    def copy(self) -> RecentContents:
        return RecentContents(self.requests, self.clock, DAY)

    async def received(self, name: str, at: datetime, made: datetime | None = None) -> str:
        record_id = id_of(made or at)
        await self.requests.insert_one(
            {"_id": record_id, "fingerprint": content(name), "received_at": at}
        )
        return record_id


@pytest.fixture
async def copies(servers: Stack) -> AsyncIterator[Copies]:
    async with database_of_its_own(servers) as database:
        yield Copies(SetClock(), database["requests"])


async def test_what_a_copy_took_it_knows_at_once_and_for_a_day(copies: Copies) -> None:
    recent, now = copies.copy(), copies.clock.at
    assert recent.first(content("a"), now - DAY) is None
    recent.note(content("a"), "first", now)
    recent.note(content("a"), "second", now + timedelta(minutes=1))
    assert recent.first(content("a"), now - DAY) == "first"
    copies.clock.at = now + DAY + timedelta(seconds=1)
    assert recent.first(content("a"), copies.clock.at - DAY) is None
    recent.note(content("a"), "third", copies.clock.at)
    assert recent.first(content("a"), copies.clock.at - DAY) == "third"


async def test_a_copy_that_starts_knows_the_day_and_no_more(copies: Copies) -> None:
    now = copies.clock.at
    await copies.received("old", now - DAY - timedelta(minutes=1))
    known = await copies.received("known", now - timedelta(hours=20))
    recent = copies.copy()
    await recent.refresh()
    assert recent.first(content("known"), now - DAY) == known
    assert recent.first(content("old"), now - DAY) is None


async def test_what_another_copy_took_is_known_after_the_next_look(copies: Copies) -> None:
    recent, now = copies.copy(), copies.clock.at
    await recent.refresh()
    # Its key had been made some seconds before.
    taken = await copies.received("theirs", now, made=now - timedelta(seconds=10))
    assert recent.first(content("theirs"), now - DAY) is None
    copies.clock.at = now + timedelta(seconds=5)
    await recent.refresh()
    assert recent.first(content("theirs"), now - DAY) == taken


async def test_what_is_over_is_forgotten_and_so_is_what_is_too_much(copies: Copies) -> None:
    recent, now = copies.copy(), copies.clock.at
    recent.note(content("over"), "over", now)
    copies.clock.at = now + DAY + timedelta(seconds=1)
    for number in range(5):
        recent.note(content(f"{number}"), f"{number}", copies.clock.at)
    recent.MOST = 3
    await recent.refresh()
    known = [name for name in ("over", "0", "1", "2", "3", "4") if _knows(recent, name, now)]
    assert known == ["2", "3", "4"]


def _knows(recent: RecentContents, name: str, since: datetime) -> bool:
    return recent.first(content(name), since) is not None
