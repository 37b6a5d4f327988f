"""What to look for, where was searched, and the timeline."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError
from starlette.testclient import TestClient

from direct311.retention.case_file.scope import OpenScope, SealedScope
from direct311.retention.case_file.searches import MinutesEntry, SearchEntry
from direct311.retention.cases.domain import CaseFile
from direct311.retention.correspondence.handlers import Draft
from direct311.retention.holds.domain import Bounds, HoldQuery
from direct311.retention.scoping.api import SearchOrder, router
from direct311.retention.scoping.domain import bounds_of
from direct311.retention.scoping.handlers import ScopeDraft
from direct311.runtime.access.ledger import AuditUnavailableError
from direct311.runtime.access.rules import Caller
from direct311.runtime.errors import MalformedError, RefusedError
from direct311.runtime.http.api import caller_of
from direct311.schemas import events as ev
from tests.unit.retention.cases.fakes import CaseDeskUnderTest
from tests.unit.retention.fakes import CARLA, RAUL, START

pytestmark = pytest.mark.anyio

INTAKE = Caller("svc:intake", roles=("service",), authentication="service")
LIAISON = Caller("lars", ("liaison",), token_id="t-2")
SEALED = SealedScope(name="Canary Name", address="4417 Canary Terrace", words=("canary word",))
OPEN = OpenScope(service_codes=("POTHOLE",), since=START - timedelta(days=900))


@pytest.fixture
def county() -> CaseDeskUnderTest:
    return CaseDeskUnderTest()


async def acknowledged(county: CaseDeskUnderTest) -> str:
    case_id = (await county.desk.open_case(CARLA, "public_records", "x", None, None)).record_id
    await county.corresponding.acknowledge(CARLA, case_id)
    return case_id


def version(county: CaseDeskUnderTest, case_id: str) -> int:
    return county.files.state(case_id).version


async def scoped(
    county: CaseDeskUnderTest,
    case_id: str,
    open_part: OpenScope = OPEN,
    sealed: SealedScope = SEALED,
    **more: bool,
) -> CaseFile:
    draft = ScopeDraft(open_part, sealed, **more)
    return await county.scoping.set_scope(CARLA, case_id, version(county, case_id), draft)


def search(search_id: str = "s-1", hits: int = 0, where: str = "email") -> SearchEntry:
    return SearchEntry(
        search_id=search_id,
        where=where,
        shape=("words", "time"),
        hits=hits,
        minutes=12,
        by="carla",
        at=START,
    )


async def code_of(call: object) -> str:
    with pytest.raises(RefusedError) as refused:
        await call  # type: ignore[misc]
    return refused.value.code


# ---------------------------------------------------------------- scope


async def test_a_scope_is_sealed_where_it_names_anybody_and_read_as_an_access(
    county: CaseDeskUnderTest,
) -> None:
    case_id = await acknowledged(county)
    done = await scoped(county, case_id)
    assert (done.state, done.scope.revision if done.scope else 0) == ("scoping", 1)
    read = await county.scoping.read_scope(CARLA, case_id)
    assert (read.sealed, read.scope.open) == (SEALED, OPEN)
    assert read.scope.criteria == ("person", "place", "words", "type", "time")
    assert [(each.action, each.what.fields) for each in county.access_log.events()] == [
        ("seal", ("case_scope",)),
        ("view", ("case_scope",)),
    ]
    told = [each.data for each in county.files.said(case_id)]
    everything = repr((county.files.documents, county.access_log.entries, told, read, done))
    assert "anary" not in everything
    step = told[-1]
    assert isinstance(step, ev.DisclosureRecorded)
    assert (step.step, step.codes) == ("scope_set", read.scope.criteria)


async def test_a_scope_is_set_from_the_version_that_was_seen(county: CaseDeskUnderTest) -> None:
    case_id = await acknowledged(county)
    seen = version(county, case_id)
    draft = ScopeDraft(OPEN, SEALED)
    first = await county.scoping.set_scope(CARLA, case_id, seen, draft)
    # The same call again, as after a lost answer.
    again = await county.scoping.set_scope(CARLA, case_id, seen, draft)
    assert again.version == first.version
    for other in (
        ScopeDraft(OPEN, SealedScope(name="Another")),
        ScopeDraft(OPEN, SealedScope()),
        ScopeDraft(OpenScope(), SEALED),
        ScopeDraft(OPEN, SEALED, complete=True),
    ):
        assert await code_of(county.scoping.set_scope(CARLA, case_id, seen, other)) == "changed"
    second = await scoped(county, case_id, sealed=SealedScope(words=("other",)))
    assert second.scope is not None
    assert second.scope.revision == 2
    assert (await county.scoping.read_scope(CARLA, case_id)).sealed.words == ("other",)
    third = await scoped(county, case_id, sealed=SealedScope())
    assert third.scope is not None
    assert third.scope.sealed is None
    assert (await county.scoping.read_scope(CARLA, case_id)).sealed == SealedScope()


async def test_two_who_set_it_at_once_do_not_overwrite_each_other(
    county: CaseDeskUnderTest,
) -> None:
    case_id = await acknowledged(county)
    seen = version(county, case_id)
    drafts = [ScopeDraft(OPEN, SealedScope(words=(word,))) for word in ("one", "two")]
    done = await asyncio.gather(
        *(county.scoping.set_scope(CARLA, case_id, seen, each) for each in drafts),
        return_exceptions=True,
    )
    assert sum(isinstance(each, RefusedError) for each in done) == 1


async def test_a_complete_scope_begins_the_collecting_and_may_be_changed_later(
    county: CaseDeskUnderTest,
) -> None:
    case_id = await acknowledged(county)
    assert (await scoped(county, case_id, complete=True)).state == "collecting"
    assert (await scoped(county, case_id)).state == "scoping"


async def test_a_scope_needs_an_acknowledged_open_case_of_the_public(
    county: CaseDeskUnderTest,
) -> None:
    case_id = (await county.desk.open_case(CARLA, "public_records", "x", None, None)).record_id
    assert await code_of(scoped(county, case_id)) == "case_state"
    await county.desk.withdraw(CARLA, case_id)
    assert await code_of(scoped(county, case_id)) == "case_closed"
    assert await code_of(county.scoping.read_scope(CARLA, case_id)) == "not_found"
    police = (await county.desk.open_case(LIAISON, "law_enforcement", "x", None, None)).record_id
    draft = ScopeDraft(OPEN, SEALED)
    assert await code_of(county.scoping.set_scope(LIAISON, police, 1, draft)) == "case_kind"
    assert await code_of(county.scoping.set_scope(CARLA, police, 1, draft)) == "unknown_case"


async def test_while_the_log_is_away_no_scope_is_set_or_read(county: CaseDeskUnderTest) -> None:
    case_id = await acknowledged(county)
    await scoped(county, case_id)
    before = county.files.state(case_id)
    county.access_log.down = True
    with pytest.raises(AuditUnavailableError):
        await scoped(county, case_id, sealed=SealedScope(words=("other",)))
    with pytest.raises(AuditUnavailableError):
        await county.scoping.read_scope(CARLA, case_id)
    assert county.files.state(case_id) == before


# ---------------------------------------------------------------- as bounds


async def test_a_scope_without_a_person_becomes_the_bounds_in_the_same_write(
    county: CaseDeskUnderTest,
) -> None:
    await county.retention.eligible("r1")
    await county.retention.eligible("r3", service_code="OTHER")
    case_id = await acknowledged(county)
    words = SealedScope(words=("canary",))
    open_part = OpenScope(service_codes=("POTHOLE",))
    writes = version(county, case_id)
    done = await scoped(county, case_id, open_part, words, as_bounds=True)
    assert done.provisional is not None
    assert done.provisional.bounds == Bounds(query=HoldQuery(service_codes=("POTHOLE",)))
    # One write for both, and one that says that everybody who orders knows.
    assert (done.version, done.provisional.state) == (writes + 2, "in_force")
    made = await county.retention.review.propose(CARLA, ["r1", "r3"], 10, None)
    assert [each.record_id for each in made.records] == ["r3"]
    steps = [each.step for each in done.timeline]
    assert steps[-2:] == ["scope_set", "bounds_set"]


async def test_a_scope_that_names_a_person_or_any_record_makes_no_bounds(
    county: CaseDeskUnderTest,
) -> None:
    case_id = await acknowledged(county)
    for open_part, sealed in (
        (OPEN, SEALED),
        (OpenScope(), SealedScope(words=("x",))),
        (OpenScope(record_ids=("r1",)), SealedScope(words=("x",))),
        (OpenScope(record_ids=("r1",), departments=("pw", "parks")), SealedScope()),
        (OpenScope(), SealedScope()),
    ):
        assert await code_of(scoped(county, case_id, open_part, sealed, as_bounds=True)) == (
            "scope_bounds"
        )
    assert county.files.state(case_id).scope is None
    misspelled = OpenScope(service_codes=("POTHOLES",))
    with pytest.raises(MalformedError):
        await scoped(county, case_id, misspelled, SealedScope(), as_bounds=True)
    assert county.files.state(case_id).scope is None


async def test_bounds_are_never_narrower_than_the_scope() -> None:
    several = OpenScope(departments=("pw", "parks"), since=START)
    assert bounds_of(several, also_by_sealed=True) == Bounds(query=HoldQuery(since=START))
    one = OpenScope(departments=("pw",), record_ids=("r1",))
    assert bounds_of(one, also_by_sealed=False) == Bounds(
        record_ids=("r1",), query=HoldQuery(department="pw")
    )
    named = OpenScope(record_ids=("r1", "r2"))
    assert bounds_of(named, also_by_sealed=False) == Bounds(record_ids=("r1", "r2"))
    assert bounds_of(named, also_by_sealed=True) is None


async def test_identified_records_need_no_bounds(county: CaseDeskUnderTest) -> None:
    await county.retention.eligible("r1")
    case_id = await acknowledged(county)
    await county.preservation.identify(CARLA, case_id, ["r1"], complete=True)
    refused = scoped(county, case_id, OpenScope(record_ids=("r1",)), SealedScope(), as_bounds=True)
    assert await code_of(refused) == "bounds"
    assert county.files.state(case_id).scope is None


# ---------------------------------------------------------------- the search log


async def test_a_search_is_written_down_once_zero_hits_too(county: CaseDeskUnderTest) -> None:
    case_id = await acknowledged(county)
    for _ in range(2):
        await county.scoping.write_search(CARLA, case_id, search())
    await county.scoping.write_search(CARLA, case_id, search("s-2", 7, "intake"))
    log = (await county.scoping.look(CARLA, case_id)).searches
    assert [(each.where, each.hits) for each in log.searches] == [("email", 0), ("intake", 7)]
    changed = county.scoping.write_search(CARLA, case_id, search(hits=1))
    assert await code_of(changed) == "exists"
    told = [each.data for each in county.files.said(case_id)]
    steps = [each for each in told if isinstance(each, ev.DisclosureRecorded)]
    assert [(each.step, each.codes) for each in steps[2:]] == [
        ("searched", ("email", "words", "time")),
        ("searched", ("intake", "words", "time")),
    ]
    assert (steps[-1].counts["hits"], steps[-1].counts["minutes"]) == (7, 12)


async def test_a_search_log_takes_codes_of_the_list_alone(county: CaseDeskUnderTest) -> None:
    """A place or a kind of work could be somebody's name."""
    case_id = await acknowledged(county)
    for where, shape in (("john.doe", ("words",)), ("email", ("jane.doe",))):
        entry = search().model_copy(update={"where": where, "shape": shape})
        with pytest.raises(RefusedError) as refused:
            await county.scoping.write_search(CARLA, case_id, entry)
        assert refused.value.code == "search_code"
        assert "doe" not in refused.value.detail
    note = MinutesEntry(
        note_id="m-1", work="j.doe", person="wanda", minutes=5, noted_by="carla", at=START
    )
    assert await code_of(county.scoping.write_minutes(CARLA, case_id, note)) == "search_code"
    await county.desk.withdraw(CARLA, case_id)
    assert await code_of(county.scoping.write_search(CARLA, case_id, search())) == "case_closed"


async def test_minutes_are_added_up_by_the_kind_of_work(county: CaseDeskUnderTest) -> None:
    case_id = await acknowledged(county)
    await county.scoping.write_search(CARLA, case_id, search())
    for note_id, work, minutes in (
        ("m-1", "review", 30),
        ("m-1", "review", 30),
        ("m-2", "search", 8),
    ):
        note = MinutesEntry(
            note_id=note_id, work=work, person="wanda", minutes=minutes, noted_by="carla", at=START
        )
        await county.scoping.write_minutes(CARLA, case_id, note)
    log = (await county.scoping.look(CARLA, case_id)).searches
    assert log.minutes_by_work == {"search": 20, "review": 30}
    assert log.minutes_in_all == 50


# ---------------------------------------------------------------- closing and reopening


async def test_no_records_needs_a_search(county: CaseDeskUnderTest) -> None:
    case_id = await acknowledged(county)
    assert await code_of(county.desk.close(CARLA, case_id, "no_records")) == "no_search"
    await county.scoping.write_search(CARLA, case_id, search())
    # It was never said what to look for.
    assert await code_of(county.desk.close(CARLA, case_id, "no_records")) == "case_state"
    await scoped(county, case_id)
    await county.desk.close(CARLA, case_id, "no_records")
    closed = await county.desk.close(CARLA, case_id, "no_records")
    assert (closed.state, closed.outcome) == ("closed", "no_records")
    assert await code_of(county.desk.close(CARLA, case_id, "withdrawn")) == "case_closed"


async def test_unclear_needs_a_question_without_an_answer(county: CaseDeskUnderTest) -> None:
    sent = await county.submissions.submit(INTAKE, "9b1d" * 16, "x", None)
    case_id = sent.case_id
    assert await code_of(county.desk.close(CARLA, case_id, "unclear")) == "answered"
    ask = Draft("1" * 16, "What?", "staff", asks=True)
    await county.corresponding.write(CARLA, case_id, ask)
    closed = await county.desk.close(CARLA, case_id, "unclear")
    assert closed.outcome == "unclear"
    assert closed.provisional is not None
    assert not closed.provisional.standing


@pytest.mark.parametrize("outcome", ["full", "part", "unpaid", "denied"])
async def test_other_outcomes_need_what_leads_to_them(
    county: CaseDeskUnderTest, outcome: Any
) -> None:
    case_id = await acknowledged(county)
    await scoped(county, case_id)
    expected = "not_denied" if outcome == "denied" else "case_state"
    assert await code_of(county.desk.close(CARLA, case_id, outcome)) == expected
    assert county.files.state(case_id).state == "scoping"


async def test_records_that_exist_have_their_hold_before_a_case_is_closed(
    county: CaseDeskUnderTest,
) -> None:
    await county.retention.eligible("r1")
    case_id = await acknowledged(county)
    await scoped(county, case_id, complete=True)
    with pytest.raises(RefusedError) as refused:
        county.files.state(case_id).ended("denied", county.clock.now())
    assert refused.value.code == "not_identified"
    await county.preservation.identify(CARLA, case_id, ["r1"], complete=True)
    closed = county.files.state(case_id).ended("denied", county.clock.now())
    assert (closed.state, closed.outcome) == ("closed", "denied")


async def test_a_case_that_is_opened_again_stops_destruction_as_before(
    county: CaseDeskUnderTest,
) -> None:
    await county.retention.eligible("r1", "r2")
    case_id = await acknowledged(county)
    await county.preservation.bound(CARLA, case_id, Bounds(record_ids=("r1",)))
    await county.desk.withdraw(CARLA, case_id)
    await county.preservation.step()
    await county.filing.step()
    assert (await county.retention.review.propose(CARLA, ["r1"], 10, None)).records
    fence = county.retention.holds.fence
    county.clock.at += timedelta(days=2)
    await county.desk.reopen(CARLA, case_id, "requester_wrote")
    again = await county.desk.reopen(CARLA, case_id, "requester_wrote")
    assert (again.state, again.outcome, again.closed_at) == ("scoping", None, None)
    assert again.provisional is not None
    assert (again.provisional.state, again.provisional.bounds) == (
        "in_force",
        Bounds(record_ids=("r1",)),
    )
    assert county.retention.holds.fence > fence
    (waiting,) = await county.retention.dispositions.with_status(["proposed"], 10)
    made = await county.retention.dispositions.get(waiting)
    assert made is not None
    assert made.set_hash is not None
    done = await county.retention.review.approve(made.disposition_id, RAUL, made.set_hash)
    assert [(each.record_id, each.reason) for each in done.left_out] == [("r1", "case_open")]
    # Its bounds are due again, counted from now.
    seen = await county.preservation.look(CARLA, case_id)
    assert (seen.bounds_due_at, seen.case.asked_at) == (None, county.clock.now())


async def test_each_end_and_each_beginning_of_a_hold_is_an_act_of_its_own(
    county: CaseDeskUnderTest,
) -> None:
    case_id = await acknowledged(county)
    for _ in range(2):
        await county.desk.withdraw(CARLA, case_id)
        await county.preservation.step()
        await county.desk.reopen(CARLA, case_id, "requester_wrote")
        county.clock.at += timedelta(days=1)
    told = [each.data for each in county.files.said(case_id)]
    acts = [each for each in told if isinstance(each, ev.ActRecorded)]
    assert [each.act for each in acts] == ["hold", "release", "hold", "release", "hold"]
    assert len({each.act_id for each in acts}) == len(acts)


async def test_records_are_held_anew_after_a_reopening(county: CaseDeskUnderTest) -> None:
    await county.retention.eligible("r1", "r9")
    case_id = await acknowledged(county)
    await county.preservation.identify(CARLA, case_id, ["r1"], complete=True)
    await county.desk.withdraw(CARLA, case_id)
    (first,) = await county.retention.holds.of_case(case_id)
    county.clock.at += timedelta(days=40)
    await county.retention.holding.release(first.hold_id, RAUL, "The 30 days are over.")
    await county.desk.reopen(CARLA, case_id, "court_order", Bounds(record_ids=("r9",)))
    # The released records are inside the new bounds, until they have their hold again.
    provisional = county.files.state(case_id).provisional
    assert provisional is not None
    assert provisional.bounds == Bounds(record_ids=("r9", "r1"))
    seen = await county.preservation.identify(CARLA, case_id, ["r1"], complete=True)
    second = seen.holds[-1] if seen.holds[0].hold_id == first.hold_id else seen.holds[0]
    assert (second.state, second.hold_id == first.hold_id) == ("in_force", False)
    assert second.earliest_release_at == county.clock.now() + timedelta(days=30)


async def closed_long_ago(county: CaseDeskUnderTest) -> str:
    """A case whose own file may be destroyed now."""
    county.clock.at = START - timedelta(days=3_000)
    case_id = (await county.desk.open_case(CARLA, "public_records", "x", None, None)).record_id
    await county.desk.withdraw(CARLA, case_id)
    await county.filing.step()
    await county.preservation.step()
    county.clock.at = START
    await county.retention.expiry.step()
    return case_id


async def test_the_file_of_a_reopened_case_is_not_ordered_to_be_destroyed(
    county: CaseDeskUnderTest,
) -> None:
    case_id = await closed_long_ago(county)
    made = await county.retention.review.propose(CARLA, [case_id], 10, None)
    assert made.set_hash is not None
    await county.desk.reopen(CARLA, case_id, "requester_wrote")
    done = await county.retention.review.approve(made.disposition_id, RAUL, made.set_hash)
    assert [each.record_id for each in done.left_out] == [case_id]
    assert county.retention.record(case_id).stage == "active"
    # A late word of the closing, from a process that was slow, changes nothing.
    old = county.files.state(case_id).version - 3
    shelf = county.filing._shelf
    await shelf.put(case_id, version=old, received_at=START, closed_at=START)
    assert county.retention.record(case_id).closed_at is None


async def test_a_case_whose_file_was_ordered_to_be_destroyed_stays_closed(
    county: CaseDeskUnderTest,
) -> None:
    case_id = await closed_long_ago(county)
    await county.retention.ordered(case_id)
    assert await code_of(county.desk.reopen(CARLA, case_id, "requester_wrote")) == "ordered"
    state = county.files.state(case_id)
    assert (state.state, state.reopening, state.reopenings) == ("closed", None, ())


async def test_a_reopening_that_was_killed_goes_on(
    county: CaseDeskUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    case_id = await acknowledged(county)
    await county.desk.withdraw(CARLA, case_id)
    await county.preservation.step()

    async def killed(_: CaseFile) -> CaseFile:
        raise ConnectionError

    with monkeypatch.context() as patched:
        patched.setattr(county.filing, "file", killed)
        with pytest.raises(ConnectionError):
            await county.desk.reopen(CARLA, case_id, "requester_wrote")
    assert county.files.state(case_id).state == "closed"
    await county.filing.step()
    await county.preservation.step()
    state = county.files.state(case_id)
    assert (state.state, state.unfiled) == ("scoping", False)
    assert state.provisional is not None
    assert state.provisional.state == "in_force"


async def test_only_a_closed_case_at_the_own_desk_is_opened_again(
    county: CaseDeskUnderTest,
) -> None:
    case_id = await acknowledged(county)
    assert await code_of(county.desk.reopen(CARLA, case_id, "mistake")) == "case_state"
    assert await code_of(county.desk.reopen(LIAISON, case_id, "mistake")) == "unknown_case"
    police = (await county.desk.open_case(LIAISON, "law_enforcement", "x", None, None)).record_id
    await county.desk.withdraw(LIAISON, police)
    assert await code_of(county.desk.reopen(LIAISON, police, "mistake")) == "case_kind"


# ---------------------------------------------------------------- the timeline


async def test_the_timeline_has_every_step_of_every_part(county: CaseDeskUnderTest) -> None:
    await county.retention.eligible("r1")
    case_id = await acknowledged(county)
    county.clock.at += timedelta(days=3)
    await scoped(county, case_id)
    await county.preservation.identify(CARLA, case_id, ["r1"], complete=True)
    await county.scoping.write_search(CARLA, case_id, search())
    await county.preservation.sue(CARLA, case_id)
    county.clock.at += timedelta(days=2)
    found = await county.scoping.timeline(CARLA, case_id)
    assert (found.age_days, found.days_without_act) == (5, 2)
    assert {each.step for each in found.steps} == {
        "opened",
        "acknowledged",
        "scope_set",
        "records_identified",
        "searched",
        "suit",
    }
    assert all(each.actor == "carla" for each in found.steps)
    assert await code_of(county.scoping.timeline(LIAISON, case_id)) == "unknown_case"


async def test_an_older_case_without_kept_steps_has_a_timeline_too(
    county: CaseDeskUnderTest,
) -> None:
    case_id = await acknowledged(county)
    state = county.files.state(case_id)
    await county.files.put(state.model_copy(update={"steps": ()}), county.clock.now())
    county.clock.at += timedelta(days=1)
    await scoped(county, case_id)
    found = await county.scoping.timeline(CARLA, case_id)
    assert [each.step for each in found.steps] == ["opened", "scope_set"]


# ---------------------------------------------------------------- tasks


async def test_other_desks_cases_take_no_room_in_the_list_of_tasks(
    county: CaseDeskUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("direct311.retention.preservation.handlers.LISTED", 3)
    await county.retention.eligible(*(f"r{number}" for number in range(8)))
    for number in range(4):
        police = await county.desk.open_case(LIAISON, "law_enforcement", "x", None, None)
        await county.preservation.identify(
            LIAISON, police.record_id, [f"r{number}"], complete=False
        )
    own = []
    for number in range(4, 6):
        case = await county.desk.open_case(CARLA, "public_records", "x", None, None)
        await county.preservation.identify(CARLA, case.record_id, [f"r{number}"], complete=False)
        own.append(case.record_id)
    county.clock.at += timedelta(days=31)
    tasks = await county.preservation.tasks(CARLA)
    for name in ("set_bounds", "release_hold"):
        assert sorted(each.case_id for each in tasks if each.task == name) == sorted(own)
    everything = await county.preservation.tasks(RAUL)
    assert len([each for each in everything if each.task == "release_hold"]) == 3


# ---------------------------------------------------------------- over HTTP


@pytest.fixture
def http(county: CaseDeskUnderTest) -> Iterator[TestClient]:
    who = caller_of(county.authenticator)
    with county.serve(router(county.scoping, county.rules.desks, who, county.clock)) as client:
        yield client


async def test_scope_searches_and_timeline_over_http(
    county: CaseDeskUnderTest, http: TestClient
) -> None:
    case_id = await acknowledged(county)
    carla = {"Authorization": "Bearer custodian:carla"}
    path = f"/v1/cases/{case_id}"
    order = {
        "version": version(county, case_id),
        "person": {"name": "Canary Name"},
        "words": ["canary word"],
        "place": {"municipality": "Hialeah", "address": "4417 Canary Terrace"},
        "service_codes": ["POTHOLE"],
        "departments": ["public_works"],
        "since": "2024-01-01T00:00:00-05:00",
    }
    put = http.put(f"{path}/scope", json=order, headers=carla)
    assert put.status_code == 200, put.text
    assert put.json()["criteria"] == ["person", "place", "words", "type", "department", "time"]
    assert "anary" not in put.text
    stale = http.put(f"{path}/scope", json={**order, "words": ["other"]}, headers=carla)
    assert (stale.status_code, stale.json()["field"]) == (409, "version")
    read = http.get(f"{path}/scope", headers=carla).json()
    for name in ("person", "words", "place", "service_codes", "departments"):
        assert read[name] == order[name]

    body = {"search_id": "s-1", "where": "email", "shape": ["words"], "hits": 0, "minutes": 12}
    for _ in range(2):
        log = http.post(f"{path}/searches", json=body, headers=carla)
        assert log.status_code == 200, log.text
    note = {"note_id": "m-1", "work": "review", "minutes": 30, "person": "wanda"}
    log = http.post(f"{path}/minutes", json=note, headers=carla)
    assert (log.json()["minutes_in_all"], len(log.json()["searches"])) == (42, 1)
    assert http.get(f"{path}/searches", headers=carla).json() == log.json()
    seen = http.get(f"{path}/timeline", headers=carla).json()
    assert [each["step"] for each in seen["steps"]] == [
        "opened",
        "acknowledged",
        "scope_set",
        "searched",
        "minutes_noted",
    ]
    assert (seen["age_days"], seen["state"]) == (0, "scoping")
    for wrong in (
        {**order, "since": "2026-01-01T00:00:00Z", "until": "2025-01-01T00:00:00Z"},
        {**order, "person": {"passport": "Canary"}},
        {**order, "words": ["x" * 201]},
        {**order, "complete": 1},
    ):
        refused = http.put(f"{path}/scope", json=wrong, headers=carla)
        assert refused.status_code == 422
        assert "anary" not in refused.text


@pytest.mark.parametrize("wrong", [{"minutes": False}, {"hits": True}, {"hits": "1"}])
def test_a_truth_value_or_a_text_is_no_number(wrong: dict[str, Any]) -> None:
    right = {"search_id": "0" * 16, "where": "email", "hits": 0, "minutes": 1}
    SearchOrder.model_validate(right)
    with pytest.raises(ValidationError):
        SearchOrder.model_validate(right | wrong)
