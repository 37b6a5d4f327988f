"""Intake destroys what is closed alone: an order that comes after a reopening is refused."""

from datetime import timedelta
from uuid import uuid4

import pytest

from direct311.intake.lifecycle.handlers import Follow
from direct311.intake.request import ServiceRequest
from direct311.runtime.messaging.records import hold_handlers
from direct311.schemas import Event
from direct311.schemas import events as ev
from tests.support.memory import InMemoryRecords
from tests.support.runtime import NOW, new_id
from tests.support.service_under_test import ServiceUnderTest
from tests.unit.intake.submission.test_delivery import NobodyProtected

pytestmark = [pytest.mark.anyio, pytest.mark.policy("P14")]

REQUEST = new_id()


class Intake:
    """One open request, and all that intake hears of it."""

    def __init__(self) -> None:
        intake = ServiceUnderTest()
        follow = Follow(NobodyProtected(), lambda *_: (), intake.clock)
        handlers = {**hold_handlers(), **follow.handlers()}
        self._records: InMemoryRecords[ServiceRequest] = InMemoryRecords()
        self._processor = intake.processor_of(self._records, ServiceRequest, handlers)

    async def take_in(self) -> None:
        request = ServiceRequest(
            record_id=REQUEST, version=1, service_code="POTHOLE", received_at=NOW, updated_at=NOW
        )
        await self._records.put(request, NOW)

    async def hears(self, *said: ev.RecordEvent) -> list[str]:
        """The kinds of error of what it refuses."""
        events = [Event(str(uuid4()), "/direct311/x", data.record_id, NOW, data) for data in said]
        return [type(error).__name__ for _, error in await self._processor.apply(events)]

    def request(self, record_id: str = REQUEST) -> ServiceRequest:
        return self._records.state(record_id)


def worked(version: int, status: ev.WorkStatus) -> ev.WorkUpdated:
    return ev.WorkUpdated(
        record_id=REQUEST,
        version=version,
        update_id=str(version),
        department="public_works",
        status=status,
        occurred_at=NOW,
        accepted_at=NOW + timedelta(hours=version),
    )


def ordered(version: int, record_id: str = REQUEST) -> ev.DispositionOrdered:
    return ev.DispositionOrdered(
        record_id=record_id,
        version=version,
        order_id="o1",
        items=("94",),
        holders=("intake",),
        custodian="carla",
        records_officer="raul",
        ordered_at=NOW + timedelta(hours=2),
    )


async def test_a_request_that_is_closed_is_destroyed() -> None:
    intake = Intake()
    await intake.take_in()
    assert await intake.hears(worked(1, "fixed"), ordered(1)) == []
    assert (intake.request().lifecycle, intake.request().order_id) == ("destroying", "o1")


async def test_a_request_that_was_reopened_is_not_destroyed() -> None:
    intake = Intake()
    await intake.take_in()
    said = (worked(1, "fixed"), worked(2, "in_progress"), ordered(1))
    assert await intake.hears(*said) == ["StillOpenError"]
    assert (intake.request().lifecycle, intake.request().order_id) == ("active", None)
    assert (intake.request().status, intake.request().closed_at) == ("in_progress", None)
    # A closing after the order restarts the clock: the same order, given again, ends nothing.
    assert await intake.hears(worked(3, "fixed"), ordered(1)) == ["StillOpenError"]
    assert (intake.request().lifecycle, intake.request().status) == ("active", "fixed")


async def test_what_is_held_is_refused_as_by_every_holder() -> None:
    intake = Intake()
    await intake.take_in()
    hold = ev.HoldPlaced(
        record_id=REQUEST, version=1, hold_id="h", kind="litigation", authority="a", placed_at=NOW
    )
    assert await intake.hears(worked(1, "fixed"), hold, ordered(2)) == ["HeldError"]


async def test_an_order_for_what_intake_never_had_is_answered() -> None:
    intake, other = Intake(), new_id()
    assert await intake.hears(ordered(1, other)) == []
    assert intake.request(other).lifecycle == "destroying"
