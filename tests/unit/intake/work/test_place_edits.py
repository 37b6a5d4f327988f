"""Staff correct the place of a request: it is a new place until geo and the registry answer."""

from datetime import timedelta
from typing import Any

import pytest

from direct311.intake.indexes.handlers.places import place_values
from direct311.intake.open311.adapters.listing import listed_fields
from direct311.intake.request import Located, ServiceRequest, own_place, public_place
from direct311.intake.work.handlers.edit import RETRIED_WITHIN
from direct311.schemas import events as ev
from tests.support.runtime import NOW
from tests.support.work import PARKS, WorkingIntake

pytestmark = pytest.mark.anyio

OLD = ev.Place(latitude=25.70, longitude=-80.30, address="100 OLD ST")
POINT = {"latitude": 25.77, "longitude": -80.19}
NEW = {**POINT, "address": "111 NW 1 ST"}


def found(at: ev.Place) -> Located:
    return Located(
        outcome="resolved",
        latitude=at.latitude,
        longitude=at.longitude,
        municipality="Miami",
        method="point",
    )


async def stored(intake: WorkingIntake, **fields: Any) -> ServiceRequest:
    """A request at the old place, which was checked."""
    given = {
        "department": "parks",
        "status": "in_progress",
        "due_on": NOW.date(),
        "place": OLD,
        "located": found(OLD),
        **fields,
    }
    request = await intake.request("r-1", **given)
    values = place_values(intake.indexes.place, request)
    await intake.records.put(request.place_indexed(values), NOW)
    return intake.state()


def located(place_version: int, version: int = 5) -> ev.LocationResolved:
    return ev.LocationResolved(
        record_id="r-1",
        version=version,
        place_version=place_version,
        outcome="resolved",
        municipality="Miami",
        method="point",
        confidence=0.9,
        resolved_at=NOW,
        **POINT,
    )


def routed(version: int, request_version: int) -> ev.RequestRouted:
    return ev.RequestRouted(
        record_id="r-1",
        version=version,
        request_version=request_version,
        department="public_works",
        revision=2,
        service_code="ANI-STRAY-DOG",
        place=ev.Place(),
        received_at=NOW,
        routed_at=NOW,
        rule_id="r",
        rules_version="1",
        reason="It is so.",
    )


def reported(version: int, status: ev.RequestStatus, note: str = "") -> ev.WorkUpdatedV2:
    return ev.WorkUpdatedV2(
        record_id="r-1",
        version=version,
        department="parks",
        update_id=f"u-{version}",
        step="acknowledged",
        status=status,
        note=note,
        occurred_at=NOW,
        accepted_at=NOW,
    )


def worked(version: int, status: ev.RequestStatus) -> ev.WorkUpdated:
    return ev.WorkUpdated(
        record_id="r-1",
        version=version,
        department="parks",
        update_id=f"u-{version}",
        status=status,
        occurred_at=NOW,
        accepted_at=NOW,
    )


@pytest.mark.parametrize("protected", [False, True])
async def test_a_new_place_goes_out_unchecked_and_as_given(protected: bool) -> None:
    intake = WorkingIntake()
    before = await stored(intake, protected=protected, listed=not protected)
    answer = intake.edit(PARKS, place=NEW)
    assert (answer.status_code, answer.headers["etag"]) == (200, '"1"')
    shown = answer.json()
    assert (shown["status"], shown["department"], shown["due_on"]) == ("received", None, None)
    assert (shown["place_version"], shown["place_checked"]) == (2, False)
    assert shown["location"] is None
    (said,) = intake.said()
    assert said.changed == ("place", "status")
    assert (said.place, said.place_version, said.place_checked) == (ev.Place(**NEW), 2, False)
    assert said.version == before.version + 1
    state = intake.state()
    assert state.edits[0].place == OLD
    assert (state.edits[0].service_code, state.edits[0].attributes) == (None, None)
    assert listed_fields(state) == {}
    assert public_place(state) == ev.Place()
    assert own_place(state) == ev.Place()
    # Their department does not have it now; the same call is still recognized.
    assert intake.edit(PARKS, place=NEW).json() == shown
    assert intake.edit(PARKS, at=1, place=NEW).status_code == 404
    # Whatever changes meanwhile repeats the place as it was given.
    intake.edit(at=1, service_code="ANI-STRAY-DOG", place={"address": "112 NW 1 ST"})
    assert intake.said()[-1].place == ev.Place(address="112 NW 1 ST")
    assert intake.said()[-1].place_version == 3


async def test_it_is_listed_and_routed_again_once_the_new_place_was_checked() -> None:
    intake = WorkingIntake()
    await stored(intake)
    intake.edit(place=NEW)
    # Geo's answer for the old place, and a routing of it, are still on their way.
    assert await intake.follow.located(intake.state(), intake.event(located(1))) is None
    late = await intake.taken(intake.follow.routed, routed(3, 2))
    assert (late.department, late.status) == (None, "received")
    late = await intake.taken(intake.follow.worked, worked(4, "on_hold"))
    assert (late.department, late.status) == (None, "received")
    checked = await intake.taken(intake.follow.located, located(2))
    assert (checked.place_checked, checked.listed, checked.protected) == (True, True, False)
    assert checked.located
    assert (checked.located.method, checked.located.confidence) == ("point", 0.9)
    fresh = await intake.taken(intake.follow.routed, routed(9, checked.version))
    assert (fresh.department, fresh.status) == ("public_works", "routed")
    assert (await intake.taken(intake.follow.worked, worked(10, "on_hold"))).status == "on_hold"


async def test_a_step_from_before_the_edit_changes_no_status() -> None:
    intake = WorkingIntake()
    await stored(intake)
    intake.edit(place=NEW)
    late = await intake.taken(intake.follow.reported, reported(4, "in_progress", "On our way."))
    assert (late.status, late.notes[-1].text) == ("received", "On our way.")
    assert (late.notes[-1].kind, late.notes[-1].status) == ("notice", None)
    done = await intake.taken(intake.follow.reported, reported(5, "fixed"))
    assert (done.status, done.closed_at) == ("fixed", NOW)


async def test_a_step_from_before_the_hold_does_not_lift_it() -> None:
    intake = WorkingIntake()
    await stored(intake, status="identity_required", held_because="name_and_address")
    lines = len(intake.state().notes)
    for status in ("in_progress", "fixed"):
        late = await intake.taken(intake.follow.reported, reported(4, status))
        assert (late.status, len(late.notes)) == ("identity_required", lines)
    said = await intake.taken(intake.follow.reported, reported(5, "fixed", "It is done."))
    assert (said.status, said.notes[-1].text) == ("identity_required", "It is done.")


async def test_work_that_was_finished_meanwhile_stays_finished() -> None:
    intake = WorkingIntake()
    await stored(intake)
    intake.edit(place=NEW)
    done = await intake.taken(intake.follow.worked, worked(4, "fixed"))
    assert (done.status, done.closed_at) == ("fixed", NOW)
    await intake.taken(intake.follow.located, located(2))
    after = await intake.taken(intake.follow.routed, routed(9, intake.state().version))
    assert (after.department, after.status) == ("public_works", "fixed")


async def test_a_protected_new_place_is_protected_before_anybody_sees_it() -> None:
    intake = WorkingIntake()
    await stored(intake)
    intake.registry.hashes |= {*intake.indexes.place("111 NW 1 ST", None, None)}
    intake.edit(place=NEW)
    checked = await intake.taken(intake.follow.located, located(2))
    assert (checked.protected, checked.listed) == (True, False)
    assert public_place(checked) == ev.Place(municipality="Miami")
    # Its reporter did not give this place.
    assert own_place(checked) == ev.Place(address="Miami", municipality="Miami")


async def test_the_reporter_sees_a_corrected_place_as_the_public_does() -> None:
    intake = WorkingIntake()
    before = await stored(intake)
    assert own_place(before).address == OLD.address
    intake.edit(place=NEW)
    checked = await intake.taken(intake.follow.located, located(2))
    assert own_place(checked) == ev.Place(**POINT, address="Miami", municipality="Miami")


async def test_a_repeat_is_answered_for_a_while_after_the_department_lost_the_request() -> None:
    intake = WorkingIntake()
    await stored(intake)
    assert intake.edit(PARKS, place=NEW).status_code == 200
    assert intake.edit(PARKS, place=NEW).status_code == 200
    intake.clock.advance(RETRIED_WITHIN + timedelta(seconds=1))
    assert intake.edit(PARKS, place=NEW).status_code == 404
    await intake.records.put(intake.state().assigned("parks", None, at=NOW), NOW)
    assert intake.edit(PARKS, place=NEW).status_code == 200
    await intake.records.put(intake.state().destruction_ordered("o-1"), NOW)
    assert intake.edit(PARKS, place=NEW).status_code == 404


async def test_a_request_that_is_being_destroyed_answers_no_repeat() -> None:
    intake = WorkingIntake()
    await stored(intake)
    assert intake.edit(place=NEW).status_code == 200
    await intake.records.put(intake.state().destruction_ordered("o-1"), NOW)
    assert intake.edit(place=NEW).status_code == 404


async def test_a_new_place_keeps_answers_that_the_type_no_longer_asks_for() -> None:
    intake = WorkingIntake()
    kept = (ev.AttributeValue(code="GONE", values=("YES",)),)
    await stored(intake, attributes=kept)
    intake.edit(place=NEW)
    assert intake.state().attributes == kept


async def test_moving_a_point_away_from_a_protected_home_does_not_end_its_protection() -> None:
    intake = WorkingIntake()
    intake.registry.hashes |= {*intake.indexes.place("100 OLD ST", None, None)}
    await stored(intake, protected=True, listed=False)
    intake.edit(place=NEW)
    checked = await intake.taken(intake.follow.located, located(2))
    assert (checked.protected, checked.listed) == (True, False)
    # It ends with the registry's entry.
    intake.registry.hashes.clear()
    assert not intake.follow.protect(checked).protected


async def test_a_protected_home_that_geo_has_not_read_yet_stays_protected_too() -> None:
    intake = WorkingIntake()
    intake.registry.hashes |= {*intake.indexes.place("100 OLD ST", None, None)}
    await intake.request("r-1", department="parks", place=OLD, place_checked=False)
    intake.edit(place=NEW)
    checked = await intake.taken(intake.follow.located, located(2))
    assert (checked.protected, checked.listed) == (True, False)


async def test_an_old_place_that_nobody_protects_leaves_no_values() -> None:
    intake = WorkingIntake()
    before = await stored(intake)
    assert before.indexes["place"]
    intake.edit(place=NEW)
    state = intake.state()
    assert not {*before.indexes["place"]} & {v for values in state.indexes.values() for v in values}


@pytest.mark.parametrize("status", ["fixed", "closed", "duplicate", "withdrawn"])
async def test_a_closed_request_keeps_its_place(status: str) -> None:
    intake = WorkingIntake()
    await stored(intake, status=status, closed_at=NOW - timedelta(days=1))
    answer = intake.edit(place=NEW)
    assert (answer.status_code, answer.json()["field"]) == (409, "place")
    assert "only while it is open" in answer.json()["detail"]
    assert intake.access_log.events() == []


async def test_a_held_complaint_stays_held_at_its_new_place() -> None:
    intake = WorkingIntake()
    await stored(intake, status="identity_required", held_because="name_and_address")
    shown = intake.edit(place=NEW).json()
    assert (shown["status"], shown["place_version"]) == ("identity_required", 2)


@pytest.mark.parametrize(
    "place", [{}, {"latitude": 25.7}, {"longitude": -80.1}, {"latitude": 91, "longitude": 0}]
)
async def test_what_is_no_place_is_refused(place: dict[str, float]) -> None:
    intake = WorkingIntake()
    await stored(intake)
    assert intake.edit(place=place).status_code == 422


async def test_an_address_is_taken_without_what_is_no_part_of_it() -> None:
    intake = WorkingIntake()
    await stored(intake)
    intake.edit(place={"address": "111 NW 1 ST, call 305-555-0142"})
    assert "305-555-0142" not in intake.state().model_dump_json(exclude={"sealed"})
    assert (intake.said()[0].place.address or "").startswith("111 NW 1 ST")
