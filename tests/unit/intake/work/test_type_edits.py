"""Staff correct the type of a request: the new type's rules apply, and everybody learns of it."""

from datetime import timedelta
from typing import Any

import pytest

from direct311.intake.lifecycle.handlers import StillOpenError
from direct311.intake.open311.wire import views
from direct311.runtime.access.rules import Caller
from direct311.schemas import Event
from direct311.schemas import events as ev
from tests.support.intake import PERSON
from tests.support.runtime import NOW
from tests.support.work import CATALOGUE, INSPECTOR, PARKS, WHY, WorkingIntake

pytestmark = pytest.mark.anyio

DOG = "ANI-STRAY-DOG"
ENFORCED = next(each for each in CATALOGUE.services if each.flags.enforcement)
HINTED = next(
    each
    for each in CATALOGUE.services
    if each.flags.emergency_hint and not each.flags.enforcement and each.type == "realtime"
)
PLAIN = next(
    each
    for each in CATALOGUE.services
    if not each.flags.enforcement and not each.flags.emergency_hint and each.service_code != DOG
)
CHOOSING, QUESTION = next(
    (each, question)
    for each in CATALOGUE.services
    if not each.flags.enforcement and each.service_code != DOG
    for question in each.questions.values()
    if question.datatype == "singlevaluelist"
)
NAMED = PERSON | {"reporter_address": "111 NW 1 ST"}


@pytest.fixture
async def intake() -> WorkingIntake:
    made = WorkingIntake()
    await made.request("r-1", department="parks", status="routed")
    return made


def routed(version: int, request_version: int) -> ev.RequestRouted:
    return ev.RequestRouted(
        record_id="r-1",
        version=version,
        request_version=request_version,
        department="parks",
        revision=1,
        service_code=DOG,
        place=ev.Place(),
        received_at=NOW,
        routed_at=NOW,
        rule_id="r",
        rules_version="1",
        reason="It is so.",
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
        note="We were there.",
    )


async def test_a_new_type_is_seen_by_all_and_remembered_with_who_when_and_why(
    intake: WorkingIntake,
) -> None:
    answer = intake.edit(PARKS, service_code=PLAIN.service_code)
    assert (answer.status_code, answer.headers["etag"]) == (200, '"1"')
    shown = answer.json()
    assert (shown["service_code"], shown["status"]) == (PLAIN.service_code, "routed")
    (line,) = shown["edits"]
    assert line == {
        "number": 1,
        "at": shown["updated_at"],
        "by": "paul",
        "roles": ["department"],
        "department": "parks",
        "reason": WHY,
        "changed": ["type"],
        "service_code": DOG,
        "attributes": [],
    }
    assert [each["kind"] for each in shown["history"]] == ["notice"]
    (said,) = intake.said()
    assert (said.changed, said.service_code) == (("type",), PLAIN.service_code)
    state = intake.state()
    assert state.retyped_at == NOW
    public = views.request(state, PLAIN, None, extensions=True)
    assert public["service_code"] == PLAIN.service_code
    assert "paul" not in str(public)
    (entry,) = intake.access_log.events()
    assert (entry.action, entry.why.purpose, entry.why.justification) == ("correct", "respond", WHY)
    assert (entry.agent.id, entry.what.record_ids) == ("paul", ("r-1",))


async def test_a_stale_edit_gets_the_present_state_and_a_retry_its_first_answer(
    intake: WorkingIntake,
) -> None:
    first = intake.edit(service_code=PLAIN.service_code)
    again = intake.edit(service_code=PLAIN.service_code)
    assert again.json() == first.json()
    entries = len(intake.access_log.events())
    for other in (
        intake.edit(service_code=HINTED.service_code),
        intake.edit(PARKS, service_code=PLAIN.service_code),
        intake.edit(at=7, service_code=DOG),
    ):
        assert (other.status_code, other.headers["etag"]) == (412, '"1"')
        assert other.headers["content-type"] == "application/problem+json"
        assert other.json()["type"] == "urn:direct311:problem:stale"
        assert other.json()["present"] == first.json()
    assert len(intake.access_log.events()) == entries
    assert len(intake.said()) == 1
    # What a service says meanwhile makes nobody's edit stale.
    await intake.taken(intake.follow.worked, worked(1, "in_progress"))
    assert intake.edit(at=1, service_code=DOG).status_code == 200


async def test_what_changes_nothing_is_no_edit(intake: WorkingIntake) -> None:
    bodies: list[dict[str, Any]] = [{}, {"service_code": DOG}, {"attributes": []}]
    for body in bodies:
        answer = intake.edit(**body)
        assert (answer.status_code, answer.headers["etag"]) == (200, '"0"')
    assert intake.access_log.events() == []
    assert intake.state().version == 1


async def test_who_may_not_edit_learns_which_rule_says_so(intake: WorkingIntake) -> None:
    refused = intake.edit(Caller("cyd", ("custodian",)), service_code=PLAIN.service_code)
    assert refused.status_code == 403
    assert ":refused:" in refused.json()["type"]
    assert intake.edit(Caller("ada", ("auditor",)), service_code="X").status_code == 403
    foreign = Caller("ann", ("department",), "animal_services")
    assert intake.edit(foreign, service_code=PLAIN.service_code).status_code == 404
    assert intake.edit(INSPECTOR, service_code=PLAIN.service_code).status_code == 200


async def test_who_may_edit_says_what_they_read(intake: WorkingIntake) -> None:
    url, body = "/v1/work/requests/r-1", {"reason": WHY, "service_code": PLAIN.service_code}
    refused = intake.http.patch(url, json=body)
    assert (refused.status_code, refused.json()["field"]) == (422, "if_match")
    intake.caller = Caller("cyd", ("custodian",))
    assert intake.http.patch(url, json=body).status_code == 403
    assert intake.state().version == 1


@pytest.mark.parametrize(
    "body",
    [
        {"service_code": "NO-SUCH-TYPE"},
        {"attributes": [{"code": "NONE", "values": ["1"]}]},
        {"reason": "x"},
        {"channel": "phone"},
    ],
)
async def test_what_the_catalogue_does_not_have_is_refused(
    intake: WorkingIntake, body: dict[str, Any]
) -> None:
    answer = intake.edit(**body)
    assert answer.status_code == 422
    assert intake.state().version == 1


@pytest.mark.parametrize("status", ["received", "routed", "in_progress", "on_hold", "referred"])
async def test_an_anonymous_complaint_to_enforcement_is_held_and_taken_back(
    intake: WorkingIntake, status: str
) -> None:
    await intake.request("r-2", department="parks", status=status, due_on=NOW.date())
    shown = intake.edit(record_id="r-2", service_code=ENFORCED.service_code).json()
    assert (shown["status"], shown["held_because"]) == ("identity_required", "name_and_address")
    assert (shown["department"], shown["due_on"]) == (None, None)
    (said,) = intake.said("r-2")
    assert (said.changed, said.status) == (("type", "status"), "identity_required")
    assert [each["status"] for each in shown["history"]] == ["identity_required"]
    back = intake.edit(record_id="r-2", at=1, service_code=DOG).json()
    assert (back["status"], back["held_because"]) == ("received", None)


async def test_a_complaint_with_name_and_address_is_not_held(intake: WorkingIntake) -> None:
    await intake.request("r-2", NAMED, department="parks", status="routed")
    shown = intake.edit(record_id="r-2", service_code=ENFORCED.service_code).json()
    assert (shown["status"], shown["department"]) == ("routed", "parks")


async def test_what_was_on_its_way_before_the_hold_does_not_lift_it(intake: WorkingIntake) -> None:
    intake.edit(service_code=ENFORCED.service_code)
    held = intake.state()
    for change in (
        (intake.follow.routed, routed(3, held.version - 1)),
        (intake.follow.worked, worked(4, "in_progress")),
        (intake.follow.worked, worked(5, "fixed")),
    ):
        after = await intake.taken(*change)
        assert (after.status, after.department, after.closed_at) == (
            "identity_required",
            None,
            None,
        )
    # Released and routed anew, the work goes on.
    await intake.records.put(intake.state().released(), NOW)
    fresh = await intake.taken(intake.follow.routed, routed(6, intake.state().version))
    assert (fresh.status, fresh.department) == ("routed", "parks")
    assert (await intake.taken(intake.follow.worked, worked(7, "fixed"))).status == "fixed"


async def test_a_step_that_was_on_its_way_before_the_hold_does_not_lift_it(
    intake: WorkingIntake,
) -> None:
    intake.edit(service_code=ENFORCED.service_code)
    before = after = intake.state()
    for version, status, note in ((4, "in_progress", ""), (5, "fixed", "We were there.")):
        step = ev.WorkUpdatedV2(
            record_id="r-1",
            version=version,
            department="parks",
            update_id=f"u-{version}",
            step="resolved",
            status=status,
            occurred_at=NOW,
            accepted_at=NOW,
            note=note,
        )
        after = await intake.taken(intake.follow.reported, step)
        assert (after.status, after.closed_at) == ("identity_required", None)
    (said,) = after.notes[len(before.notes) :]
    assert (said.kind, said.status, said.text) == ("notice", None, "We were there.")


async def test_a_closed_request_keeps_its_state_and_restarts_its_clock(
    intake: WorkingIntake,
) -> None:
    await intake.request("r-2", status="fixed", closed_at=NOW - timedelta(days=9))
    shown = intake.edit(record_id="r-2", service_code=ENFORCED.service_code).json()
    assert shown["status"] == "fixed"
    (said,) = intake.said("r-2")
    assert (said.closed_at, said.updated_at) == (NOW - timedelta(days=9), NOW)
    order = ev.DispositionOrdered(
        record_id="r-2",
        version=1,
        order_id="o",
        items=("1",),
        holders=("intake",),
        custodian="cyd",
        records_officer="rob",
        ordered_at=NOW - timedelta(days=1),
    )
    with pytest.raises(StillOpenError):
        await intake.follow.ordered(
            intake.state("r-2"), Event("e", "/direct311/retention", "r-2", NOW, order)
        )


@pytest.mark.parametrize(
    ("person", "reopened"), [({}, "identity_required"), (NAMED, "in_progress")]
)
async def test_a_closed_complaint_of_nobody_is_held_and_not_reopened(
    intake: WorkingIntake, person: dict[str, str], reopened: ev.RequestStatus
) -> None:
    await intake.request("r-1", person, department="parks", status="fixed", closed_at=NOW)
    intake.edit(service_code=ENFORCED.service_code)
    step = ev.WorkUpdatedV2(
        record_id="r-1",
        version=4,
        department="parks",
        update_id="u-4",
        step="reopened",
        status="in_progress",
        occurred_at=NOW,
        accepted_at=NOW,
        note="It is there again.",
    )
    change = await intake.follow.reported(intake.state(), intake.event(step))
    assert change is not None
    after = change.state
    assert (after.status, after.closed_at) == (reopened, None)
    assert "It is there again." in [each.text for each in after.notes]
    assert after.notes[-1].status == reopened
    (said,) = change.events
    assert isinstance(said.data, ev.RequestUpdated)
    assert (said.data.status, said.data.changed) == (reopened, ("status",))


async def test_a_type_that_the_public_may_not_see_takes_the_request_off_every_list() -> None:
    intake = WorkingIntake()
    await intake.request("r-1", department="parks", status="routed", listed=True)
    private = next(each for each in CATALOGUE.services if each.type == "blackbox")
    assert intake.edit(service_code=private.service_code).status_code == 200
    assert (intake.state().listed, intake.state().is_public) == (False, False)
    # Another type does not show it again.
    intake.edit(at=1, service_code=PLAIN.service_code)
    assert not intake.follow.protect(intake.state()).listed


async def test_a_type_where_life_may_be_in_danger_is_marked(intake: WorkingIntake) -> None:
    assert intake.edit(service_code=HINTED.service_code).json()["emergency_assistance"] is True
    # What somebody's words suggested stays, whatever the type.
    assert intake.edit(at=1, service_code=DOG).json()["emergency_assistance"] is True


async def test_answers_are_keys_of_the_types_lists_and_others_are_dropped(
    intake: WorkingIntake,
) -> None:
    kept = ev.AttributeValue(code="NOT-ASKED", values=("Words.",))
    await intake.request("r-2", attributes=(kept,))
    key = QUESTION.values[0].key
    chosen = [{"code": QUESTION.code, "values": [key]}]
    code = CHOOSING.service_code
    shown = intake.edit(record_id="r-2", service_code=code, attributes=chosen).json()
    assert shown["attributes"] == chosen
    assert shown["edits"][0]["attributes"] == [kept.model_dump(mode="json")]
    assert shown["edits"][0]["changed"] == ["type", "attributes"]
    wrong = [{"code": QUESTION.code, "values": ["no such key"]}]
    refused = intake.edit(record_id="r-2", at=1, attributes=wrong)
    assert (refused.status_code, refused.json()["field"]) == (422, "attributes")
    cleared = [{"code": QUESTION.code, "values": []}]
    assert intake.edit(record_id="r-2", at=1, attributes=cleared).json()["attributes"] == []
    assert [each.changed for each in intake.said("r-2")] == [("type",), ("type",)]


async def test_a_reason_is_kept_and_shown_redacted(intake: WorkingIntake) -> None:
    reason = "The resident called from 305-555-0142 about it."
    shown = intake.edit(service_code=PLAIN.service_code, reason=reason)
    assert "305-555-0142" not in shown.text
    assert shown.json()["edits"][0]["reason"].startswith("The resident called")
    assert "305-555-0142" not in intake.state().model_dump_json(exclude={"sealed"})
