"""`direct311 case`: bounds, held records, a suit and tasks, as the commands send and show them."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from direct311.cli import case_preservation
from direct311.cli.screen import Screen

CASE = "01a213de-31f0-7245-a5e0-10ea754957f7"
HOLD = "01a213de-31f0-7245-a5e0-10ea754957f8"
STOPS: dict[str, Any] = {
    "provisional": True,
    "bounds_due_at": "2026-12-03T05:00:00Z",
    "overdue": False,
    "holds": [],
}
HELD: dict[str, Any] = {
    "provisional": False,
    "overdue": False,
    "suit_at": "2026-12-02T05:00:00Z",
    "holds": [
        {
            "hold_id": HOLD,
            "state": "in_force",
            "records": 2,
            "too_late": ["r-9"],
            "placed_at": "2026-12-01T05:00:00Z",
            "earliest_release_at": "2026-12-31T05:00:00Z",
        }
    ],
}


class PreservingSession:
    """Retention with one case."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str, Any, str]] = []
        self.answer: Any = STOPS

    async def get(self, service: str, path: str, role: str, name: str) -> Any:
        self.sent.append(("GET", path, None, role))
        return self.answer

    async def post(self, service: str, path: str, body: Any, role: str, name: str) -> Any:
        self.sent.append(("POST", path, body, role))
        return self.answer

    async def put(self, service: str, path: str, body: Any, role: str, name: str) -> Any:
        self.sent.append(("PUT", path, body, role))
        return self.answer


@pytest.fixture
def session() -> PreservingSession:
    return PreservingSession()


def called(session: PreservingSession, *words: str) -> str:
    app = typer.Typer()

    def run(work: Callable[[Any], Coroutine[Any, Any, None]]) -> None:
        asyncio.run(work(session))

    case_preservation.register(app, run, Screen(width=120))
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    return done.output


def test_what_a_case_stops_is_shown_with_the_day_by_which_it_needs_bounds(
    session: PreservingSession,
) -> None:
    shown = called(session, "holds", CASE, "--role", "records_officer")
    assert "stops all destruction; bounds due 2026-12-03" in shown
    path = f"/v1/cases/{CASE}/preservation"
    assert session.sent == [("GET", path, None, "records_officer")]


def test_bounds_are_records_or_a_query(session: PreservingSession) -> None:
    session.answer = STOPS | {"bounds": {"record_ids": ["r-1"]}}
    shown = called(session, "bounds", CASE, "--record", "r-1", "--type", "BRIDGE")
    assert "stops within its bounds" in shown
    query = {"service_codes": ["BRIDGE"]}
    body = {"record_ids": ["r-1"], "query": query}
    assert session.sent[-1] == ("PUT", f"/v1/cases/{CASE}/bounds", body, "custodian")
    called(session, "bounds", CASE, "--record", "r-1")
    assert session.sent[-1][2] == {"record_ids": ["r-1"]}


def test_held_records_are_shown_with_those_that_were_too_late(session: PreservingSession) -> None:
    session.answer = HELD
    shown = called(session, "records", CASE, "--record", "r-1", "--record", "r-9", "--complete")
    body = {"record_ids": ["r-1", "r-9"], "complete": True}
    assert session.sent == [("POST", f"/v1/cases/{CASE}/records", body, "custodian")]
    assert HOLD in shown
    assert "2026-12-31" in shown
    assert "r-9" in shown
    assert "stops" not in shown


def test_a_suit_is_told(session: PreservingSession) -> None:
    session.answer = HELD
    shown = called(session, "suit", CASE, "--role", "liaison")
    assert session.sent == [("POST", f"/v1/cases/{CASE}/suit", {}, "liaison")]
    assert "a suit since 2026-12-02: only a court's order ends its holds" in shown


def test_tasks_are_listed_and_the_overdue_ones_say_so(session: PreservingSession) -> None:
    session.answer = {
        "tasks": [
            {"case_id": CASE, "task": "set_bounds", "due_at": STOPS["bounds_due_at"], "overdue": 1},
            {
                "case_id": CASE,
                "task": "release_hold",
                "hold_id": HOLD,
                "due_at": "2026-12-31T05:00:00Z",
                "overdue": False,
            },
        ]
    }
    shown = called(session, "tasks")
    assert session.sent == [("GET", "/v1/case-tasks", None, "custodian")]
    assert "2026-12-03 overdue" in shown
    assert HOLD in shown
