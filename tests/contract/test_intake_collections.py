"""Intake's small collections, the fakes and the real database: codes, upload tickets, counts of
apps, and sessions that were ended."""

from collections.abc import AsyncIterator, Callable
from datetime import timedelta

import anyio
import pytest

from deploy.local.stack import Stack
from direct311.intake.clients.adapters.app_counts import MongoAppCounts
from direct311.intake.reporter.adapters.codes import (
    GOOD_FOR,
    MOST_ASKED,
    MOST_TRIES,
    WINDOW,
    MongoCodes,
)
from direct311.intake.reporter.ports import WaitingCode
from direct311.intake.staff.adapters import MongoEndedSessions
from direct311.intake.uploads.adapters.tickets import MongoUploadTickets
from direct311.intake.uploads.domain import UploadTicket
from direct311.intake.uploads.ports import UploadTickets
from direct311.runtime.http.staff import EndedSessions
from direct311.runtime.storage.database import Database
from tests.support.intake_stores import InMemoryCodes, InMemoryEndedSessions, InMemoryTickets
from tests.support.runtime import NOW, SetClock, database_of_its_own

pytestmark = pytest.mark.anyio

SECOND = timedelta(seconds=1)


@pytest.fixture
async def database(servers: Stack) -> AsyncIterator[Database]:
    async with database_of_its_own(servers) as database:
        yield database


AnyCodes = InMemoryCodes | MongoCodes
BOTH = ["memory", pytest.param("database", marks=pytest.mark.wire)]


@pytest.fixture
async def stored_codes(database: Database) -> MongoCodes:
    codes = MongoCodes(database["codes"])
    await codes.prepare()
    return codes


@pytest.fixture(params=BOTH)
def codes(request: pytest.FixtureRequest) -> AnyCodes:
    if request.param == "memory":
        return InMemoryCodes()
    stored: MongoCodes = request.getfixturevalue("stored_codes")
    return stored


@pytest.fixture
async def stored_tickets(database: Database) -> MongoUploadTickets:
    tickets = MongoUploadTickets(database["upload_tickets"])
    await tickets.prepare()
    return tickets


@pytest.fixture(params=BOTH)
def tickets(request: pytest.FixtureRequest) -> UploadTickets:
    if request.param == "memory":
        return InMemoryTickets()
    stored: MongoUploadTickets = request.getfixturevalue("stored_tickets")
    return stored


@pytest.fixture(params=BOTH)
def ended(request: pytest.FixtureRequest) -> Callable[[], EndedSessions]:
    """The sessions that were ended, as another copy of the service sees them."""
    if request.param == "memory":
        kept = InMemoryEndedSessions()
        return lambda: kept
    database: Database = request.getfixturevalue("database")
    return lambda: MongoEndedSessions(database["ended_sessions"])


# ---------------------------------------------------------------- sessions of staff


async def test_a_session_that_was_ended_is_ended_for_every_copy(
    ended: Callable[[], EndedSessions],
) -> None:
    one, other = ended(), ended()
    assert not await other.has("s-1")
    for _ in range(2):
        await one.add("s-1", NOW + SECOND)
    assert await other.has("s-1")
    assert not await other.has("s-2")


@pytest.mark.wire
async def test_a_session_that_was_ended_is_ended_for_every_copy_until_its_time(
    database: Database,
) -> None:
    one, other = (MongoEndedSessions(database["ended_sessions"]) for _ in range(2))
    await one.prepare()
    await one.add("s-1", NOW + SECOND)
    await other.forget(NOW)
    assert await one.has("s-1")
    await other.forget(NOW + 2 * SECOND)
    assert not await one.has("s-1")


# ---------------------------------------------------------------- codes


async def test_a_code_is_good_for_five_tries_ten_minutes_and_one_use(
    codes: AnyCodes,
) -> None:
    assert await codes.ask("r", NOW, "n-1", "en") is None
    for _ in range(MOST_TRIES):
        assert await codes.attempt("r", NOW) == "n-1"
    assert await codes.attempt("r", NOW) is None
    await codes.ask("r", NOW, "n-2", "en")
    assert await codes.attempt("r", NOW + GOOD_FOR) is None
    assert await codes.attempt("r", NOW + GOOD_FOR - SECOND) == "n-2"
    assert not await codes.use("r", "n-1")
    uses: list[bool] = []

    async def use() -> None:
        uses.append(await codes.use("r", "n-2"))

    async with anyio.create_task_group() as group:
        for _ in range(5):
            group.start_soon(use)
    assert sorted(uses) == [False] * 4 + [True]
    assert await codes.attempt("r", NOW) is None
    assert await codes.attempt("never", NOW) is None


async def test_a_wrong_question_counts_and_takes_nothing_from_a_code(
    codes: AnyCodes,
) -> None:
    await codes.ask("r", NOW, "n-1", "en")
    for _ in range(MOST_ASKED - 1):
        assert await codes.ask("r", NOW, None, "en") is None
    assert await codes.ask("r", NOW, "n-2", "en") == NOW + WINDOW
    assert await codes.ask("r", NOW, None, "en") == NOW + WINDOW
    assert await codes.attempt("r", NOW) == "n-1"
    assert await codes.ask("other", NOW, None, "en") is None
    assert await codes.ask("r", NOW + WINDOW, "n-3", "en") is None
    assert await codes.attempt("r", NOW + WINDOW) == "n-3"


async def test_a_message_waits_is_tried_by_one_and_is_there_after_a_crash(
    codes: AnyCodes,
) -> None:
    await codes.ask("r", NOW, None, "en")
    assert await codes.due(NOW, 10) == []
    await codes.ask("r", NOW, "n-1", "ht")
    (code,) = await codes.due(NOW, 10)
    assert (code.record_id, code.nonce, code.language, code.tries) == ("r", "n-1", "ht", 0)
    assert await codes.trying(code, NOW + SECOND)
    assert not await codes.trying(code, NOW + SECOND)
    assert await codes.due(NOW, 10) == []
    (again,) = await codes.due(NOW + SECOND, 10)
    assert again.tries == 1
    await codes.ask("r", NOW, "n-2", "en")
    await codes.sent(again)
    (newer,) = await codes.due(NOW, 10)
    assert newer.nonce == "n-2"
    await codes.sent(newer)
    assert await codes.due(NOW + WINDOW, 10) == []
    assert await codes.attempt("r", NOW) == "n-2"


async def test_codes_go_with_their_record(codes: AnyCodes) -> None:
    await codes.ask("r-1", NOW, "n", "en")
    await codes.ask("r-2", NOW, "n", "en")
    await codes.forget("r-1")
    assert await codes.attempt("r-1", NOW) is None
    assert await codes.due(NOW, 10) == [WaitingCode("r-2", "n", "en", NOW, NOW + GOOD_FOR, 0)]
    assert await codes.attempt("r-2", NOW) == "n"


@pytest.mark.wire
async def test_codes_go_with_their_record_and_with_time(stored_codes: MongoCodes) -> None:
    codes = stored_codes
    await codes.ask("r-1", NOW, "n", "en")
    await codes.ask("r-2", NOW, "n", "en")
    await codes.forget("r-1")
    assert await codes.attempt("r-1", NOW) is None
    await codes.forget_old(NOW)
    assert await codes.attempt("r-2", NOW) == "n"
    await codes.forget_old(NOW + SECOND)
    assert await codes.attempt("r-2", NOW) is None


# ---------------------------------------------------------------- upload tickets


def ticket(upload_id: str) -> UploadTicket:
    return UploadTicket(
        upload_id=upload_id,
        client_id="app",
        content_type="image/png",
        size=3,
        expires_at=NOW + timedelta(minutes=10),
        usable_until=NOW + timedelta(hours=20),
    )


async def test_a_ticket_is_claimed_by_one_and_given_back_by_the_same(
    tickets: UploadTickets,
) -> None:
    await tickets.keep([ticket("u-1"), ticket("u-2")])
    assert await tickets.get(["u-1", "none"]) == {"u-1": ticket("u-1")}
    assert not await tickets.claim("none", "a", "r-1", NOW)
    won: list[str] = []

    async def claim(name: str) -> None:
        if await tickets.claim("u-1", name, f"r-{name}", NOW):
            won.append(name)

    async with anyio.create_task_group() as group:
        for name in "abcde":
            group.start_soon(claim, name)
    (winner,) = won
    assert await tickets.claim("u-1", winner, "r-again", NOW)
    found = (await tickets.get(["u-1"]))["u-1"]
    assert (found.claim, found.record_id, found.claimed_at) == (winner, "r-again", NOW)
    await tickets.release(["u-1", "u-2"], "nobody")
    assert not await tickets.claim("u-1", "nobody", "r", NOW)
    await tickets.release(["u-1"], winner)
    assert await tickets.get(["u-1"]) == {"u-1": ticket("u-1")}


@pytest.mark.wire
async def test_a_ticket_goes_once_it_cannot_be_used(stored_tickets: MongoUploadTickets) -> None:
    tickets = stored_tickets
    await tickets.keep([ticket("u-1"), ticket("u-2")])
    await tickets.forget(NOW + timedelta(hours=20))
    assert len(await tickets.get(["u-1", "u-2"])) == 2
    await tickets.forget(NOW + timedelta(hours=21))
    assert await tickets.get(["u-1", "u-2"]) == {}


# ---------------------------------------------------------------- counts of apps


@pytest.mark.wire
@pytest.mark.policy("P6")
async def test_counts_of_two_copies_add_up_and_no_two_values_are_together(
    database: Database,
) -> None:
    clock = SetClock()
    copies = [MongoAppCounts(database["app_counts"], clock) for _ in range(2)]
    await copies[0].prepare()
    for copy in copies:
        for _ in range(3):
            copy.add("app", {"device": "phone", "browser": "firefox 131"})
        await copy.write()
        await copy.write()
    clock.at += timedelta(days=1)
    copies[0].add("app", {"device": "phone"})
    await copies[0].write()
    today = NOW.date()
    found = await copies[1].between(today, today)
    assert [(each.field, each.value, each.submissions) for each in found] == [
        ("browser", "firefox 131", 6),
        ("device", "phone", 6),
    ]
    assert len(await copies[1].between(today, today + timedelta(days=1))) == 3
    documents = [each async for each in database["app_counts"].find({})]
    for document in documents:
        assert not ("phone" in repr(document) and "firefox" in repr(document))
