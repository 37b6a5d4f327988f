"""What is found without an entry: every record that a search or a question names has one, at
whatever place it stands, or nothing is answered."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import pytest

from direct311.audit.log.handlers.receive import queued_event_of
from direct311.intake.indexes.ports import PersonIndexes
from direct311.intake.lifecycle.ports import Requests
from direct311.intake.staff.handlers.contact import Contact
from direct311.runtime.access.ledger import Access, AuditUnavailableError
from direct311.runtime.access.rules import Caller, Decision, RecordFacts
from direct311.runtime.errors import RefusedError
from direct311.runtime.http.problem_codes import status_of
from direct311.runtime.messaging.broker import Received
from direct311.schemas import decode
from tests.hostile.test_refusals import START, RefusingIntake
from tests.support.disclosures import no_cases

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


def contact(intake: RefusingIntake, ids: Sequence[str]) -> Contact:
    indexes = cast(PersonIndexes, Hashing())
    return Contact(cast(Requests, Stored(ids)), intake.vault, indexes, no_cases())


async def grouped(
    intake: RefusingIntake, asked: Sequence[str], caller: Caller = OLGA
) -> Sequence[str]:
    found = await contact(intake, REAL).persons_of(
        caller,
        asked,
        purpose="respond",
        reference=None,
        justification=None,
        operation="POST /internal/persons/group",
    )
    return [each for person in found.persons for each in person]


async def resolved(intake: RefusingIntake, count: int, caller: Caller = OLGA) -> Sequence[str]:
    return await contact(intake, [f"r{number}" for number in range(count)]).records_of(
        caller,
        {"name": "Maria Garcia"},
        purpose="respond",
        reference=None,
        justification=None,
        operation="POST /internal/persons/resolve",
    )


def written(intake: RefusingIntake) -> list[str]:
    return [each for event in intake.access_log.events() for each in event.what.record_ids]


@pytest.mark.parametrize("dummies", [0, 1, 98, 99, 100, 101, 199, 200, 1_000, 10_050])
async def test_what_is_asked_behind_made_up_records_has_its_entry(dummies: int) -> None:
    intake = RefusingIntake()
    asked = [*(f"dummy-{number}" for number in range(dummies)), *REAL]
    assert set(await grouped(intake, asked)) == set(REAL)
    assert written(intake) == asked
    events = intake.access_log.events()
    assert all(len(event.what.record_ids) <= 100 for event in events)
    assert all(event.what.result_count == len(event.what.record_ids) for event in events)


@pytest.mark.parametrize("count", [1, 99, 100, 101, 103, 200, 201, 555, 1_000, 10_000])
async def test_a_search_names_all_that_it_found(count: int) -> None:
    intake = RefusingIntake()
    found = await resolved(intake, count)
    assert len(found) == count
    assert written(intake) == list(found)
    events = intake.access_log.events()
    assert sum(event.what.result_count or 0 for event in events) == count
    # One person, one question: who looks for either finds all of its entries.
    assert {event.what.query_hmac for event in events} == {"keyed"}
    assert {event.what.fields for event in events} == {("person_index",)}
    assert {event.agent.session for event in events} == {"t-1"}
    assert [event.time.sequence for event in events] == list(range(1, len(events) + 1))


async def test_a_search_that_finds_nothing_is_an_entry_too() -> None:
    intake = RefusingIntake()
    assert await resolved(intake, 0) == []
    (event,) = intake.access_log.events()
    assert (event.what.record_ids, event.what.result_count) == ((), 0)


@pytest.mark.parametrize("written_before", [0, 1, 2, 5, 10])
async def test_nothing_is_answered_where_one_of_the_entries_fails(
    monkeypatch: pytest.MonkeyPatch, written_before: int
) -> None:
    intake = RefusingIntake()
    sent = 0

    async def failing(entry: object, seconds: float) -> None:
        nonlocal sent
        sent += 1
        if sent > written_before:
            raise TimeoutError

    monkeypatch.setattr(intake.access_log, "publish_one", failing)
    with pytest.raises(AuditUnavailableError):
        await grouped(intake, [*(f"dummy-{number}" for number in range(1_100)), *REAL])


async def test_a_refusal_says_how_many_records_it_was_about() -> None:
    intake = RefusingIntake()
    with pytest.raises(RefusedError):
        await resolved(intake, 150, Caller("nora", ("janitor",), token_id="t-3"))
    (event,) = intake.access_log.events()
    assert (event.outcome, len(event.what.record_ids), event.what.result_count) == (
        "denied",
        100,
        150,
    )


# ---------------------------------------------------------------- longer than the log takes

TOO_LONG: dict[str, dict[str, Any]] = {
    "a session of 40,000 characters": {"token_id": "J" * 40_000},
    "a session beyond the basic plane": {"token_id": "\U0001f98a" * 16_000},
    "a name of 64,000 characters": {"sub": "a" * 64_000},
    "a department of 64,000 characters": {"department": "d" * 64_000},
    "thousands of roles": {"roles": ("agent", *(f"g{n:05}" for n in range(9_000)))},
    "an issuer of 64,000 characters": {"issuer": "i" * 64_000},
    "many of them": {
        "token_id": "J" * 20_000,
        "department": "d" * 20_000,
        "issuer": "i" * 20_000,
    },
}


@pytest.mark.parametrize("more", TOO_LONG.values(), ids=TOO_LONG)
async def test_what_the_log_would_not_take_opens_nothing(more: dict[str, Any]) -> None:
    intake = RefusingIntake()
    key, data_key = await intake.vault.new_key("r1")
    await intake.keys.insert([key])
    sealed = {"phone": data_key.seal("phone", b"+1 305 555 0142")}
    access = Access(
        replace(OLGA, issuer="https://issuer.test", **more)
        if "issuer" not in more
        else replace(OLGA, **more),
        action="view",
        purpose="respond",
        operation="test",
        fields=("phone",),
        record_ids=("r1",),
    )
    facts = RecordFacts("r1")
    with pytest.raises(RefusedError) as refused:
        await intake.vault.open(access, facts, sealed)
    assert (status_of(refused.value), refused.value.code) == (422, "too_long")
    assert intake.access_log.entries == []
    assert await intake.keys.fetches_after(START - timedelta(days=1), 10) == []
    # It used no number either, and others open as before.
    opened = await intake.vault.open(replace(access, caller=OLGA), facts, sealed)
    assert opened == {"phone": b"+1 305 555 0142"}
    assert [event.time.sequence for event in intake.access_log.events()] == [1]


async def test_the_longest_that_anybody_may_say_is_taken_by_audit() -> None:
    intake = RefusingIntake()
    wide = "\U0001f98a"
    longest = Caller(
        wide * 255,
        ("agent", *(f"{n:03}{'r' * 61}" for n in range(99))),
        "d" * 41,
        token_id=wide * 255,
        via="svc:audit",
        issuer="https://issuer.test/" + "i" * 200,
    )
    access = Access(
        longest,
        action="search",
        purpose="respond",
        operation="POST /internal/persons/group",
        fields=("person_index",) * 5_000,
        record_ids=tuple(f"{n:04}{'r' * 60}" for n in range(1_000)),
        reference=wide * 500,
        justification=wide * 500,
        query_fields=("record_ids",),
        result_count=1_000,
    )
    await intake.vault.authorise(access, RecordFacts())
    assert len(intake.access_log.entries) == 10
    for entry in intake.access_log.entries:
        message = entry.message
        headers = {"ce_keyid": "intake-1", **message.headers}
        event = decode(headers, message.body)
        received = Received(event, headers, message.body, "pii.accessed", 0, 0)
        assert len(queued_event_of(received, event.time).event.signed_bytes) < 40_000


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
    intake = RefusingIntake()
    ids = tuple(f"r{number}" for number in range(records))
    with pytest.raises(ValueError, match="record_ids"):
        await intake.ledger.write(
            Access(OLGA, "search", "respond", "x", record_ids=ids), ALLOWED, "success"
        )
    assert intake.access_log.entries == []
    assert intake.ledger._sequence == 0
