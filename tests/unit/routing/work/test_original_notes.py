"""A note is sealed in its own words before its update is accepted, and goes no further."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import pytest

from direct311.redaction import redact
from direct311.routing.assignment.adapters import load_rules
from direct311.routing.work.adapters.intake import UnsealedNoteError
from direct311.routing.work.consumers import process
from direct311.routing.work.domain import OriginalNote
from direct311.routing.work.handlers import Answers
from direct311.routing.work.handlers.taken import Updates
from direct311.runtime.errors import TransientError
from direct311.runtime.messaging.broker import Received
from direct311.runtime.messaging.records import Write
from direct311.schemas import events as ev
from tests.support.memory import InMemoryRecords
from tests.support.runtime import NOW
from tests.unit.routing.work.test_consumers import RoutingUnderTest, codes, update

pytestmark = pytest.mark.anyio

WORDS = "Spoke to the owner, call 754-555-0186.\u200b"


def noted(record_id: str, note: str = WORDS, department: str = "parks", **said: Any) -> Received:
    came = update(record_id, department)
    data = came.event.data.model_copy(update={"note": note, **said})
    return dataclasses.replace(came, event=dataclasses.replace(came.event, data=data))


def again(came: Received, **said: Any) -> Received:
    """Another update under the same id."""
    data = came.event.data.model_copy(update=said)
    return dataclasses.replace(came, event=dataclasses.replace(came.event, data=data))


class Redacting(RoutingUnderTest):
    """Routing that redacts, as it does in production."""

    def __init__(self) -> None:
        super().__init__()
        answers = Answers(
            load_rules().states, lambda text: redact(text).text, self.notes, self.find, self.clock
        )
        self.processor._handlers |= answers.handlers()


def originals(routing: RoutingUnderTest) -> list[str]:
    return [note.text for note in routing.notes.sealed.values()]


async def test_the_original_is_sealed_and_the_redacted_note_is_sent() -> None:
    routing = Redacting()
    await routing.job("a")
    one = noted("a")
    assert await routing.process([one]) == []
    assert list(routing.notes.sealed) == [("a", "parks", one.event.id)]
    assert originals(routing) == [WORDS]
    accepted, work = await routing.answers()
    assert isinstance(accepted, ev.UpdateAccepted)
    assert isinstance(work, ev.WorkUpdated)
    assert work.note == "Spoke to the owner, call [telephone]."
    assert "0186" not in repr((await routing.jobs.load(["a"]))["a"])
    assert all(b"0186" not in each.message.body for each in routing.publisher.sent)


async def test_the_words_of_an_original_show_in_no_representation() -> None:
    assert "0186" not in repr(OriginalNote("a", "parks", "u", WORDS))


async def test_an_update_without_a_note_needs_nobody() -> None:
    routing = RoutingUnderTest()
    routing.notes.away = True
    await routing.job("a")
    assert await routing.process([update("a")]) == []
    assert routing.notes.calls == 0


@pytest.mark.parametrize(
    "said",
    [
        {"department": "solid_waste"},
        {"status": "duplicate"},
        {"duplicate_of": "a"},
        {"occurred_at": NOW.replace(year=NOW.year + 1)},
    ],
    ids=["wrong department", "transition", "its own duplicate", "in the future"],
)
async def test_the_note_of_a_refused_update_is_not_kept(said: dict[str, Any]) -> None:
    routing = RoutingUnderTest()
    await routing.job("a", status="fixed" if "status" in said else "routed")
    one = noted("a", **said)
    if "department" in said:
        one = dataclasses.replace(one, topic=f"updates.{said['department']}")
    assert await routing.process([one]) == []
    assert len(codes(await routing.answers())) == 1
    assert originals(routing) == []


async def test_while_intake_is_away_an_update_waits_and_the_others_do_not() -> None:
    routing = RoutingUnderTest()
    for name in ("a", "b", "c"):
        await routing.job(name)
    routing.notes.away = True
    batch = [noted("a"), update("b"), update("nowhere"), noted("c")]
    for _ in range(3):
        with pytest.raises(TransientError):
            await routing.process(batch)
    answers = await routing.answers()
    assert [each.record_id for each in answers if isinstance(each, ev.UpdateAccepted)] == ["b"]
    assert codes(answers) == ["unknown_record"]
    routing.notes.away = False
    for _ in range(2):
        assert await routing.process(batch) == []
    answers = await routing.answers()
    accepted = [each.record_id for each in answers if isinstance(each, ev.UpdateAccepted)]
    assert sorted(accepted) == ["a", "b", "c"]
    assert sum(isinstance(each, ev.WorkUpdated) for each in answers) == 3
    assert originals(routing) == [WORDS, WORDS]


async def test_the_updates_of_one_job_stay_in_their_order_around_a_note() -> None:
    routing = RoutingUnderTest()
    await routing.job("a")
    await routing.job("b")
    statuses = ("in_progress", "on_hold", "in_progress", "fixed")
    batch = [
        noted("a", "" if number % 2 else WORDS, status=status)
        for number, status in enumerate(statuses)
    ]
    assert await routing.process([update("b"), *batch]) == []
    answers = await routing.answers()
    said = [e.status for e in answers if isinstance(e, ev.WorkUpdated) and e.record_id == "a"]
    assert said == list(statuses)


class Dying(InMemoryRecords[Any]):
    """Dies at the next write, before or after it."""

    def __init__(self, after: bool) -> None:
        super().__init__()
        self.after = after
        self.dies = False

    async def commit(self, writes: Sequence[Write[Any]]) -> set[str]:
        if not self.dies:
            return await super().commit(writes)
        self.dies = False
        if self.after:
            await super().commit(writes)
        raise ConnectionResetError


@pytest.mark.parametrize("after", [False, True], ids=["before the write", "after it"])
async def test_what_is_interrupted_around_the_write_is_done_once(after: bool) -> None:
    routing = RoutingUnderTest()
    dying = Dying(after)
    routing.jobs = routing.processor._records = dying
    routing.relays[0] = routing.relay_of(dying, routing.publisher)
    routing.processor._relay = routing.relays[0]
    routing.process = process(
        routing.processor,
        Updates(routing.processor, routing.refusing, dying, routing.refusals),
    )
    await routing.job("a")
    dying.dies = True
    one = noted("a")
    with pytest.raises(ConnectionResetError):
        await routing.process([one])
    assert originals(routing) == [WORDS]
    for _ in range(2):
        assert await routing.process([one]) == []
    answers = await routing.answers()
    assert [type(each).__name__ for each in answers] == ["UpdateAccepted", "WorkUpdated"]
    assert originals(routing) == [WORDS]


async def test_an_id_that_another_note_has_at_intake_is_refused() -> None:
    """The job has forgotten the first: it remembers two hundred."""
    routing = RoutingUnderTest()
    await routing.job("a")
    one = noted("a")
    assert await routing.process([one]) == []
    await routing.answers()
    await _forget(routing, "a")
    assert await routing.process([again(one, note="Other words.")]) == []
    assert codes(await routing.answers()) == ["malformed"]
    assert originals(routing) == [WORDS]


async def _forget(routing: RoutingUnderTest, record_id: str) -> None:
    state = (await routing.jobs.load([record_id]))[record_id].state
    await routing.jobs.put(state.model_copy(update={"handled_updates": ()}), NOW)


async def test_an_update_of_a_request_that_intake_destroyed_first_is_refused() -> None:
    routing = RoutingUnderTest()
    await routing.job("a")
    routing.notes.gone.add("a")
    one = noted("a")
    for _ in range(2):
        assert await routing.process([one]) == []
    assert codes(await routing.answers()) == ["unknown_record"]


async def test_a_note_that_can_never_be_sealed_is_a_dead_letter_and_stops_nobody() -> None:
    routing = RoutingUnderTest()
    for name in ("a", "b"):
        await routing.job(name)
    seal = routing.notes.seal

    async def sealing(note: OriginalNote) -> None:
        if note.record_id == "a":
            raise UnsealedNoteError("intake cannot seal a note")
        await seal(note)

    routing.notes.seal = sealing  # type: ignore[method-assign]
    ((event, error),) = await routing.process([one := noted("a"), noted("b")])
    assert event is one.event
    assert isinstance(error, UnsealedNoteError)
    assert WORDS not in str(error)
    answers = await routing.answers()
    assert [each.record_id for each in answers if isinstance(each, ev.UpdateAccepted)] == ["b"]
