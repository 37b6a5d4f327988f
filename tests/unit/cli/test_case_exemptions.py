"""`direct311 case exemptions`: it asks for all pages, and shows them as a table or as CSV."""

import csv
import io
from collections.abc import Callable
from typing import Any

import anyio
import typer
from rich.console import Console
from typer.testing import CliRunner, Result

from direct311.cli import case_exemptions


def row(item: str, citation: str = "119.071(4)(d)", **more: Any) -> dict[str, Any]:
    return {
        "case_id": "case-1",
        "package": "ab" * 32,
        "released_at": "2026-12-01T10:00:00Z",
        "record_id": "record-1",
        "item": item,
        "field": "description",
        "code": "protected_person",
        "citation": citation,
        "decided_by": "rita",
        "decided_at": "2026-11-30T10:00:00Z",
        "version": 2,
        **more,
    }


class Retention:
    """Two pages, and what it was asked."""

    def __init__(self, unreadable: int = 0) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.pages: list[dict[str, Any]] = [
            {
                "rows": [row("description:1-5"), row("phone", case_id="case-2")],
                "counts": {"119.071(4)(d)": 2},
                "records": 2,
                "unreadable": unreadable,
                "next": "case-2.record-1",
            },
            {
                "rows": [row("description:7-9", "119.071(5)(a)", decided_by="=cmd")],
                "counts": {"119.071(5)(a)": 1},
                "records": 1,
                "unreadable": 0,
                "next": None,
            },
        ]

    async def get_query(self, *asked: Any) -> Any:
        self.asked.append(asked)
        return self.pages[len(self.asked) - 1]


def said(retention: Retention, *arguments: str) -> tuple[Result, str]:
    screen = io.StringIO()

    def run(work: Callable[[Any], Any]) -> None:
        anyio.run(work, retention)

    app = typer.Typer()
    console = Console(file=screen, width=200)
    case_exemptions.register(app, run, console, console)
    return CliRunner().invoke(app, [*arguments]), screen.getvalue()


def test_it_reads_every_page_and_counts_by_law() -> None:
    retention = Retention()
    answer, shown = said(retention, "--since", "2026-12-01T00:00:00Z")
    assert answer.exit_code == 0, answer.output
    first = {"since": "2026-12-01T00:00:00Z"}
    who = ("records_officer", "officer-1")
    assert retention.asked == [
        ("retention", "/v1/exemption-log", first, *who),
        ("retention", "/v1/exemption-log", first | {"cursor": "case-2.record-1"}, *who),
    ]
    assert "119.071(4)(d): 2" in shown
    assert "119.071(5)(a): 1" in shown
    assert "3 items are withheld, in 2 cases" in shown


def test_as_csv_it_has_every_column_and_no_formula() -> None:
    answer, shown = said(Retention(), "--csv", "--role", "auditor", "--reference", "Letter 12")
    rows = list(csv.reader(io.StringIO(answer.stdout, newline="")))
    assert tuple(rows[0]) == case_exemptions.COLUMNS
    assert [each[4] for each in rows[1:]] == ["description:1-5", "phone", "description:7-9"]
    assert rows[3][8] == "'=cmd"
    assert shown == ""


def test_it_says_that_records_are_missing_and_fails() -> None:
    answer, shown = said(Retention(unreadable=1))
    assert answer.exit_code == 1
    assert "1 records are missing here" in shown


def test_it_says_how_many_were_in_packages_that_were_recalled() -> None:
    retention = Retention()
    retention.pages[0]["rows"][0]["recalled_at"] = "2026-12-01T12:00:00Z"
    answer, shown = said(retention)
    assert answer.exit_code == 0, answer.output
    assert "1 of them in packages that were recalled" in shown
    answer, _ = said(Retention(), "--csv")
    assert [each[-1] for each in csv.reader(io.StringIO(answer.stdout))][:2] == ["recalled_at", ""]
