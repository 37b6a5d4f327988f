"""What is found without an entry: every record that a search or a question names has one, at
whatever place it stands, or nothing is answered."""

from collections.abc import Mapping, Sequence
from typing import cast

import pytest

from direct311.intake.handlers.contact import Contact
from direct311.intake.ports import PersonIndexes, Requests
from direct311.runtime.access import Caller, Decision
from direct311.runtime.errors import RefusedError
from direct311.runtime.ledger import Access, AuditUnavailableError
from tests.hostile.test_refusals import World

pytestmark = pytest.mark.anyio
OLGA = Caller("olga", ("agent",), token_id="t-1")
REAL = ("r-real-1", "r-real-2")


class Stored:
    """Requests of one person."""

    def __init__(self, ids: Sequence[str]) -> None:
        self.ids = list(ids)

    async def with_index(self, field: str, values: Sequence[str], limit: int) -> Sequence[str]:
        return self.ids[:limit]

    async def indexes_of(
        self, record_ids: Sequence[str]
    ) -> Mapping[str, Mapping[str, Sequence[str]]]:
        return {each: {"phone": ("1",)} for each in record_ids if each in self.ids}


class Hashing:
    def person(self, field: str, value: str) -> tuple[str, ...]:
        return ("hashed",)

    def query(self, field: str, value: str) -> str:
        return "keyed"


def contact(world: World, ids: Sequence[str]) -> Contact:
    indexes = cast(PersonIndexes, Hashing())
    return Contact(cast(Requests, Stored(ids)), world.vault, indexes)


async def grouped(world: World, asked: Sequence[str], caller: Caller = OLGA) -> Sequence[str]:
    found = await contact(world, REAL).persons_of(
        caller,
        asked,
        purpose="respond",
        reference=None,
        justification=None,
        operation="POST /internal/persons/group",
    )
    return [each for person in found.persons for each in person]


async def resolved(world: World, count: int, caller: Caller = OLGA) -> Sequence[str]:
    return await contact(world, [f"r{number}" for number in range(count)]).records_of(
        caller,
        {"name": "Maria Garcia"},
        purpose="respond",
        reference=None,
        justification=None,
        operation="POST /internal/persons/resolve",
    )


def written(world: World) -> list[str]:
    return [each for event in world.log.events() for each in event.what.record_ids]


@pytest.mark.parametrize("dummies", [0, 1, 98, 99, 100, 101, 199, 200, 1_000, 10_050])
async def test_what_is_asked_behind_made_up_records_has_its_entry(dummies: int) -> None:
    world = World()
    asked = [*(f"dummy-{number}" for number in range(dummies)), *REAL]
    assert set(await grouped(world, asked)) == set(REAL)
    assert written(world) == asked
    events = world.log.events()
    assert all(len(event.what.record_ids) <= 100 for event in events)
    assert all(event.what.result_count == len(event.what.record_ids) for event in events)


@pytest.mark.parametrize("count", [1, 99, 100, 101, 103, 200, 201, 555, 1_000, 10_000])
async def test_a_search_names_all_that_it_found(count: int) -> None:
    world = World()
    found = await resolved(world, count)
    assert len(found) == count
    assert written(world) == list(found)
    events = world.log.events()
    assert sum(event.what.result_count or 0 for event in events) == count
    # One person, one question: who looks for either finds all of its entries.
    assert {event.what.query_hmac for event in events} == {"keyed"}
    assert {event.what.fields for event in events} == {("person_index",)}
    assert {event.agent.session for event in events} == {"t-1"}
    assert [event.time.sequence for event in events] == list(range(1, len(events) + 1))


async def test_a_search_that_finds_nothing_is_an_entry_too() -> None:
    world = World()
    assert await resolved(world, 0) == []
    (event,) = world.log.events()
    assert (event.what.record_ids, event.what.result_count) == ((), 0)


@pytest.mark.parametrize("written_before", [0, 1, 2, 5, 10])
async def test_nothing_is_answered_where_one_of_the_entries_fails(
    monkeypatch: pytest.MonkeyPatch, written_before: int
) -> None:
    world = World()
    sent = 0

    async def failing(entry: object, seconds: float) -> None:
        nonlocal sent
        sent += 1
        if sent > written_before:
            raise TimeoutError

    monkeypatch.setattr(world.log, "publish_one", failing)
    with pytest.raises(AuditUnavailableError):
        await grouped(world, [*(f"dummy-{number}" for number in range(1_100)), *REAL])


async def test_a_refusal_says_how_many_records_it_was_about() -> None:
    world = World()
    with pytest.raises(RefusedError):
        await resolved(world, 150, Caller("nora", ("janitor",), token_id="t-3"))
    (event,) = world.log.events()
    assert (event.outcome, len(event.what.record_ids), event.what.result_count) == (
        "denied",
        100,
        150,
    )


ALLOWED = Decision(
    allowed=True,
    rule_id="agent-respond",
    needed="",
    fields=(),
    obligations=(),
    policy_hash="",
    legal_basis=None,
)


@pytest.mark.parametrize("records", [101, 102, 1_000])
async def test_the_ledger_cuts_nothing_off(records: int) -> None:
    world = World()
    ids = tuple(f"r{number}" for number in range(records))
    with pytest.raises(ValueError, match="record_ids"):
        await world.ledger.write(
            Access(OLGA, "search", "respond", "x", record_ids=ids), ALLOWED, "success"
        )
    assert world.log.entries == []
    assert world.ledger._sequence == 0
