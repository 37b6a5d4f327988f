"""A department's updates: one answer to each, whatever is redelivered, and its own topic alone."""

from collections.abc import Sequence
from uuid import uuid4

import pytest

from direct311.routing.assignment.adapters import load_rules
from direct311.routing.assignment.handlers import Routing
from direct311.routing.job import Job
from direct311.routing.work.api import _may_see
from direct311.routing.work.consumers import process
from direct311.routing.work.domain import Refusal
from direct311.routing.work.handlers import Answers, refuse_unknown
from direct311.routing.work.handlers.reported import Reported, refuse_unknown_step
from direct311.routing.work.handlers.taken import Updates
from direct311.runtime.access.rules import Caller
from direct311.runtime.errors import RefusedError
from direct311.runtime.messaging.broker import MisplacedError, Received
from direct311.runtime.messaging.records import IN_HAND_GRACE, on
from direct311.runtime.messaging.state import Change
from direct311.schemas import Event, decode, updates_topic
from direct311.schemas import events as ev
from direct311.schemas.model import Model
from tests.support.memory import InMemoryPublisher, InMemoryRecords
from tests.support.runtime import NOW
from tests.support.service_under_test import ServiceUnderTest, unmasked
from tests.support.work_notes import InMemoryWorkNotes

pytestmark = pytest.mark.anyio


class RoutingUnderTest(ServiceUnderTest):
    """Routing, with jobs and with answers to departments."""

    def __init__(self) -> None:
        super().__init__("routing")
        self.jobs: InMemoryRecords[Job] = InMemoryRecords()
        self.refusals: InMemoryRecords[Refusal] = InMemoryRecords()
        self.publisher = InMemoryPublisher()
        files = load_rules()
        routing = Routing(files.rulebook, files.states, self.clock)
        self.notes = InMemoryWorkNotes()
        answers = Answers(files.states, unmasked, self.notes, self.find, self.clock)
        self.reported = Reported(
            files.steps,
            files.states,
            files.rulebook.departments,
            unmasked,
            self.notes,
            self.find,
            routing.handed_over,
            self.clock,
        )
        self.relays = [
            self.relay_of(self.jobs, self.publisher),
            self.relay_of(self.refusals, self.publisher),
        ]
        handlers = {**routing.handlers(), **answers.handlers(), **self.reported.handlers()}
        self.processor = self.processor_of(self.jobs, Job, handlers, self.relays[0])
        refusing = dict(
            (
                on(ev.DepartmentUpdate, refuse_unknown),
                on(ev.DepartmentUpdateV2, refuse_unknown_step),
            )
        )
        self.refusing = self.processor_of(self.refusals, Refusal, refusing, self.relays[1])
        self.updates = Updates(self.processor, self.refusing, self.jobs, self.refusals)
        self.process = process(self.processor, self.updates)

    async def job(self, record_id: str, **fields: object) -> None:
        state = Job(record_id=record_id, version=1, status="routed", department="parks")
        await self.jobs.put(state.model_copy(update=fields), NOW)

    async def find(self, record_id: str) -> Job | None:
        found = (await self.jobs.load([record_id])).get(record_id)
        return found.state if found else None

    async def answers(self) -> list[Model]:
        self.clock.at += IN_HAND_GRACE
        for relay in self.relays:
            while await relay.publish_due():
                pass
        return [decode(e.message.headers, e.message.body).data for e in self.publisher.sent]


def update(record_id: str, department: str = "parks", topic: str | None = None) -> Received:
    data = ev.DepartmentUpdate(
        record_id=record_id, department=department, status="in_progress", occurred_at=NOW
    )
    event: Event[Model] = Event(str(uuid4()), f"/department/{department}", record_id, NOW, data)
    return Received(event, {}, b"", topic or updates_topic(department), 0, 0)


def codes(answers: Sequence[Model]) -> list[str]:
    return [each.code for each in answers if isinstance(each, ev.UpdateRefused)]


async def test_an_update_is_taken_once() -> None:
    routing = RoutingUnderTest()
    await routing.job("a")
    one = update("a")
    for _ in range(3):
        assert await routing.process([one]) == []
    answers = await routing.answers()
    assert [type(each).__name__ for each in answers] == ["UpdateAccepted", "WorkUpdated"]


async def test_an_update_of_an_unknown_request_is_answered_once() -> None:
    routing = RoutingUnderTest()
    one = update("nowhere")
    for _ in range(3):
        assert await routing.process([one]) == []
    assert codes(await routing.answers()) == ["unknown_record"]


async def test_what_was_refused_stays_refused_when_the_request_comes_after_all() -> None:
    routing = RoutingUnderTest()
    one = update("late")
    assert await routing.process([one]) == []
    await routing.job("late")
    assert await routing.process([one]) == []
    answers = await routing.answers()
    assert codes(answers) == ["unknown_record"]
    assert len(answers) == 1


@pytest.mark.parametrize("lifecycle", ["destroying", "destroyed"])
async def test_an_update_of_a_request_that_is_gone_is_answered_too(lifecycle: str) -> None:
    routing = RoutingUnderTest()
    await routing.job("gone", lifecycle=lifecycle)
    assert await routing.process([update("gone")]) == []
    assert codes(await routing.answers()) == ["unknown_record"]


async def test_an_update_by_another_departments_topic_is_an_impostors() -> None:
    routing = RoutingUnderTest()
    await routing.job("a")
    forged = update("a", topic=updates_topic("animal_services"))
    ((event, error),) = await routing.process([forged])
    assert event is forged.event
    assert isinstance(error, MisplacedError)
    assert await routing.answers() == []


async def test_a_refusal_that_fails_is_told_of_the_event_that_came() -> None:
    routing = RoutingUnderTest()

    async def broken(state: Refusal, event: Event[ev.DepartmentUpdate]) -> Change[Refusal] | None:
        raise ValueError("a bug")

    routing.refusing._handlers = dict([on(ev.DepartmentUpdate, broken)])
    one = update("nowhere")
    ((event, error),) = await routing.process([one])
    assert event is one.event
    assert isinstance(error, ValueError)


def test_a_job_without_department_is_not_that_of_a_caller_without_one() -> None:
    _may_see(Caller("maria", ("department",), "parks"), "parks")
    _may_see(Caller("ana", ("agent",)), None)
    for caller in (
        Caller("maria", ("department",), "parks"),
        Caller("nobody", ("department",)),
        Caller("nobody", ()),
    ):
        with pytest.raises(RefusedError):
            _may_see(caller, None)
