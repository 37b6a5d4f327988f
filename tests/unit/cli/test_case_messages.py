"""`direct311 case`: correspondence, scope and search log; nothing personal is in a command."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from direct311.cli import case_messages
from direct311.cli.screen import Screen

CASE = "01a213de-31f0-7245-a5e0-10ea754957f7"
LOG = {
    "searches": [
        {
            "at": "2026-12-01T05:00:00Z",
            "where": "email",
            "shape": ["words"],
            "hits": 0,
            "minutes": 12,
            "by": "carla",
        }
    ],
    "minutes_in_all": 42,
    "minutes_by_work": {"search": 12, "review": 30},
}
ANSWERS: dict[str, Any] = {
    "/messages": {
        "state": "clarifying",
        "messages": [
            {"at": "2026-12-01T05:00:00Z", "sender": "staff", "asks": True, "text": "Which?"},
            {"at": "2026-12-01T06:00:00Z", "sender": "requester", "asks": False, "text": "[b]It"},
        ],
    },
    "/acknowledgement": {"state": "acknowledged"},
    "/grants": {"version": 7},
    "/scope": {"state": "scoping", "criteria": ["person", "words"]},
    "/searches": LOG,
    "/minutes": LOG,
    "/timeline": {
        "state": "scoping",
        "age_days": 5,
        "days_without_act": 2,
        "steps": [
            {
                "at": "2026-12-01T05:00:00Z",
                "step": "searched",
                "state": "scoping",
                "actor": "carla",
                "codes": ["email", "words"],
            }
        ],
    },
    "/close": {"state": "closed", "outcome": "no_records"},
    "/reopening": {"state": "scoping"},
}


class CaseSession:
    """Retention with one case."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str, Any]] = []

    def _answer(self, method: str, path: str, body: Any = None) -> Any:
        of_case = f"/v1/cases/{CASE}"
        assert path.startswith(of_case)
        self.sent.append((method, path.removeprefix(of_case), body))
        return ANSWERS[path.removeprefix(of_case)]

    async def get(self, service: str, path: str, role: str, name: str) -> Any:
        return self._answer("GET", path)

    async def post(self, service: str, path: str, body: Any, role: str, name: str) -> Any:
        return self._answer("POST", path, body)

    async def put(self, service: str, path: str, body: Any, role: str, name: str) -> Any:
        return self._answer("PUT", path, body)


@pytest.fixture
def session() -> CaseSession:
    return CaseSession()


def called(session: CaseSession, *words: str, typed: str = "") -> Any:
    app = typer.Typer()

    def run(work: Callable[[Any], Coroutine[Any, Any, None]]) -> None:
        asyncio.run(work(session))

    case_messages.register(app, run, print, Screen(width=100))
    done = CliRunner().invoke(app, words, input=typed)
    assert done.exit_code == 0, done.output
    return done


def test_a_question_comes_from_a_file_and_a_repeat_has_a_key_of_its_own(
    session: CaseSession, tmp_path: Path
) -> None:
    text = tmp_path / "question.txt"
    text.write_text("Which bridge?")
    for _ in range(2):
        assert called(session, "message", CASE, str(text), "--ask").output.strip() == "clarifying"
    bodies = [body for _, _, body in session.sent]
    assert [each["text"] for each in bodies] == ["Which bridge?"] * 2
    assert all(each["asks"] and not each["from_requester"] for each in bodies)
    assert len({each["key"] for each in bodies}) == 2


def test_messages_are_shown_as_text(session: CaseSession) -> None:
    shown = called(session, "messages", CASE).output
    assert "county asks" in shown
    assert "[b]It" in shown
    assert called(session, "acknowledge", CASE).output.strip() == "acknowledged"


def test_whom_and_what_to_look_for_is_asked_for_and_never_in_the_command(
    session: CaseSession,
) -> None:
    typed = "Ada\n\n\n\nbridge, canal\n5 Main St\n"
    words = ("--person", "--words", "--address", "--municipality", "Hialeah", "--type", "BRIDGE")
    shown = called(session, "scope", CASE, *words, "--complete", typed=typed).output
    assert shown.strip().endswith("scoping person, words")
    assert session.sent[-1] == (
        "PUT",
        "/scope",
        {
            "version": 7,
            "person": {"name": "Ada"},
            "words": ["bridge", "canal"],
            "place": {"municipality": "Hialeah", "address": "5 Main St"},
            "service_codes": ["BRIDGE"],
            "complete": True,
        },
    )


def test_without_options_the_scope_is_shown(session: CaseSession) -> None:
    assert "criteria" in called(session, "scope", CASE).output
    assert session.sent == [("GET", "/scope", None)]


def test_a_search_is_written_down_and_shown(session: CaseSession) -> None:
    shown = called(session, "searches", CASE).output
    assert session.sent[-1] == ("GET", "/searches", None)
    assert "42 minutes: search 12, review 30" in shown
    words = ("--where", "email", "--by", "words", "--by", "time", "--minutes", "12")
    called(session, "searches", CASE, *words)
    *_, (method, path, body) = session.sent
    assert (method, path) == ("POST", "/searches")
    assert (body["where"], body["shape"], body["hits"], body["minutes"]) == (
        "email",
        ["words", "time"],
        0,
        12,
    )


def test_minutes_timeline_close_and_reopen(session: CaseSession) -> None:
    called(session, "minutes", CASE, "review", "30", "--person", "wanda")
    assert session.sent[-1][2]["person"] == "wanda"
    shown = called(session, "timeline", CASE).output
    assert "5 days old, 2 days without an act" in shown
    assert "email, words" in shown
    assert called(session, "close", CASE, "no_records").output.strip() == "closed no_records"
    assert called(session, "reopen", CASE, "--reason", "requester_wrote").output.strip() == (
        "scoping"
    )
    assert session.sent[-1][2] == {"reason": "requester_wrote"}
