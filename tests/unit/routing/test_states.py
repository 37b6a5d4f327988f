"""The states of a request."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest

from direct311.routing.assignment.adapters import load_rules
from direct311.routing.states import Actor, Move, allowed
from direct311.runtime.datafile import DataFileError, packaged
from direct311.schemas.events import RequestStatus, WorkStatus
from tests.support.data_files import changed, entry

STATES = load_rules().states
STATUSES: tuple[RequestStatus, ...] = get_args(RequestStatus)
WORK: tuple[WorkStatus, ...] = get_args(WorkStatus)


def may(actor: Actor, current: RequestStatus, proposed: RequestStatus) -> bool:
    return allowed(Move(current=current, proposed=proposed, actor=actor), STATES)


def test_every_status_of_the_events_has_a_state() -> None:
    assert {state.status for state in STATES.states} == set(STATUSES)


def test_extended_statuses_map_onto_open_and_closed() -> None:
    closed = {state.status for state in STATES.states if state.open311 == "closed"}
    assert closed == {"duplicate", "fixed", "closed", "closed_unfounded", "withdrawn"}
    assert STATES.state("on_hold").open311 == "open"
    assert all(state.final == (state.status in closed) for state in STATES.states)


@pytest.mark.parametrize("proposed", WORK)
def test_a_department_may_answer_what_was_routed_to_it(proposed: WorkStatus) -> None:
    assert may("department", "routed", proposed)


@pytest.mark.parametrize("current", STATUSES)
def test_a_department_never_routes_receives_withdraws_or_lifts_identity(
    current: RequestStatus,
) -> None:
    assert not {"received", "routed", "withdrawn", "identity_required"} & set(
        STATES.next(current, "department")
    )


@pytest.mark.parametrize("proposed", STATUSES)
def test_what_is_held_for_identity_moves_only_by_identity_or_withdrawal(
    proposed: RequestStatus,
) -> None:
    assert may("intake", "identity_required", proposed) == (proposed == "received")
    assert may("inspector", "identity_required", proposed) == (proposed == "received")
    assert may("reporter", "identity_required", proposed) == (proposed == "withdrawn")
    for actor in ("department", "routing", "triage"):
        assert not may(actor, "identity_required", proposed)


@pytest.mark.parametrize("proposed", STATUSES)
def test_what_was_withdrawn_stays_withdrawn(proposed: RequestStatus) -> None:
    assert not any(may(actor, "withdrawn", proposed) for actor in get_args(Actor))


def test_a_closed_request_can_be_taken_up_again_and_a_note_added_to_an_open_one() -> None:
    assert may("department", "fixed", "in_progress")
    assert not may("department", "fixed", "closed")
    assert may("department", "in_progress", "in_progress")


def test_a_city_answers_through_the_queue_that_referred_the_request() -> None:
    assert may("department", "referred", "closed")
    assert may("triage", "referred", "routed")


def test_next_says_what_would_be_right() -> None:
    assert STATES.next("received", "routing") == ("routed",)
    assert STATES.next("received", "department") == ()


@pytest.mark.parametrize("current", STATUSES)
def test_every_open_state_has_a_way_to_a_final_one(current: RequestStatus) -> None:
    reached, frontier = {current}, [current]
    while frontier:
        here = frontier.pop()
        for actor in get_args(Actor):
            for status in STATES.next(here, actor):
                if status not in reached:
                    reached.add(status)
                    frontier.append(status)
    assert any(STATES.state(status).final for status in reached)


def unknown_status(tree: dict[str, Any]) -> None:
    entry(tree, "states", "status", "fixed")["status"] = "mended"


def open_but_final(tree: dict[str, Any]) -> None:
    entry(tree, "states", "status", "fixed")["open311"] = "open"


def unreachable(tree: dict[str, Any]) -> None:
    entry(tree, "transitions", "transition", "withdrawn")["end"] = ["closed"]


def by_nobody(tree: dict[str, Any]) -> None:
    entry(tree, "transitions", "transition", "worked")["by"] = []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (unknown_status, ("mended", "status")),
        (open_but_final, ("fixed", "open311")),
        (unreachable, ("withdrawn", "transitions")),
        (by_nobody, ("worked", "by")),
    ],
)
def test_a_bad_machine_is_refused_by_entry_and_field(
    tmp_path: Path, change: Callable[[dict[str, Any]], None], problem: tuple[str, str]
) -> None:
    changed(packaged("direct311.routing", "states.yaml"), tmp_path, change)
    with pytest.raises(DataFileError) as refused:
        load_rules(tmp_path)
    assert problem in [each[:2] for each in refused.value.problems]
