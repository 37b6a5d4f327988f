"""`direct311 case approvals` and `case oral`: what they ask and send, and what they print."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from direct311.cli import case_approvals, case_oral
from direct311.cli.screen import Screen

CASE = "01a213de-31f0-7245-a5e0-10ea754957f7"
GRANT = "01a213de-31f0-7245-a5e0-10ea754957f8"
HOLD = "01a213de-31f0-7245-a5e0-10ea754957f9"


class ApprovalsSession:
    """Retention with a grant and a hold that wait."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.total, self.complete = 2, True

    async def get_query(
        self, service: str, path: str, query: Mapping[str, object], role: str, name: str
    ) -> Any:
        self.asked.append((service, path, dict(query), role, name))
        grant = {
            "what": "grant",
            "case_id": CASE,
            "kind": "law_enforcement",
            "number": GRANT,
            "roles": ["counsel"],
            "prepared_by": "lars",
            "age_days": 1,
        }
        hold = {"what": "hold_release", "number": HOLD, "roles": ["counsel"], "age_days": 0}
        return {"approvals": [grant, hold], "total": self.total, "complete": self.complete}

    async def post(self, service: str, path: str, body: Any, role: str, name: str) -> Any:
        self.asked.append((service, path, body, role, name))
        return {"case_id": CASE}


@pytest.fixture
def session() -> ApprovalsSession:
    return ApprovalsSession()


def called(session: ApprovalsSession, *words: str) -> Any:
    app = typer.Typer()

    def run(work: Callable[[Any], Coroutine[Any, Any, None]]) -> None:
        asyncio.run(work(session))

    case_approvals.register(app, run, Screen(width=80))
    case_oral.register(app, run, Screen(width=80))
    return CliRunner().invoke(app, words)


def test_each_line_says_how_long_it_waits_and_with_which_command_to_begin(
    session: ApprovalsSession,
) -> None:
    said = called(session, "approvals", "--role", "counsel", "--as", "cole", "--limit", "5")
    assert said.exit_code == 0, said.output
    assert session.asked == [("retention", "/v1/approvals", {"limit": 5}, "counsel", "cole")]
    lines = said.output.splitlines()
    assert f"direct311 case approve {CASE} {GRANT} --role counsel" in lines[-4] + lines[-5]
    assert said.output.startswith(f"1 day: grant of case {CASE}, prepared by lars")
    assert "0 days: hold release" in said.output
    assert f"POST /v1/holds/{HOLD}/release" in said.output
    assert lines[-1] == "2 wait for you"


def test_it_says_when_there_are_more(session: ApprovalsSession) -> None:
    session.total, session.complete = 9, False
    assert called(session, "approvals").output.endswith("2 of 9 are shown; there may be more\n")


def test_what_was_told_in_an_emergency_is_said_with_whom_and_why(
    session: ApprovalsSession, tmp_path: Path
) -> None:
    words = tmp_path / "said.txt"
    words.write_text("Told the dispatcher the telephone number.")
    given = ("oral", "r1", str(words), "--opened", "2026-12-01T03:00:00Z", "--as", "dora")
    said = called(session, *given, "--agency", "sample_police", "--threat", "life")
    assert said.exit_code == 0, said.output
    assert said.output.splitlines() == [CASE, "An instrument must follow."]
    told = {"agency": "sample_police", "threat": "life"}
    body = {"record_id": "r1", "opened_at": "2026-12-01T03:00:00Z", "words": words.read_text()}
    assert session.asked == [
        ("retention", "/v1/oral-disclosures", body | told, "emergency", "dora")
    ]
    session.asked.clear()
    nobody = called(session, *given, "--role", "liaison", "--opened-by", "dora")
    assert nobody.output.splitlines() == [CASE]
    (_, _, sent, role, _) = session.asked[0]
    assert (sent, role) == (body | {"opened_by": "dora"}, "liaison")
    assert called(session, *given, "--agency", "sample_police").exit_code == 2
