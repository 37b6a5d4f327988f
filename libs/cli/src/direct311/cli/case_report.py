"""`direct311 case report`: the transparency report of disclosure cases, from audit's register."""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from direct311.cli.audit import As, Reference, Role
from direct311.cli.screen import columns
from direct311.cli.stack import Session

Run = Callable[[Callable[[Session], Coroutine[Any, Any, None]]], None]
PrintJson = Callable[[object], None]
PATH = "/v1/cases-report"
_KINDS = ("public_records", "law_enforcement", "referral")


def register(app: typer.Typer, run: Run, print_json: PrintJson, console: Console) -> None:
    """Add the command to the group `app`."""

    @app.command("report")
    def report(
        *,
        year: Annotated[int | None, typer.Option(help="cases received in it; this one")] = None,
        as_json: Annotated[bool, typer.Option("--json", help="as audit answers")] = False,
        out: Annotated[
            Path | None, typer.Option(help="write the signed report into this file too")
        ] = None,
        reference: Reference,
        role: Role = "auditor",
        name: As = "auditor-1",
    ) -> None:
        """Show the cases of a year by kind and by instrument: received, outcomes, days, releases.

        It is made of the signed entries of the log, and the log signs it as a whole:
        `direct311-verifier report` checks the file that --out writes. A case that is exempt from
        inspection is counted once it no longer is.
        """
        query = {"year": year or datetime.now(UTC).year, "reference": reference}

        async def work(session: Session) -> None:
            answer: Any = await session.get_query("audit", PATH, query, role, name)
            if out is not None:
                out.write_bytes(answer["note"].encode())
            if as_json:
                print_json(answer)
                return
            table = columns(
                "cases received", "public records", "law enforcement", "referrals", whole=()
            )
            lines = {each["kind"]: each for each in answer["kinds"]}
            for what, of in _LINES:
                table.add_row(what, *(of(lines[kind]) for kind in _KINDS))
            console.print(table)
            if answer["instruments"]:
                console.print(_instruments(answer["instruments"]))
            if out is not None:
                console.print(f"signed report written to {out}", highlight=False)
            console.print(
                f"{answer['year']}, by UTC days; this question is event {answer['access_event']}",
                highlight=False,
            )

        run(work)


def _instruments(lines: Sequence[Mapping[str, Any]]) -> Any:
    """Cases of law enforcement by instrument; what has no case has no line."""
    table = columns("law enforcement by", "what", "number", whole=())
    for line in lines:
        for what, of in _BY_INSTRUMENT:
            if (number := of(line)) not in ("", "0"):
                table.add_row(line["instrument"], what, number)
    return table


def _outcomes(line: Mapping[str, Any]) -> str:
    return "\n".join(f"{outcome}: {number}" for outcome, number in line["outcomes"].items())


def _days(line: Mapping[str, Any]) -> str:
    return "" if line["median_days"] is None else str(line["median_days"])


def _number(name: str) -> Callable[[Mapping[str, Any]], str]:
    return lambda line: str(line[name])


_LINES: tuple[tuple[str, Callable[[Mapping[str, Any]], str]], ...] = (
    ("received", _number("received")),
    ("open", _number("open")),
    ("closed", _number("closed")),
    ("outcomes", _outcomes),
    ("median days", _days),
    ("with a release", _number("released")),
    ("packages released", _number("releases")),
    ("items withheld", _number("withheld")),
    ("grants", _number("grants")),
    ("grants revoked", _number("revoked")),
)

_BY_INSTRUMENT: tuple[tuple[str, Callable[[Mapping[str, Any]], str]], ...] = (
    ("received", _number("received")),
    ("open", _number("open")),
    ("closed", _number("closed")),
    ("outcomes", _outcomes),
    ("median days", _days),
    ("refused", _number("refused")),
    ("objected to", _number("objected")),
    ("narrowed", _number("narrowed")),
    ("with a grant", _number("granted")),
    ("persons at most", _number("persons_at_most")),
    ("instrument followed", _number("followed_up")),
    ("none followed", _number("not_followed_up")),
    ("with a release", _number("released")),
    ("items withheld", _number("withheld")),
)
