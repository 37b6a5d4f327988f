"""The steps of version 2: each status that it leads to, each refusal, and what is said of it."""

from datetime import datetime, timedelta
from typing import Any, get_args
from uuid import uuid4

import pytest

from direct311.routing.assignment.adapters import load_rules
from direct311.routing.job import Asked, Job
from direct311.routing.work.domain import (
    ANSWERS_KEPT,
    MOST_SAID,
    delivery_state,
    unacknowledged_since,
    update_key,
)
from direct311.runtime.messaging.broker import Received
from direct311.schemas import Event, updates_topic
from direct311.schemas import events as ev
from direct311.schemas.model import Model
from tests.support.runtime import NOW
from tests.unit.routing.test_steps import CLOSED, OPEN, POSSIBLE
from tests.unit.routing.work.test_consumers import RoutingUnderTest

pytestmark = pytest.mark.anyio

FILES = load_rules()
STATUSES: tuple[ev.RequestStatus, ...] = get_args(ev.RequestStatus)
RECORD = "01900000-0000-7000-8000-000000000001"
ANOTHER = "01900000-0000-7000-8000-000000000002"
WORDS = "Call Ana at 305-555-0142."

FIELDS: dict[ev.WorkStep, dict[str, Any]] = {
    "acknowledged": {},
    "assigned": {"assigned_to": "Crew 7"},
    "scheduled": {
        "scheduled_for": NOW + timedelta(days=2),
        "scheduled_until": NOW + timedelta(days=2, hours=4),
    },
    "in_progress": {},
    "note": {"note": "Looked at it."},
    "waiting": {"waiting_for": "reporter"},
    "wrong_department": {},
    "referred": {"referred_to": "solid_waste"},
    "handed_over": {},
    "resolved": {"outcome": "fixed"},
    "reopened": {},
}
"""What each step needs."""
AFTER: dict[ev.WorkStep, ev.RequestStatus | None] = {
    "acknowledged": None,
    "assigned": None,
    "scheduled": None,
    "in_progress": "in_progress",
    "note": None,
    "waiting": "on_hold",
    "wrong_department": "routed",
    "referred": "routed",
    "handed_over": "referred",
    "resolved": "fixed",
    "reopened": "in_progress",
}
"""The status after each step; `None`: the same."""


def step(name: str, department: str = "parks", **said: Any) -> Received:
    fields = FIELDS.get(name, {}) | {"occurred_at": NOW} | said  # type: ignore[call-overload]
    data = ev.DepartmentUpdateV2.model_validate(
        {"record_id": RECORD, "department": department, "step": name, **fields}
    )
    event: Event[Model] = Event(str(uuid4()), f"/department/{department}", RECORD, NOW, data)
    return Received(event, {}, b"", updates_topic(department), 0, 0)


def routed_to(department: str) -> ev.RequestRouted:
    return ev.RequestRouted(
        record_id=RECORD,
        version=1,
        request_version=1,
        department=department,
        revision=1,
        service_code="ROAD-POTHOLE",
        place=ev.Place(),
        received_at=NOW,
        routed_at=NOW,
        due_on=NOW.date(),
        rule_id="r",
        rules_version="1",
        reason="A rule.",
    )


class Reporting(RoutingUnderTest):
    """Routing with one job, which `parks` has."""

    async def has(self, status: ev.RequestStatus = "routed", **fields: object) -> None:
        department = str(fields.get("department", "parks"))
        asked = Asked(
            version=1,
            service_code="ROAD-POTHOLE",
            received_at=NOW,
            place=ev.Place(),
            place_checked=True,
        )
        located = ev.LocationResolved(
            record_id=RECORD, version=1, place_version=1, outcome="resolved", resolved_at=NOW
        )
        facts: dict[str, object] = {
            "status": status,
            "asked": asked,
            "located": located,
            "routed": routed_to(department),
            "revision": 1,
            "due_on": NOW.date(),
        }
        await self.job(RECORD, **(facts | fields))

    async def now(self) -> Job:
        found = await self.find(RECORD)
        assert found is not None
        return found

    async def told(self, came: Received) -> Model:
        """The reply to a step."""
        assert await self.process([came]) == []
        replies = await self.replies()
        return replies[-1]

    async def replies(self) -> list[Model]:
        kinds = (ev.UpdateAcceptedV2, ev.UpdateRefusedV2)
        return [each for each in await self.answers() if isinstance(each, kinds)]

    async def refused(self, came: Received) -> ev.UpdateRefusedV2:
        """The refusal of a step, which changes nothing else and names it in no other event."""
        before = await self.now()
        reply = await self.told(came)
        assert isinstance(reply, ev.UpdateRefusedV2)
        after = await self.now()
        assert (after.status, after.department, after.work) == (
            before.status,
            before.department,
            before.work,
        )
        assert [type(each) for each in await self.answers()] == [ev.UpdateRefusedV2]
        return reply


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("name", FIELDS)
async def test_every_step_in_every_status(name: ev.WorkStep, status: ev.RequestStatus) -> None:
    routing = Reporting()
    await routing.has(status)
    reply = await routing.told(step(name))
    if status in POSSIBLE[name]:
        assert isinstance(reply, ev.UpdateAcceptedV2)
        assert (reply.step, reply.status) == (name, AFTER[name] or status)
        assert (await routing.now()).status == reply.status
        (work,) = [each for each in await routing.answers() if isinstance(each, ev.WorkUpdatedV2)]
        assert (work.step, work.status) == (name, reply.status)
    else:
        assert isinstance(reply, ev.UpdateRefusedV2)
        assert (reply.code, reply.field) == ("transition", "step")
        assert set(reply.allowed) == {each for each in POSSIBLE if status in POSSIBLE[each]}
        assert (await routing.now()).status == status


@pytest.mark.parametrize("outcome", get_args(ev.WorkOutcome))
@pytest.mark.parametrize("status", sorted(OPEN))
async def test_each_outcome_is_the_status_after_it(
    status: ev.RequestStatus, outcome: ev.WorkOutcome
) -> None:
    routing = Reporting()
    await routing.has(status)
    await routing.job(ANOTHER)
    of = {"duplicate_of": ANOTHER} if outcome == "duplicate" else {}
    reply = await routing.told(step("resolved", outcome=outcome, **of))
    if (status, outcome) == ("referred", "duplicate"):
        assert isinstance(reply, ev.UpdateRefusedV2)
        assert (reply.code, reply.field) == ("transition", "outcome")
    else:
        assert isinstance(reply, ev.UpdateAcceptedV2)
        assert reply.status == outcome


@pytest.mark.parametrize(
    ("name", "said", "field"),
    [
        ("assigned", {"assigned_to": None}, "assigned_to"),
        ("scheduled", {"scheduled_for": None}, "scheduled_for"),
        ("scheduled", {"scheduled_for": NOW - timedelta(days=2)}, "scheduled_for"),
        ("scheduled", {"scheduled_for": NOW + timedelta(days=9_000)}, "scheduled_for"),
        ("scheduled", {"scheduled_until": NOW}, "scheduled_until"),
        ("waiting", {"waiting_for": None}, "waiting_for"),
        ("note", {"note": ""}, "note"),
        ("note", {"outcome": "fixed"}, "outcome"),
        ("in_progress", {"note_for": "internal"}, "note_for"),
        ("in_progress", {"referred_to": "solid_waste"}, "referred_to"),
        ("wrong_department", {"referred_to": "solid_waste"}, "referred_to"),
        ("acknowledged", {"waiting_for": "agency"}, "waiting_for"),
        ("referred", {"referred_to": None}, "referred_to"),
        ("referred", {"referred_to": "nobody"}, "referred_to"),
        ("referred", {"referred_to": "parks"}, "referred_to"),
        ("resolved", {"outcome": None}, "outcome"),
        ("resolved", {"outcome": "duplicate"}, "duplicate_of"),
        ("resolved", {"outcome": "fixed", "duplicate_of": ANOTHER}, "duplicate_of"),
        ("resolved", {"outcome": "duplicate", "duplicate_of": RECORD}, "duplicate_of"),
        ("resolved", {"outcome": "duplicate", "duplicate_of": ANOTHER}, "duplicate_of"),
        ("resolved", {"outcome": "duplicate", "duplicate_of": "Maria_Lopez"}, "duplicate_of"),
        ("in_progress", {"occurred_at": NOW + timedelta(hours=2)}, "occurred_at"),
        ("in_progress", {"occurred_at": NOW - timedelta(days=400)}, "occurred_at"),
    ],
)
async def test_nonsense_is_refused_with_the_field(
    name: str, said: dict[str, Any], field: str
) -> None:
    routing = Reporting()
    await routing.has()
    reply = await routing.refused(step(name, **said))
    assert (reply.code, reply.field) == ("malformed", field)
    assert routing.notes.calls == 0


async def test_two_requests_are_not_each_others_duplicates() -> None:
    routing = Reporting()
    await routing.has()
    await routing.job(ANOTHER)
    first = step("resolved", outcome="duplicate", duplicate_of=ANOTHER)
    assert isinstance(await routing.told(first), ev.UpdateAcceptedV2)
    back = ev.DepartmentUpdateV2(
        record_id=ANOTHER,
        department="parks",
        step="resolved",
        outcome="duplicate",
        duplicate_of=RECORD,
        occurred_at=NOW,
    )
    event: Event[Model] = Event(str(uuid4()), "/department/parks", ANOTHER, NOW, back)
    reply = await routing.told(Received(event, {}, b"", updates_topic("parks"), 0, 0))
    assert isinstance(reply, ev.UpdateRefusedV2)
    assert reply.field == "duplicate_of"


async def test_another_departments_job_is_not_ours() -> None:
    routing = Reporting()
    await routing.has(department="solid_waste")
    assert (await routing.refused(step("in_progress"))).code == "wrong_department"
    nobodys = Reporting()
    await nobodys.job(RECORD, department=None)
    assert (await nobodys.refused(step("in_progress"))).code == "not_assigned"


async def test_a_step_of_an_unknown_request_is_answered_once() -> None:
    routing = Reporting()
    one = step("in_progress")
    for _ in range(3):
        assert await routing.process([one]) == []
    (reply,) = await routing.replies()
    assert isinstance(reply, ev.UpdateRefusedV2)
    assert (reply.code, reply.field) == ("unknown_record", "record_id")


async def test_a_step_is_taken_once_and_its_answer_kept() -> None:
    routing = Reporting()
    await routing.has()
    one = step("in_progress")
    for _ in range(3):
        assert await routing.process([one]) == []
    assert len(await routing.replies()) == 1
    (answer,) = (await routing.now()).answers
    assert (answer.key, answer.status) == (update_key("parks", one.event.id), "in_progress")


async def test_a_job_keeps_its_last_answers() -> None:
    routing = Reporting()
    await routing.has()
    for _ in range(ANSWERS_KEPT + 3):
        await routing.process([step("in_progress")])
    assert len((await routing.now()).answers) == ANSWERS_KEPT


# ---------------------------------------------------------------- moving


async def test_a_referred_job_goes_to_the_department_named() -> None:
    routing = Reporting()
    await routing.has("in_progress")
    await routing.told(step("referred"))
    job = await routing.now()
    assert (job.department, job.status, job.due_on) == ("solid_waste", "routed", NOW.date())
    said = [type(each).__name__ for each in await routing.answers()]
    assert sorted(said) == [
        "RequestRecalled",
        "RequestRecalled",
        "RequestRouted",
        "RequestRouted",
        "UpdateAcceptedV2",
        "WorkUpdatedV2",
    ]
    topics = {each.message.topic for each in routing.publisher.sent}
    assert {"routed.parks", "routed.solid_waste", "replies.parks"} <= topics
    first, second = job.deliveries
    assert (first.department, first.ended, first.refused_at) == ("parks", True, None)
    assert first.acknowledged_at == NOW
    assert (second.department, second.ended, second.acknowledged_at) == (
        "solid_waste",
        False,
        None,
    )


async def test_a_job_at_the_wrong_department_goes_to_triage_which_keeps_it() -> None:
    routing = Reporting()
    await routing.has()
    await routing.told(step("wrong_department"))
    job = await routing.now()
    assert (job.department, job.status) == ("triage_311", "routed")
    assert job.deliveries[0].refused_at == NOW
    reply = await routing.told(step("wrong_department", "triage_311"))
    assert isinstance(reply, ev.UpdateRefusedV2)
    assert reply.code == "transition"
    assert "wrong_department" not in reply.allowed
    assert (await routing.now()).department == "triage_311"


async def test_a_handed_over_job_stays_until_its_type_or_place_is_another() -> None:
    routing = Reporting()
    await routing.has()
    await routing.told(step("referred"))

    async def updated(version: int, **said: Any) -> None:
        data = ev.RequestUpdated(
            record_id=RECORD,
            version=version,
            changed=("text",),
            service_code="ROAD-POTHOLE",
            status="routed",
            updated_at=NOW,
            received_at=NOW,
            place=ev.Place(),
            place_checked=True,
        ).model_copy(update=said)
        event: Event[Model] = Event(str(uuid4()), "/direct311/intake", RECORD, NOW, data)
        assert await routing.process([Received(event, {}, b"", "request.updated", 0, 0)]) == []

    await updated(2, text="More words.")
    job = await routing.now()
    assert (job.department, job.revision) == ("solid_waste", 3)
    await updated(3, service_code="ANI-STRAY-DOG")
    assert (await routing.now()).department not in ("solid_waste", None)


async def test_a_job_whose_place_is_being_checked_does_not_move() -> None:
    routing = Reporting()
    await routing.has()
    job = await routing.now()
    assert job.asked is not None
    unchecked = job.asked.model_copy(update={"place_checked": False})
    await routing.has(asked=unchecked)
    assert (await routing.refused(step("referred", note="See there."))).code == "held"
    assert routing.notes.calls == 0


# ---------------------------------------------------------------- words


async def test_an_internal_note_is_sealed_and_goes_no_further() -> None:
    routing = Reporting()
    await routing.has()
    one = step("note", note=WORDS, note_for="internal")
    assert isinstance(await routing.told(one), ev.UpdateAcceptedV2)
    assert [each.text for each in routing.notes.sealed.values()] == [WORDS]
    (work,) = [each for each in await routing.answers() if isinstance(each, ev.WorkUpdatedV2)]
    assert (work.note, work.note_for) == ("", "internal")
    assert all(b"Ana" not in each.message.body for each in routing.publisher.sent)
    assert "Ana" not in repr(await routing.now())


async def test_a_note_that_cannot_be_sealed_costs_the_step() -> None:
    routing = Reporting()
    await routing.has()
    routing.notes.gone.add(RECORD)
    reply = await routing.refused(step("in_progress", note=WORDS))
    assert (reply.code, reply.field) == ("unknown_record", "note")
    assert "Ana" not in reply.reason


async def test_a_step_without_a_note_is_accepted_when_notes_no_longer_are() -> None:
    routing = Reporting()
    await routing.has(said=MOST_SAID)
    assert (await routing.refused(step("note"))).field == "note"
    assert isinstance(await routing.told(step("resolved")), ev.UpdateAcceptedV2)


async def test_staff_see_the_work_number_crew_and_date() -> None:
    routing = Reporting()
    await routing.has()
    await routing.told(step("assigned", work_reference="WO-7"))
    await routing.told(step("scheduled"))
    await routing.told(step("waiting"))
    await routing.told(step("note"))
    work = (await routing.now()).work
    assert work is not None
    assert (work.step, work.work_reference, work.assigned_to) == ("note", "WO-7", "Crew 7")
    assert work.scheduled_for == FIELDS["scheduled"]["scheduled_for"]
    assert work.waiting_for == "reporter"
    await routing.told(step("in_progress"))
    later = (await routing.now()).work
    assert later is not None
    assert (later.waiting_for, later.work_reference) == (None, "WO-7")


@pytest.mark.parametrize("status", sorted(CLOSED))
async def test_nothing_of_the_work_is_left_with_the_next_department(status: str) -> None:
    routing = Reporting()
    await routing.has()
    await routing.told(step("assigned"))
    await routing.told(step("referred"))
    assert (await routing.now()).work is None
    reply = await routing.told(step("resolved", "solid_waste", outcome=status))
    assert isinstance(reply, ev.UpdateAcceptedV2)


# ---------------------------------------------------------------- deliveries


async def test_a_delivery_is_sent_then_late_until_the_first_accepted_update() -> None:
    routing = Reporting()
    await routing.has()
    day = timedelta(days=1)

    async def state(at: datetime) -> list[str]:
        return [delivery_state(each, at, day) for each in (await routing.now()).known_deliveries]

    assert await state(NOW + day) == ["sent"]
    assert await state(NOW + day + timedelta(seconds=1)) == ["late"]
    assert unacknowledged_since(await routing.now()) == NOW
    await routing.told(step("acknowledged", outcome="fixed"))
    assert unacknowledged_since(await routing.now()) == NOW
    await routing.told(step("acknowledged"))
    assert await state(NOW + 9 * day) == ["acknowledged"]
    assert unacknowledged_since(await routing.now()) is None
    await routing.told(step("wrong_department"))
    assert await state(NOW + 9 * day) == ["refused", "late"]
    assert unacknowledged_since(await routing.now()) is not None


async def test_a_job_from_before_is_acknowledged_if_its_department_worked() -> None:
    routing = Reporting()
    await routing.has("in_progress")
    (delivery,) = (await routing.now()).known_deliveries
    assert (delivery.department, delivery.acknowledged_at) == ("parks", NOW)


async def test_a_job_recalled_before_it_was_acknowledged_is_recalled() -> None:
    routing = Reporting()
    await routing.has()
    job = (await routing.now()).recalled()
    assert [delivery_state(each, NOW, timedelta()) for each in job.deliveries] == ["recalled"]
    assert unacknowledged_since(job) is None
