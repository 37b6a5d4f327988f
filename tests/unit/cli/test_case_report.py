"""`direct311 case report`: what it asks of audit, and how it shows the answer."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import typer
from rich.console import Console
from typer.testing import CliRunner

from direct311.cli import case_report

LINE: dict[str, Any] = {
    "received": 3,
    "open": 1,
    "closed": 2,
    "outcomes": {"denied": 1, "full": 1},
    "median_days": 4.5,
    "released": 1,
    "releases": 2,
    "withheld": 7,
    "grants": 5,
    "revoked": 4,
}
EXIGENT: dict[str, Any] = LINE | {
    "instrument": "exigent_request",
    "refused": 1,
    "objected": 0,
    "narrowed": 2,
    "granted": 3,
    "persons_at_most": 19,
    "followed_up": 2,
    "not_followed_up": 1,
}
NOTE = "direct311-cases-report-v1\n{}\n\n\u2014 log AAAA\n"
EMPTY: dict[str, Any] = dict.fromkeys(LINE, 0) | {"outcomes": {}, "median_days": None}


class Audit:
    """Answers, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []

    async def get_query(self, *asked: Any) -> Any:
        self.asked.append(asked)
        kinds = [
            {"kind": "referral", **EMPTY},
            {"kind": "public_records", **LINE},
            {"kind": "law_enforcement", **EMPTY},
        ]
        return {
            "year": 2026,
            "kinds": kinds,
            "instruments": [EXIGENT],
            "as_of": "2026-12-01T10:00:00Z",
            "size": 40,
            "note": NOTE,
            "access_event": "event-1",
        }


def said(*arguments: str) -> tuple[Audit, str, list[object]]:
    printed: list[object] = []
    audit, screen = Audit(), io.StringIO()

    def run(work: Callable[[Any], Any]) -> None:
        anyio.run(work, audit)

    app = typer.Typer()
    case_report.register(app, run, printed.append, Console(file=screen, width=100))
    answer = CliRunner().invoke(app, [*arguments, "--reference", "Letter 12"])
    assert answer.exit_code == 0, answer.output
    return audit, screen.getvalue(), printed


def test_it_asks_for_a_year_and_shows_each_kind() -> None:
    audit, screen, _ = said("--year", "2026")
    query = {"year": 2026, "reference": "Letter 12"}
    assert audit.asked == [("audit", "/v1/cases-report", query, "auditor", "auditor-1")]
    rows = [
        [cell.strip() for cell in line.split("│")[1:-1]]
        for line in screen.splitlines()
        if "│" in line
    ]
    assert ["received", "3", "0", "0"] in rows
    assert ["outcomes", "denied: 1", "", ""] in rows
    assert ["median days", "4.5", "", ""] in rows
    assert ["items withheld", "7", "0", "0"] in rows
    assert ["exigent_request", "none followed", "1"] in rows
    assert ["exigent_request", "persons at most", "19"] in rows
    assert not [row for row in rows if row[1] == "objected to"]
    assert "this question is event event-1" in screen


def test_it_gives_the_answer_as_it_came() -> None:
    _, screen, printed = said("--json")
    assert screen == ""
    assert [each["year"] for each in printed if isinstance(each, dict)] == [2026]


def test_it_saves_the_signed_report_as_it_came(tmp_path: Path) -> None:
    out = tmp_path / "cases-2026.note"
    _, screen, _ = said("--out", str(out))
    assert out.read_bytes() == NOTE.encode()
    assert "signed report written to" in screen
