"""Whose job it is when rules, request and place change, in every state of the work."""

from copy import copy
from typing import Any, get_args

import pytest

from direct311.routing.assignment.adapters import load_rules
from direct311.routing.assignment.domain.rules import Condition, Outcome, Rule
from direct311.routing.assignment.handlers import Routing
from direct311.routing.job import Job, Work
from direct311.routing.states import Move, allowed
from direct311.runtime.messaging.state import Change
from direct311.schemas import Event, routed_topic
from direct311.schemas import events as ev
from direct311.schemas.model import Model
from tests.support.runtime import NOW, SetClock

pytestmark = pytest.mark.anyio

FILES = load_rules()
STATES = FILES.states
STATUSES: tuple[ev.RequestStatus, ...] = get_args(ev.RequestStatus)
WORKED = [status for status in STATUSES if status not in ("identity_required", "withdrawn")]
DOG = next(
    each.service_code
    for each in FILES.rulebook.services.values()
    if FILES.rulebook.department_of_owner[each.owner] == "animal_services"
)
RECORD = "01900000-0000-7000-8000-000000000001"
THANKS = (ev.Remark(at=NOW, text="Thanks."),)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def routing(*first: Rule) -> Routing:
    """With these rules before the packaged ones."""
    book = copy(FILES.rulebook)
    book.rules = book.rules.model_copy(update={"rules": (*first, *book.rules.rules)})
    return Routing(book, STATES, SetClock())


MOVED = Rule(
    rule="moved",
    when=Condition(service_codes=(DOG,)),
    then=Outcome(department="solid_waste", due_working_days=90),
    reason="Another department does this now.",
)
LATER = Rule(
    rule="later",
    when=Condition(service_codes=(DOG,)),
    then=Outcome(department="animal_services", due_working_days=90),
    reason="Another goal.",
)


def event(data: Model) -> Event[Any]:
    return Event("e", "/direct311/test", RECORD, NOW, data)


def updated(version: int, **said: object) -> Event[ev.RequestUpdated]:
    data = ev.RequestUpdated(
        record_id=RECORD,
        version=version,
        changed=("place_checked",),
        service_code=DOG,
        status="received",
        updated_at=NOW,
        received_at=NOW,
        place=ev.Place(address="111 NW 1 ST"),
        place_checked=True,
    )
    return event(data.model_copy(update=said))


def located(version: int = 1) -> Event[ev.LocationResolved]:
    return event(
        ev.LocationResolved(
            record_id=RECORD,
            version=version,
            place_version=1,
            outcome="resolved",
            latitude=25.7751,
            longitude=-80.1947,
            address="111 NW 1 ST",
            municipality="Miami",
            zip_code="33128",
            commission_district="5",
            layers={"flood_zone": "AE"},
            boundary_sets={"municipality": "2026.1"},
            resolved_at=NOW,
        )
    )


def state(change: Change[Job] | None) -> Job:
    assert change is not None
    return change.state


async def job(status: ev.RequestStatus = "routed") -> Job:
    """A job of animal services, where the work stands at `status`."""
    calm = routing()
    known = state(await calm.located(Job(record_id=RECORD), located()))
    routed = state(await calm.updated(known, updated(2)))
    assert (routed.status, routed.department) == ("routed", "animal_services")
    return routed.model_copy(update={"status": status, "overdue_noticed": True})


# ---------------------------------------------------------------- whose job it is


@pytest.mark.parametrize("status", WORKED)
async def test_other_rules_move_a_job_only_where_routing_may_move_it(
    status: ev.RequestStatus,
) -> None:
    before = await job(status)
    change = await routing(MOVED).updated(before, updated(3, remarks=THANKS))
    after = state(change)
    may = allowed(Move(current=status, proposed="routed", actor="routing"), STATES)
    if may and not STATES.state(status).final:
        assert (after.department, after.status) == ("solid_waste", "routed")
        assert not after.overdue_noticed
    else:
        kept = {"department", "status", "due_on", "overdue_noticed"}
        assert after.model_dump(include=kept) == before.model_dump(include=kept)


@pytest.mark.parametrize("status", [each for each in WORKED if STATES.state(each).final])
async def test_a_closed_job_tells_its_department_what_is_new_and_keeps_its_date(
    status: ev.RequestStatus,
) -> None:
    before = await job(status)
    for rules in (routing(MOVED), routing(LATER)):
        change = await rules.updated(before, updated(3, remarks=THANKS))
        assert change is not None
        own, copy = change.events
        assert isinstance(own.data, ev.RequestRouted)
        assert (own.data, copy.topic) == (copy.data, routed_topic("animal_services"))
        assert (own.data.revision, own.data.remarks) == (2, THANKS)
        assert (own.data.due_on, own.data.rule_id) == (
            before.due_on,
            before.routed and before.routed.rule_id,
        )
        assert change.state.due_on == before.due_on
        again = await rules.updated(change.state, updated(4, remarks=THANKS))
        assert again is not None
        assert again.events == ()


async def test_an_open_job_follows_the_rules_to_another_date() -> None:
    before = await job("in_progress")
    after = state(await routing(LATER).updated(before, updated(3)))
    assert (after.department, after.status) == ("animal_services", "in_progress")
    assert before.due_on
    assert after.due_on
    assert after.due_on > before.due_on


# ---------------------------------------------------------------- what staff take back


def recalls(change: Change[Job] | None) -> list[ev.RequestRecalled]:
    assert change is not None
    return [each.data for each in change.events if isinstance(each.data, ev.RequestRecalled)]


@pytest.mark.parametrize("status", WORKED)
async def test_a_job_that_is_held_for_identity_is_recalled_and_begins_again_when_released(
    status: ev.RequestStatus,
) -> None:
    change = await routing().updated(await job(status), updated(3, status="identity_required"))
    assert [each.department for each in recalls(change)] == ["animal_services"] * 2
    held = state(change)
    assert (held.status, held.department, held.routed) == ("identity_required", None, None)
    assert not recalls(await routing().updated(held, updated(4, status="identity_required")))
    released = await routing().updated(held, updated(4))
    assert released is not None
    assert (released.state.status, released.state.department) == ("routed", "animal_services")
    assert isinstance(released.events[0].data, ev.RequestRouted)
    assert released.events[0].data.revision == 2
    assert not released.state.overdue_noticed


async def test_what_a_department_said_of_a_recalled_job_is_not_shown_to_the_next_one() -> None:
    said = Work(step="scheduled", at=NOW, work_reference="W-7", assigned_to="Crew 7")
    worked = (await job("in_progress")).worked("in_progress", 0, said, NOW)
    held = state(await routing().updated(worked, updated(3, status="identity_required")))
    released = state(await routing().updated(held, updated(4)))
    assert (released.status, released.work) == ("routed", None)


@pytest.mark.parametrize("status", WORKED)
async def test_a_new_type_moves_open_work_and_tells_the_department_of_finished_work(
    status: ev.RequestStatus,
) -> None:
    other = next(
        each.service_code
        for each in FILES.rulebook.services.values()
        if FILES.rulebook.department_of_owner[each.owner] == "solid_waste"
    )
    change = await routing().updated(await job(status), updated(3, service_code=other))
    may = allowed(Move(current=status, proposed="routed", actor="routing"), STATES)
    if may and not STATES.state(status).final:
        assert [each.department for each in recalls(change)] == ["animal_services"] * 2
        assert state(change).department not in (None, "animal_services")
        assert state(change).status == "routed"
    else:
        assert not recalls(change)
        assert (state(change).department, state(change).status) == ("animal_services", status)
    routed = state(change).routed
    assert routed
    assert routed.service_code == other


@pytest.mark.parametrize("status", WORKED)
async def test_a_job_at_a_new_place_has_no_department_until_the_place_is_checked(
    status: ev.RequestStatus,
) -> None:
    moved = updated(3, place_version=2, place_checked=False)
    checked = updated(4, place_version=2)
    there = event(located(2).data.model_copy(update={"place_version": 2}))
    final = STATES.state(status).final
    for before_the_edit in (False, True):
        one = await job(status)
        if before_the_edit:
            # Geo's answer comes first: the topics have no common order.
            one = state(await routing().located(one, there))
            assert (one.department, one.status) == ("animal_services", status)
        change = await routing().updated(one, moved)
        two = state(change)
        assert len(recalls(change)) == (0 if final else 2)
        assert (two.department is None, two.status) == (not final, status)
        if not before_the_edit:
            two = state(await routing().located(two, there))
            assert (two.department is None) is not final
        three = state(await routing().updated(two, checked))
        assert (three.department, three.status) == (
            "animal_services",
            status if final else "routed",
        )
        # The department of finished work learns nothing new here.
        assert three.revision == (1 if final else 2)
        assert three.routed
        assert three.routed.request_version == (2 if final else 4)


async def test_a_recalled_job_takes_no_words_of_its_department_to_the_next_one() -> None:
    said = Work(step="assigned", at=NOW, assigned_to="J. Sample", work_reference="WO-1")
    one = (await job("in_progress")).model_copy(update={"work": said})
    two = state(await routing().updated(one, updated(3, place_version=2, place_checked=False)))
    assert (two.department, two.work) == (None, None)


# ---------------------------------------------------------------- protection


PLACE = ("111 NW 1 ST", "25.77", "-80.19", "33128")


def words(job: Job) -> str:
    """All that is kept of a job, as the database has it."""
    return job.model_dump_json()


@pytest.mark.parametrize("status", STATUSES)
async def test_of_a_protected_job_no_address_and_no_point_are_kept(
    status: ev.RequestStatus,
) -> None:
    before = await job(status)
    assert [word for word in PLACE if word not in words(before)] == []
    told = "withdrawn" if status == "withdrawn" else "received"
    municipality = ev.Place(municipality="Miami")
    protected = updated(3, protected=True, place=municipality, status=told)
    after = state(await routing().updated(before, protected))
    assert [word for word in PLACE if word in words(after)] == []
    assert after.department == (None if status == "withdrawn" else before.department)


async def test_a_location_that_comes_after_the_protection_is_not_kept_either() -> None:
    municipality = ev.Place(municipality="Miami")
    calm = routing()
    protected = updated(2, protected=True, place=municipality)
    first = state(await calm.updated(Job(record_id=RECORD), protected))
    after = state(await calm.located(first, located()))
    assert [word for word in PLACE if word in words(after)] == []
    assert after.department == "animal_services"


@pytest.mark.parametrize("kind", ["municipality", "layer"])
async def test_a_protected_job_is_still_decided_by_its_area(kind: str) -> None:
    when = {
        "municipality": Condition(municipalities=("Miami",)),
        "layer": Condition(layers={"flood_zone": ("AE",)}),
    }[kind]
    there = Rule(rule="there", when=when, then=Outcome(department="parks"), reason="It is there.")
    protected = updated(3, protected=True, place=ev.Place(municipality="Miami"))
    before = await job()
    kept = state(await routing().updated(before, protected))
    after = state(await routing(there).updated(kept, updated(4, protected=True)))
    assert after.department == "parks"
