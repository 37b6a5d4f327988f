"""A message of a department that cannot be read gets an answer: what is wrong, and where it is."""

import dataclasses
import json
from collections.abc import Callable
from uuid import uuid4

import pytest

from direct311.routing.work.consumers import telling
from direct311.routing.work.handlers.unread import NOT_HANDLED, AnswerUnread
from direct311.runtime.errors import TransientError
from direct311.runtime.messaging.broker import DeadLetter
from direct311.schemas import Encoded, Event, encode, updates_topic
from direct311.schemas import events as ev
from tests.support.consumers import Reading
from tests.support.runtime import NOW
from tests.unit.routing.work.test_consumers import RoutingUnderTest

pytestmark = pytest.mark.anyio

CANARY = "Maria_Lopez"
ID = "0195a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1c"


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


def good(department: str = "parks") -> Encoded:
    data = ev.DepartmentUpdateV2(
        record_id="a", department=department, step="acknowledged", occurred_at=NOW
    )
    event = Event(ID, f"/department/{department}", "a", NOW, data)
    return encode(event, topic=updates_topic("parks"))


def headed(**headers: str) -> Callable[[], Encoded]:
    def make() -> Encoded:
        message = good()
        return dataclasses.replace(message, headers=message.headers | headers)

    return make


def without(name: str) -> Callable[[], Encoded]:
    def make() -> Encoded:
        message = good()
        left = {each: value for each, value in message.headers.items() if each != name}
        return dataclasses.replace(message, headers=left)

    return make


def saying(**fields: object) -> Callable[[], Encoded]:
    def make() -> Encoded:
        message = good()
        body = json.dumps(json.loads(message.body) | fields).encode()
        return dataclasses.replace(message, body=body)

    return make


def junk() -> Encoded:
    return dataclasses.replace(good(), body=CANARY.encode())


def foreign() -> Encoded:
    data = ev.RequestRecalled(
        record_id="a", version=1, department="parks", reason=CANARY, recalled_at=NOW
    )
    message = encode(Event(ID, "/department/parks", "a", NOW, data))
    return dataclasses.replace(message, topic=updates_topic("parks"))


UNREAD: dict[str, tuple[Callable[[], Encoded], str, str | None]] = {
    "a bad step": (saying(step=CANARY), "step", ID),
    "a bad time": (saying(occurred_at=CANARY), "occurred_at", ID),
    "a time without a zone": (saying(occurred_at="2026-03-02T10:00:00"), "occurred_at", ID),
    "a bad record": (saying(record_id="Maria Lopez"), "record_id", ID),
    "no JSON": (junk, "body", ID),
    "no id": (without("ce_id"), "ce_id", None),
    "an id that is none": (headed(ce_id=CANARY), "ce_id", None),
    "no time": (without("ce_time"), "ce_time", ID),
    "no type": (without("ce_type"), "ce_type", ID),
    "another type": (headed(ce_type=CANARY), "ce_type", ID),
    "another version of CloudEvents": (headed(ce_specversion="2"), "ce_specversion", ID),
    "another subject": (headed(ce_subject=CANARY), "ce_subject", ID),
    "another source": (headed(ce_source="/direct311/geo"), "ce_source", ID),
    "another department's name": (lambda: good("animal_services"), "department", ID),
    "another event": (foreign, "ce_type", ID),
}


class Listening(RoutingUnderTest):
    """Routing with its consumer of updates."""

    def __init__(self) -> None:
        super().__init__()
        self.reading = Reading(
            process=self.process,
            foreign=[updates_topic("parks")],
            tell=telling(AnswerUnread(self.refusing)),
        )

    async def malformed(self) -> list[ev.UpdateRefusedV2]:
        found = await self.answers()
        return [each for each in found if isinstance(each, ev.UpdateRefusedV2)]


@pytest.mark.parametrize("kind", UNREAD)
async def test_what_cannot_be_read_is_answered_with_the_field_and_the_reason(kind: str) -> None:
    make, field, update_id = UNREAD[kind]
    routing = Listening()
    await routing.reading.read(make())
    (reply,) = await routing.malformed()
    (letter,) = routing.reading.broker.letters
    assert (reply.code, reply.field, reply.update_id) == ("malformed", field, update_id)
    assert reply.reason == letter["dl_reason"]
    assert (reply.department, reply.partition, reply.offset) == ("parks", 0, 0)
    assert reply.record_id is None
    (sent,) = routing.publisher.sent
    assert sent.message.topic == "replies.parks"
    assert b"Maria" not in sent.message.body + sent.message.key
    assert "Maria" not in repr(sent.message.headers)


async def test_it_is_answered_once_however_often_it_is_delivered() -> None:
    routing = Listening()
    for _ in range(3):
        await routing.reading.read(junk())
    assert len(await routing.malformed()) == 1


async def test_each_unread_message_is_answered_and_the_good_one_too() -> None:
    routing = Listening()
    await routing.job("a")
    one = dataclasses.replace(good(), headers=good().headers | {"ce_id": str(uuid4())})
    await routing.reading.read(junk(), one, junk())
    assert [each.offset for each in await routing.malformed()] == [0, 2]
    assert any(isinstance(each, ev.UpdateAcceptedV2) for each in await routing.answers())


async def test_an_update_that_only_an_operator_can_help_is_answered() -> None:
    routing = Listening()
    await routing.job("a")

    async def broken(*_: object) -> None:
        raise ValueError(CANARY)

    routing.processor._handlers[ev.DepartmentUpdateV2] = broken
    await routing.reading.read(good())
    (reply,) = await routing.malformed()
    assert (reply.code, reply.reason, reply.update_id) == ("not_handled", NOT_HANDLED, ID)


async def test_the_sender_is_told_again_until_it_works_and_a_mistake_stops_nothing() -> None:
    told: list[DeadLetter] = []

    async def tell(letter: DeadLetter) -> None:
        told.append(letter)
        if len(told) == 1:
            raise TransientError("not now")
        raise ValueError("a bug")

    reading = Reading(tell=tell)
    await reading.read(junk())
    assert len(told) == 2
    assert len(reading.broker.letters) == 1
