"""`direct311 case exemptions`: what was withheld in released packages, over all cases."""

import csv
import io
import sys
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Annotated, Any

import typer
from rich.console import Console

from direct311.cli.screen import columns, printable
from direct311.cli.stack import Session

Run = Callable[[Callable[[Session], Coroutine[Any, Any, None]]], None]
SERVICE = "retention"
PATH = "/v1/exemption-log"
COLUMNS = (
    "case_id",
    "package",
    "released_at",
    "record_id",
    "item",
    "field",
    "code",
    "citation",
    "decided_by",
    "decided_at",
    "version",
    "recalled_at",
)
_SHOWN = ("case_id", "record_id", "item", "code", "citation", "decided_by", "decided_at")
_FORMULA = frozenset("=+-@\t\r\n")


def register(app: typer.Typer, run: Run, console: Console, errors: Console) -> None:
    """Add the command to the group `app`."""

    @app.command("exemptions")
    def exemptions(
        since: Annotated[
            str | None, typer.Option(help="released from then on, 2026-12-01T00:00:00Z")
        ] = None,
        until: Annotated[str | None, typer.Option(help="released before then")] = None,
        case: Annotated[str | None, typer.Option(help="the number of one case")] = None,
        citation: Annotated[str | None, typer.Option(help="such as 119.071(4)(d)")] = None,
        reference: Annotated[
            str | None, typer.Option(help="the auditor's letter; others need none")
        ] = None,
        as_csv: Annotated[bool, typer.Option("--csv", help="all columns, as CSV")] = False,
        role: Annotated[
            str, typer.Option(help="records_officer, counsel or auditor")
        ] = "records_officer",
        name: Annotated[str, typer.Option("--as", help="who: the token's subject")] = "officer-1",
    ) -> None:
        """List what was withheld in packages that were released: where, by which law, decided by
        whom and when. It has no value. Each case in it is an entry of the log.
        """
        asked = {
            "since": since,
            "until": until,
            "case": case,
            "citation": citation,
            "reference": reference,
        }
        query: dict[str, object] = {
            name: value for name, value in asked.items() if value is not None
        }

        async def work(session: Session) -> None:
            rows: list[dict[str, Any]] = []
            counts: Counter[str] = Counter()
            unreadable = 0
            more: dict[str, object] = {}
            while True:
                page: Any = await session.get_query(SERVICE, PATH, query | more, role, name)
                rows += page["rows"]
                counts.update(page["counts"])
                unreadable += page["unreadable"]
                if page["next"] is None:
                    break
                more = {"cursor": page["next"]}
            if as_csv:
                sys.stdout.write(_csv(rows))
            else:
                _show(console, rows, counts)
            if unreadable:
                errors.print(
                    f"{unreadable} records are missing here: what was collected no longer exists",
                    style="red",
                )
                raise typer.Exit(1)

        run(work)


def _show(console: Console, rows: list[dict[str, Any]], counts: Counter[str]) -> None:
    table = columns("case", "record", "item", "code", "law", "decided by", "on", whole=())
    for row in rows:
        *values, on = (str(row[name]) for name in _SHOWN)
        table.add_row(*values, on[:10])
    console.print(table)
    for citation in sorted(counts):
        console.print(f"{citation}: {counts[citation]}", highlight=False)
    cases = len({row["case_id"] for row in rows})
    console.print(f"{len(rows)} items are withheld, in {cases} cases", highlight=False)
    if recalled := sum(row.get("recalled_at") is not None for row in rows):
        console.print(f"{recalled} of them in packages that were recalled", highlight=False)


def _csv(rows: list[dict[str, Any]]) -> str:
    """RFC 4180. A text that a spreadsheet would run as a formula gets an apostrophe."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for row in rows:
        writer.writerow([_cell(row.get(name)) for name in COLUMNS])
    return text.getvalue()


def _cell(value: object) -> str:
    text = "" if value is None else printable(str(value))
    return f"'{text}" if text[:1] in _FORMULA else text
