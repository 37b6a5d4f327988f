"""The table of steps that a department may report."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest

from direct311.routing.assignment.adapters import load_rules
from direct311.runtime.datafile import DataFileError, packaged
from direct311.schemas import events as ev
from tests.support.data_files import changed, entry

FILES = load_rules()
STATUSES: tuple[ev.RequestStatus, ...] = get_args(ev.RequestStatus)
OPEN = {"routed", "in_progress", "on_hold", "referred"}
CLOSED = {"fixed", "closed", "closed_unfounded"}

POSSIBLE: dict[ev.WorkStep, set[str]] = {
    "acknowledged": {"routed"},
    "assigned": OPEN - {"referred"},
    "scheduled": OPEN,
    "in_progress": OPEN,
    "note": OPEN | CLOSED | {"duplicate"},
    "waiting": OPEN - {"referred"},
    "wrong_department": OPEN,
    "referred": OPEN,
    "handed_over": OPEN,
    "resolved": OPEN,
    "reopened": CLOSED,
}


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("step", POSSIBLE)
def test_each_step_is_possible_in_these_statuses_only(
    step: ev.WorkStep, status: ev.RequestStatus
) -> None:
    possible = FILES.steps.possible(status, FILES.states)
    assert (step in possible) == (status in POSSIBLE[step])


def test_the_table_has_every_step_of_the_event() -> None:
    assert set(POSSIBLE) == set(get_args(ev.WorkStep))


def gone(tree: dict[str, Any]) -> None:
    tree["updates"] = [each for each in tree["updates"] if each["step"] != "note"]


def reopened_from_withdrawn(tree: dict[str, Any]) -> None:
    entry(tree, "updates", "step", "reopened")["start"] = ["withdrawn"]


def referred_to_nobody(tree: dict[str, Any]) -> None:
    entry(tree, "updates", "step", "referred")["needs"] = []


def without_an_outcome(tree: dict[str, Any]) -> None:
    entry(tree, "updates", "step", "resolved")["needs"] = []


def nowhere(tree: dict[str, Any]) -> None:
    entry(tree, "updates", "step", "waiting")["start"] = []


def no_desk(tree: dict[str, Any]) -> None:
    tree["triage"] = "nobody"


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (gone, ("note", "step")),
        (reopened_from_withdrawn, ("reopened", "start")),
        (referred_to_nobody, ("referred", "moves")),
        (without_an_outcome, ("resolved", "end")),
        (nowhere, ("waiting", "start")),
        (no_desk, ("", "triage")),
    ],
)
def test_a_mistake_in_the_table_is_named(
    tmp_path: Path, change: Callable[[dict[str, Any]], None], problem: tuple[str, str]
) -> None:
    changed(packaged("direct311.routing", "updates.yaml"), tmp_path, change)
    with pytest.raises(DataFileError) as refused:
        load_rules(tmp_path)
    assert problem in [each[:2] for each in refused.value.problems]
