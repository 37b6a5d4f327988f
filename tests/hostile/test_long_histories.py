"""A history that no document holds: a department's notes by the thousand, and events too large.

Intake's document passed 16 MB, and the database's refusal was taken for one that passes: the
consumer tried the same batch for ever.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, cast
from uuid import uuid4

import pytest
from bson.errors import InvalidDocument
from pymongo.errors import (
    AutoReconnect,
    BulkWriteError,
    DocumentTooLarge,
    DuplicateKeyError,
    ExecutionTimeout,
    NetworkTimeout,
    NotPrimaryError,
    OperationFailure,
    ServerSelectionTimeoutError,
    WriteError,
    WTimeoutError,
)

from direct311.routing.job import Job
from direct311.routing.work.domain import MOST_SAID, UPDATE_WEIGHS
from direct311.runtime.messaging.records import Stored, Write, on
from direct311.runtime.messaging.state import Change
from direct311.runtime.process import processing
from direct311.runtime.storage.database import Collection, MongoRecords, is_transient
from direct311.schemas import Event, encode
from direct311.schemas import events as ev
from tests.support.consumers import Reading
from tests.support.memory import InMemoryPublisher, InMemoryRecords
from tests.support.runtime import NOW, Tally, overdue
from tests.support.service_under_test import ServiceUnderTest
from tests.unit.routing.work.test_consumers import RoutingUnderTest, codes, update

pytestmark = pytest.mark.anyio

DOCUMENT = {
    "too large": 10334,
    "a key too long": 17280,
    "too large after an update": 17419,
    "too large to be moved": 17420,
    "nested too deeply": 15959,
    "no document": 22,
    "against the collection's rules": 121,
    "a name with a dollar": 52,
    "an empty name": 56,
}
PASSING = {
    "write conflict": 112,
    "not primary": 10107,
    "stepped down": 189,
    "a full disk": 14031,
    "interrupted": 11601,
    "rights are missing": 13,
    "unknown": 8,
    "no code": None,
}


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


def bulk(*codes: int | None, concern: bool = False) -> BulkWriteError:
    errors = [{"index": at, "code": code, "errmsg": "x"} for at, code in enumerate(codes)]
    return BulkWriteError(
        {"writeErrors": errors, "writeConcernErrors": [{"code": 64}] if concern else []}
    )


class Refusing:
    """A collection that answers every write with an error."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def insert_many(self, *_: object, **__: object) -> None:
        raise self._error

    async def bulk_write(self, *_: object, **__: object) -> None:
        raise self._error


async def failure(error: Exception, expected: int) -> Exception:
    """What writing one document raises, where the database says this."""
    kept: MongoRecords[Tally] = MongoRecords(cast(Collection, Refusing(error)), Tally)
    state = Tally(record_id="a", version=expected + 1)
    with pytest.raises(Exception) as raised:  # noqa: PT011 - which one is what is asked
        await kept.commit([Write(expected, state, (), NOW)])
    return raised.value


@pytest.mark.parametrize("expected", [0, 3], ids=["inserted", "replaced"])
@pytest.mark.parametrize("code", DOCUMENT.values(), ids=DOCUMENT)
async def test_a_document_that_the_database_refuses_is_not_tried_again(
    code: int, expected: int
) -> None:
    assert not is_transient(await failure(bulk(code), expected))
    assert not is_transient(WriteError("x", code))
    assert not is_transient(OperationFailure("x", code))


@pytest.mark.parametrize("expected", [0, 3], ids=["inserted", "replaced"])
@pytest.mark.parametrize("code", PASSING.values(), ids=PASSING)
async def test_what_may_pass_is_tried_again(code: int | None, expected: int) -> None:
    assert is_transient(await failure(bulk(code), expected))
    # Beside a document that is refused too: what may pass is tried first.
    assert is_transient(await failure(bulk(10334, code), expected))
    assert is_transient(OperationFailure("x", code))


@pytest.mark.parametrize("expected", [0, 3], ids=["inserted", "replaced"])
async def test_a_refusal_beside_what_no_majority_has_is_tried_again(expected: int) -> None:
    assert is_transient(await failure(bulk(10334, concern=True), expected))


@pytest.mark.parametrize(
    "error",
    [
        AutoReconnect("x"),
        NetworkTimeout("x"),
        NotPrimaryError("x"),
        ServerSelectionTimeoutError("x"),
        ExecutionTimeout("x"),
        WTimeoutError("x"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_the_network_and_another_primary_pass(error: Exception) -> None:
    assert is_transient(error)


@pytest.mark.parametrize(
    "error",
    [DocumentTooLarge("x"), InvalidDocument("x"), OverflowError("x"), DuplicateKeyError("x")],
    ids=lambda error: type(error).__name__,
)
def test_what_the_driver_cannot_send_never_passes(error: Exception) -> None:
    assert not is_transient(error)


# ---------------------------------------------------------------- what becomes of its event


class Small(InMemoryRecords[Tally]):
    """Takes documents up to a size, as the database does."""

    async def commit(self, writes: Sequence[Write[Tally]]) -> set[str]:
        if any(write.state.total > 100 for write in writes):
            # As `MongoRecords` says it.
            raise await failure(bulk(10334), 1)
        return await super().commit(writes)


@pytest.mark.parametrize("beside", [0, 1, 30])
async def test_the_event_that_makes_a_document_too_large_is_a_dead_letter(beside: int) -> None:
    service, records = ServiceUnderTest(), Small()

    async def grow(state: Tally, event: Event[ev.RequestOverdue]) -> Change[Tally] | None:
        size = 1_000 if event.data.due_on.year == 2030 else 1
        return Change(state.model_copy(update={"total": state.total + size}))

    handlers = dict([on(ev.RequestOverdue, grow)])
    relay = service.relay_of(records, InMemoryPublisher())
    processor = service.processor_of(records, Tally, handlers, relay, is_transient)
    large = overdue("large", 2)
    data = large.data.model_copy(update={"due_on": NOW.date().replace(year=2030)})
    events = [
        *(overdue(f"r{number}", 1) for number in range(beside)),
        overdue("large", 1),
        dataclasses.replace(large, data=data),
        overdue("large", 3),
    ]
    reading = Reading(process=processing(processor))
    await reading.read(*map(encode, events))
    assert reading.broker.kinds == ["RefusedDocumentError"]
    assert reading.consumer.stopped_because is None
    stored: Mapping[str, Stored[Any]] = await records.load(
        ["large", *(f"r{number}" for number in range(beside))]
    )
    assert len(stored) == beside + 1
    assert stored["large"].state.total == 2


# ---------------------------------------------------------------- a department's notes


@pytest.mark.parametrize(
    "note", ["🐶" * 4_000, "é" * 4_000, "a" * 4_000, "漢" * 3_000, "short"], ids=lambda n: n[:1]
)
async def test_a_department_cannot_fill_the_documents_of_a_request(note: str) -> None:
    routing = RoutingUnderTest()
    await routing.job("a", said=MOST_SAID - 3 * (UPDATE_WEIGHS + len(note.encode())))
    for number in range(6):
        came = update("a")
        status = ("in_progress", "on_hold")[number % 2]
        data = came.event.data.model_copy(update={"note": note, "status": status})
        assert (
            await routing.process([dataclasses.replace(came, event=_with(came.event, data))]) == []
        )
    answers = await routing.answers()
    assert codes(answers) == ["malformed"] * 3
    work = [each for each in answers if isinstance(each, ev.WorkUpdated)]
    assert len(work) == 3
    assert "without" in _reason(answers)
    # The work can be ended all the same.
    came = update("a")
    data = came.event.data.model_copy(update={"status": "fixed"})
    await routing.process([dataclasses.replace(came, event=_with(came.event, data))])
    assert [each.status for each in await routing.answers() if isinstance(each, ev.UpdateAccepted)][
        -1
    ] == "fixed"


async def test_updates_without_a_note_have_an_end_too() -> None:
    routing = RoutingUnderTest()
    await routing.job("a", said=2 * MOST_SAID)
    await routing.process([update("a")])
    assert codes(await routing.answers()) == ["malformed"]


def test_what_is_taken_in_all_stays_far_below_a_document() -> None:
    assert 2 * MOST_SAID < 16_000_000 / 3
    assert Job(record_id="a").said == 0


def _with(event: Event[Any], data: Any) -> Event[Any]:
    return dataclasses.replace(event, id=str(uuid4()), data=data)


def _reason(answers: Sequence[object]) -> str:
    return next(each.reason for each in answers if isinstance(each, ev.UpdateRefused))
