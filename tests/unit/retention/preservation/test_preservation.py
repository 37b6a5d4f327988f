"""What an open case stops: all at once, its records for thirty days, a suit without end."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from fastapi import Request
from starlette.testclient import TestClient

from direct311.retention.cases.api import router as cases_router
from direct311.retention.cases.domain import CaseKind, CaseRules, case_problems
from direct311.retention.holds.domain import Bounds, HoldQuery, OpenCases, ProvisionalHold
from direct311.retention.preservation.adapters import load_business_days
from direct311.retention.preservation.api import router
from direct311.retention.preservation.domain import BusinessDays, DayOff, calendar_problems
from direct311.retention.record import InventoryRecord
from direct311.runtime.access.rules import Caller
from direct311.runtime.errors import MalformedError, RefusedError
from direct311.schemas import events as ev
from tests.unit.retention.cases.fakes import CaseDeskUnderTest
from tests.unit.retention.fakes import CARLA, COUNSEL, RAUL, START
from tests.unit.retention.holds.test_no_held_record_is_ordered import interleave

pytestmark = pytest.mark.anyio

OTHER_CUSTODIAN = Caller("otto", ("custodian",))
LIAISON = Caller("lars", ("liaison",))
POTHOLES = Bounds(query=HoldQuery(service_codes=("POTHOLE",)))
R1 = Bounds(record_ids=("r1",))


@pytest.fixture
def county() -> CaseDeskUnderTest:
    county = CaseDeskUnderTest()

    async def begin() -> None:
        await county.retention.eligible("r1", "r2")
        await county.retention.eligible("r3", service_code="OTHER")

    interleave([begin()], [])
    return county


async def nothing_to_propose(
    county: CaseDeskUnderTest, record_ids: Sequence[str] | None, reason: str
) -> None:
    """None of these records can be proposed, all for this reason."""
    with pytest.raises(RefusedError) as refused:
        await county.retention.review.propose(CARLA, record_ids, 10, None)
    assert refused.value.code == "nothing_to_propose"
    assert refused.value.detail == f"No record can be proposed: {reason}."


async def opened(
    county: CaseDeskUnderTest,
    bounds: Bounds | None = None,
    caller: Caller = CARLA,
    kind: CaseKind = "public_records",
    received_at: datetime | None = None,
) -> str:
    file = await county.desk.open_case(caller, kind, "potholes", None, received_at, bounds=bounds)
    return file.record_id


def acts(county: CaseDeskUnderTest, case_id: str) -> list[ev.ActRecorded]:
    said = [each.data for each in county.files.said(case_id)]
    return [each for each in said if isinstance(each, ev.ActRecorded)]


def next_month(county: CaseDeskUnderTest) -> None:
    county.clock.at += timedelta(days=30)


# ---------------------------------------------------------------- the provisional hold


async def test_receipt_and_provisional_hold_are_one_write(county: CaseDeskUnderTest) -> None:
    case_id = await opened(county)
    file = county.files.state(case_id)
    assert file.provisional == ProvisionalHold(state="in_force", placed_at=START)
    (act,) = acts(county, case_id)
    assert (act.act, act.why.case_id, act.hold_kind, act.why.reference) == (
        "hold",
        case_id,
        None,
        None,
    )
    assert not any(record.holds for record in county.retention.records.states())


async def test_a_case_that_only_its_write_reached_stops_orders_after_the_next_step(
    county: CaseDeskUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process died between the write and the fence."""

    async def died(_: str) -> None:
        raise ConnectionError

    await county.retention.holds.standing_now()
    monkeypatch.setattr(county.preservation, "opened", died)
    with pytest.raises(ConnectionError):
        await opened(county)
    (file,) = county.files.states()
    assert file.provisional is not None
    assert file.provisional.state == "placing"
    fence = county.retention.holds.fence
    await county.preservation.step()
    assert county.retention.holds.fence == fence + 1
    await nothing_to_propose(county, ["r1"], "case_open")


async def test_without_bounds_no_record_can_be_proposed_and_within_bounds_the_others_can(
    county: CaseDeskUnderTest,
) -> None:
    case_id = await opened(county)
    await nothing_to_propose(county, None, "case_open")
    await county.preservation.bound(CARLA, case_id, POTHOLES)
    made = await county.retention.review.propose(CARLA, ["r1", "r2", "r3"], 10, None)
    assert [each.record_id for each in made.records] == ["r3"]
    assert {each.record_id: each.reason for each in made.left_out} == {
        "r1": "case_open",
        "r2": "case_open",
    }


async def test_a_set_that_was_proposed_before_the_case_is_left_out_when_it_is_approved(
    county: CaseDeskUnderTest,
) -> None:
    review = county.retention.review
    made = await review.propose(CARLA, ["r1", "r3"], 10, None)
    await opened(county, R1)
    assert made.set_hash is not None
    done = await review.approve(made.disposition_id, RAUL, made.set_hash)
    assert [(each.record_id, each.reason) for each in done.left_out] == [("r1", "case_open")]
    assert county.retention.record("r1").stage == "eligible"
    assert county.retention.record("r3").stage == "ordered"


async def test_bounds_name_what_some_record_has(county: CaseDeskUnderTest) -> None:
    """Misspelled bounds would stop nothing."""
    wrong = Bounds(query=HoldQuery(service_codes=("POTHOLES",)))
    with pytest.raises(MalformedError) as refused:
        await opened(county, wrong)
    assert refused.value.problems[0].field == "bounds.query.service_codes.0"
    assert "for_later" not in refused.value.problems[0].detail
    assert not county.files.states()
    case_id = await opened(county)
    with pytest.raises(MalformedError):
        await county.preservation.bound(CARLA, case_id, wrong)


async def test_bounds_name_records_that_exist(county: CaseDeskUnderTest) -> None:
    """Bounds of records that nobody has would stop nothing, and look as if they did."""
    wrong = Bounds(record_ids=("r1", "r9"))
    with pytest.raises(MalformedError) as refused:
        await opened(county, wrong)
    (problem,) = refused.value.problems
    assert (problem.field, problem.code) == ("bounds.record_ids.1", "not_a_choice")
    assert "r9" not in problem.detail
    assert not county.files.states()
    case_id = await opened(county, R1)
    with pytest.raises(MalformedError) as refused:
        await county.preservation.bound(CARLA, case_id, wrong)
    assert refused.value.problems[0].field == "record_ids.1"


async def test_each_change_of_bounds_is_an_entry_and_the_same_bounds_are_not(
    county: CaseDeskUnderTest,
) -> None:
    case_id = await opened(county)
    for _ in range(2):
        await county.preservation.bound(CARLA, case_id, POTHOLES)
    await county.preservation.bound(CARLA, case_id, R1)
    entries = acts(county, case_id)
    assert [each.act for each in entries] == ["hold", "hold", "hold"]
    assert len({each.act_id for each in entries}) == 3
    assert [each.criteria for each in entries] == [(), ("query",), ("record_ids",)]


async def test_a_request_that_was_taken_back_stops_nothing(county: CaseDeskUnderTest) -> None:
    case_id = await opened(county)
    await county.desk.withdraw(CARLA, case_id)
    await county.preservation.step()
    provisional = county.files.state(case_id).provisional
    assert provisional is not None
    assert provisional.state == "ended"
    await county.retention.ordered("r1")
    assert county.retention.record("r1").stage == "ordered"
    assert [each.act for each in acts(county, case_id)] == ["hold", "release"]
    with pytest.raises(RefusedError) as refused:
        await county.preservation.bound(CARLA, case_id, R1)
    assert refused.value.code == "bounds"


# ---------------------------------------------------------------- the real holds


async def test_identified_records_are_held_before_the_provisional_hold_ends(
    county: CaseDeskUnderTest,
) -> None:
    case_id = await opened(county)
    found = await county.preservation.identify(CARLA, case_id, ["r1"], complete=False)
    assert found.case.provisional is not None
    assert found.case.provisional.standing
    found = await county.preservation.identify(CARLA, case_id, ["r2"], complete=True)
    assert found.case.provisional is not None
    assert found.case.provisional.state == "ended"
    for record_id in ("r1", "r2"):
        (held,) = county.retention.record(record_id).held_by
        assert held.authority == f"case {case_id}"
    await county.retention.ordered("r3")
    assert county.retention.record("r3").stage == "ordered"
    await nothing_to_propose(county, ["r1", "r2"], "held")


async def test_holds_of_every_kind_of_case_read_the_same(county: CaseDeskUnderTest) -> None:
    shown = []
    for caller, kind in ((CARLA, "public_records"), (LIAISON, "law_enforcement")):
        case_id = await opened(county, R1, caller, kind)  # type: ignore[arg-type]
        found = await county.preservation.identify(caller, case_id, ["r1"], complete=True)
        (hold,) = found.holds
        text = hold.model_dump_json(exclude={"hold_id", "placed_by", "fence"})
        shown.append(text.replace(case_id, "<id>"))
    assert shown[0] == shown[1]
    assert "case <id>" in shown[0]


async def test_the_hold_may_be_released_after_thirty_days_and_only_by_somebody_else(
    county: CaseDeskUnderTest,
) -> None:
    written_at = START - timedelta(days=10)
    case_id = await opened(county, R1, received_at=written_at)
    found = await county.preservation.identify(CARLA, case_id, ["r1"], complete=True)
    (hold,) = found.holds
    assert hold.earliest_release_at == written_at + timedelta(days=30)
    holding = county.retention.holding
    county.clock.at = written_at + timedelta(days=30, seconds=-1)
    assert await county.preservation.tasks(CARLA) == []
    with pytest.raises(RefusedError) as refused:
        await holding.release(hold.hold_id, RAUL, "done")
    assert refused.value.code == "hold_period"
    county.clock.at = written_at + timedelta(days=30)
    for caller in (CARLA, RAUL, COUNSEL):
        (task,) = await county.preservation.tasks(caller)
        assert (task.case_id, task.task, task.hold_id) == (case_id, "release_hold", hold.hold_id)
    assert await county.preservation.tasks(LIAISON) == []
    with pytest.raises(RefusedError) as refused:
        await holding.release(hold.hold_id, Caller("carla", ("records_officer",)), "done")
    assert refused.value.code == "same_person"
    await holding.release(hold.hold_id, RAUL, "done")
    assert county.retention.record("r1").holds == ()
    assert await county.preservation.tasks(CARLA) == []


async def test_a_record_whose_destruction_was_ordered_before_is_named(
    county: CaseDeskUnderTest,
) -> None:
    """A request inside 30 days of an ordered destruction: the case shows what came too late."""
    await county.retention.ordered("r1")
    next_month(county)
    case_id = await opened(county)
    found = await county.preservation.identify(CARLA, case_id, ["r1", "r2"], complete=True)
    (hold,) = found.holds
    assert hold.too_late == ("r1",)
    assert county.retention.record("r2").holds == (hold.hold_id,)


async def test_only_records_of_the_inventory_are_identified(county: CaseDeskUnderTest) -> None:
    case_id = await opened(county)
    with pytest.raises(RefusedError) as refused:
        await county.preservation.identify(CARLA, case_id, ["r1", "r9"], complete=True)
    assert (refused.value.code, refused.value.field) == ("unknown_record", "record_ids.1")
    provisional = county.files.state(case_id).provisional
    assert provisional is not None
    assert provisional.standing


async def test_the_same_records_twice_are_one_hold(county: CaseDeskUnderTest) -> None:
    case_id = await opened(county)
    await county.preservation.identify(CARLA, case_id, ["r1", "r2"], complete=False)
    found = await county.preservation.identify(CARLA, case_id, ["r2", "r1"], complete=False)
    assert len(found.holds) == 1


# ---------------------------------------------------------------- a suit


async def test_after_a_suit_no_hold_of_the_case_ends_without_counsel(
    county: CaseDeskUnderTest,
) -> None:
    case_id = await opened(county, POTHOLES)
    await county.preservation.identify(CARLA, case_id, ["r1"], complete=False)
    await county.preservation.sue(CARLA, case_id)
    found = await county.preservation.identify(CARLA, case_id, ["r2"], complete=False)
    assert len(found.holds) == 2
    assert all(each.suit_at and each.earliest_release_at is None for each in found.holds)
    assert county.files.state(case_id).suit == "filed"

    # Taking the request back does not end it.
    await county.desk.withdraw(CARLA, case_id)
    await county.preservation.step()
    provisional = county.files.state(case_id).provisional
    assert provisional is not None
    assert provisional.standing
    next_month(county)
    assert await county.preservation.tasks(RAUL) == []
    hold_id = found.holds[0].hold_id
    with pytest.raises(RefusedError) as refused:
        await county.retention.holding.release(hold_id, RAUL, "settled")
    assert refused.value.code == "court_hold"
    await county.retention.holding.release(hold_id, COUNSEL, "the court's order 26-1")
    entries = [
        each.data
        for each in county.retention.holds.acts
        if isinstance(each.data, ev.ActRecorded) and each.data.about == hold_id
    ]
    assert [each.act for each in entries] in (["hold", "hold", "release"], ["hold", "release"])


async def test_a_suit_that_only_its_write_reached_is_carried_out_by_the_next_step(
    county: CaseDeskUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    case_id = await opened(county)
    await county.preservation.identify(CARLA, case_id, ["r1"], complete=True)

    async def died(*_: object) -> None:
        raise ConnectionError

    with monkeypatch.context() as patched:
        patched.setattr(county.retention.holding, "sue", died)
        with pytest.raises(ConnectionError):
            await county.preservation.sue(CARLA, case_id)
    assert county.files.state(case_id).suit == "filing"
    await county.preservation.step()
    (hold,) = await county.retention.holds.of_case(case_id)
    assert hold.suit_at is not None
    assert county.files.state(case_id).suit == "filed"


async def test_a_hold_that_was_being_placed_while_somebody_sued_learns_of_the_suit(
    county: CaseDeskUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The call that placed it read the case before the suit, and was killed after the hold."""
    case_id = await opened(county, POTHOLES)
    place = county.retention.holding.place

    async def sued_and_died(*given: Any) -> Any:
        await county.preservation.sue(CARLA, case_id)
        await place(*given)
        raise ConnectionError

    with monkeypatch.context() as patched:
        patched.setattr(county.retention.holding, "place", sued_and_died)
        with pytest.raises(ConnectionError):
            await county.preservation.identify(CARLA, case_id, ["r1"], complete=False)
    (hold,) = await county.retention.holds.of_case(case_id)
    assert (hold.suit_at, county.files.state(case_id).suit) == (None, "filed")
    await county.preservation.step()
    (hold,) = await county.retention.holds.of_case(case_id)
    assert hold.suit_at is not None
    assert hold.earliest_release_at is None


# ---------------------------------------------------------------- bounds are a task


async def test_without_bounds_a_case_becomes_an_alarm_and_a_records_officer_may_set_them(
    county: CaseDeskUnderTest,
) -> None:
    """Opened on Monday 2 March 2026: two business days end with Wednesday."""
    preservation = county.preservation
    case_id = await opened(county)
    (task,) = await preservation.tasks(CARLA)
    assert (task.task, task.overdue) == ("set_bounds", False)
    assert task.due_at == datetime(2026, 3, 5, tzinfo=ZoneInfo("America/New_York"))
    assert await preservation.tasks(RAUL) == []
    with pytest.raises(RefusedError) as refused:
        await preservation.bound(RAUL, case_id, R1)
    assert refused.value.code == "unknown_case"

    county.clock.at = task.due_at.astimezone(UTC)
    assert await preservation.alarming() == [case_id]
    (task,) = await preservation.tasks(RAUL)
    assert (task.case_id, task.overdue) == (case_id, True)
    # Destruction does not go on by itself: that would destroy what somebody asked for.
    await nothing_to_propose(county, None, "case_open")
    await preservation.bound(RAUL, case_id, R1)
    assert await preservation.alarming() == []
    await county.retention.ordered("r3")
    assert county.retention.record("r3").stage == "ordered"


async def test_for_another_desk_a_case_does_not_exist_here_either(
    county: CaseDeskUnderTest,
) -> None:
    case_id = await opened(county, None, LIAISON, "law_enforcement")
    preservation = county.preservation
    for call in (
        preservation.look(CARLA, case_id),
        preservation.bound(CARLA, case_id, R1),
        preservation.identify(CARLA, case_id, ["r1"], complete=False),
        preservation.sue(CARLA, case_id),
        preservation.look(COUNSEL, case_id),
    ):
        with pytest.raises(RefusedError) as refused:
            await call
        assert refused.value.code == "unknown_case"
    assert await preservation.tasks(CARLA) == []


@pytest.mark.parametrize(
    ("opened_at", "due_on"),
    [
        (datetime(2026, 3, 6, 12, tzinfo=UTC), date(2026, 3, 11)),  # Friday
        (datetime(2026, 3, 7, 12, tzinfo=UTC), date(2026, 3, 11)),  # Saturday
        (datetime(2026, 7, 1, 12, tzinfo=UTC), date(2026, 7, 7)),  # 4 July: Friday the third is off
        (
            datetime(2026, 11, 25, 12, tzinfo=UTC),
            date(2026, 12, 2),
        ),  # Thanksgiving and the day after
        (
            datetime(2027, 12, 30, 12, tzinfo=UTC),
            date(2028, 1, 5),
        ),  # New Year is observed on Friday
    ],
)
def test_two_business_days_leave_out_weekends_and_holidays(
    opened_at: datetime, due_on: date
) -> None:
    zone = ZoneInfo("America/New_York")
    due_at = load_business_days().end_of(2, opened_at, zone)
    assert (due_at.date(), due_at.hour) == (due_on, 0)


def test_a_wrong_calendar_is_refused() -> None:
    days = (
        DayOff(holiday="both", month=1, day=1, weekday="monday", nth=1),
        DayOff(holiday="neither", month=1),
        DayOff(holiday="fifth", month=1, weekday="monday", nth=5),
        DayOff(holiday="late", month=2, day=30),
    )
    calendar = BusinessDays(
        business_days_of="x", version="1", citation="x", effective_from=date(2024, 1, 1),
        holidays=days,
    )  # fmt: skip
    assert [entry for entry, _, _ in calendar_problems(calendar)] == [
        "both",
        "neither",
        "fifth",
        "late",
    ]


def test_no_county_holds_for_less_than_the_law_says(county: CaseDeskUnderTest) -> None:
    rules = CaseRules.model_validate({**county.rules.model_dump(), "hold_days": 29})
    assert "hold_days" in {field for _, field, _ in case_problems(rules, ("custodian", "liaison"))}


def test_bounds_are_found_by_type_place_time_department_and_record() -> None:
    record = InventoryRecord(
        record_id="r1",
        service_code="POTHOLE",
        municipality="City of Miami",
        department="PW",
        received_at=START,
    )
    later = START + timedelta(days=1)
    inside = (
        Bounds(record_ids=("r1",)),
        Bounds(query=HoldQuery(service_codes=("X", "POTHOLE"))),
        Bounds(query=HoldQuery(municipality="miami")),
        Bounds(query=HoldQuery(department="PW", since=START)),
        Bounds(record_ids=("r2",), query=HoldQuery(until=later)),
    )
    outside = (
        Bounds(record_ids=("r2",)),
        Bounds(query=HoldQuery(service_codes=("X",))),
        Bounds(query=HoldQuery(municipality="hialeah", service_codes=("POTHOLE",))),
        Bounds(query=HoldQuery(since=later)),
    )
    for bounds in (*inside, *outside):
        provisional = ProvisionalHold(placed_at=START, bounds=bounds)
        assert provisional.covers(record) == (bounds in inside)
        assert OpenCases.of([provisional]).stop(record) == (bounds in inside)
    assert OpenCases.of([ProvisionalHold(placed_at=START)]).stop(record)
    assert not OpenCases.of([]).stop(record)


def test_what_cases_ask_is_compared_once_for_each_combination(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An approval of a thousand records with a hundred open cases must stay cheap."""
    compared = []
    fits = HoldQuery.fits

    def counted(query: HoldQuery, record: InventoryRecord) -> bool:
        compared.append(query)
        return fits(query, record)

    monkeypatch.setattr(HoldQuery, "fits", counted)
    query = HoldQuery(municipality="miami", since=START)
    cases = OpenCases.of([ProvisionalHold(placed_at=START, bounds=Bounds(query=query))] * 100)
    days = range(-500, 500)
    stopped = [
        cases.stop(
            InventoryRecord(
                record_id=f"r{day}",
                municipality="City of Miami",
                received_at=START + timedelta(days=day),
            )
        )
        for day in days
    ]
    assert stopped == [day >= 0 for day in days]
    assert len(compared) == 100


# ---------------------------------------------------------------- over HTTP


@pytest.fixture
def http(county: CaseDeskUnderTest) -> Iterator[TestClient]:
    async def caller_of(request: Request) -> Caller:
        role, _, name = request.headers.get("x-test-caller", "").partition("/")
        return Caller(sub=name, roles=(role,) if role else ())

    desks = county.rules.desks
    routers = (
        cases_router(county.desk, desks, caller_of),
        router(county.preservation, desks, caller_of),
    )
    with county.serve(*routers) as client:
        yield client


def test_a_case_is_opened_bounded_held_and_sued_over_http(http: TestClient) -> None:
    carla = {"x-test-caller": "custodian/carla"}
    order = {
        "kind": "public_records",
        "request": "potholes",
        "bounds": {"query": {"service_codes": ["POTHOLE"]}},
    }
    case_id = http.post("/v1/cases", json=order, headers=carla).json()["case_id"]
    path = f"/v1/cases/{case_id}"
    seen = http.get(f"{path}/preservation", headers=carla).json()
    assert seen == {
        "case_id": case_id,
        "provisional": True,
        "bounds": {"record_ids": [], "query": {"service_codes": ["POTHOLE"]}},
        "overdue": False,
        "holds": [],
    }
    bound = http.put(f"{path}/bounds", json={"record_ids": ["r1"]}, headers=carla)
    assert bound.json()["bounds"] == {"record_ids": ["r1"]}
    nothing = http.put(f"{path}/bounds", json={}, headers=carla)
    assert nothing.status_code == 422
    body = {"record_ids": ["r1"], "complete": True}
    held = http.post(f"{path}/records", json=body, headers=carla).json()
    assert (held["provisional"], held["holds"][0]["records"]) == (False, 1)
    too_many = http.post(f"{path}/records", json={"record_ids": ["r1"] * 501}, headers=carla)
    assert too_many.status_code == 422
    sued = http.post(f"{path}/suit", headers=carla).json()
    assert "earliest_release_at" not in sued["holds"][0]
    (task,) = http.get("/v1/case-tasks", headers=carla).json()["tasks"]
    assert (task["case_id"], task["task"]) == (case_id, "answer_notice")
    after = http.put(f"{path}/bounds", json={"record_ids": ["r1"]}, headers=carla)
    assert (after.status_code, after.json()["type"]) == (409, "urn:direct311:problem:bounds")


@pytest.mark.parametrize("caller", ["agent/ana", "auditor/ines", "admin/adam"])
def test_others_learn_nothing(county: CaseDeskUnderTest, http: TestClient, caller: str) -> None:
    headers = {"x-test-caller": caller}
    path = "/v1/cases/00000000-0000-7000-8000-000000000001"
    for method, url, body in (
        ("GET", "/v1/case-tasks", None),
        ("GET", f"{path}/preservation", None),
        ("PUT", f"{path}/bounds", {"record_ids": ["r1"]}),
        ("POST", f"{path}/records", {"record_ids": ["r1"]}),
        ("POST", f"{path}/suit", None),
    ):
        assert http.request(method, url, json=body, headers=headers).status_code == 403
