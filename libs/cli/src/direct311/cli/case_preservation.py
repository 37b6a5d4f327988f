"""`direct311 case`: what a case stops: its bounds, the records that it holds, a suit, and tasks."""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any

import typer
from rich.console import Console

from direct311.cli.screen import columns
from direct311.cli.stack import Session

Run = Callable[[Callable[[Session], Coroutine[Any, Any, None]]], None]
SERVICE = "retention"

Case = Annotated[str, typer.Argument(metavar="CASE", help="the number of the case")]
As = Annotated[str, typer.Option("--as", help="who: the token's subject")]
Desk = Annotated[str, typer.Option(help="custodian, or liaison for law enforcement")]
Reader = Annotated[str, typer.Option(help="custodian, liaison, records_officer or counsel")]
Records = Annotated[list[str] | None, typer.Option("--record", help="may be repeated")]


def register(app: typer.Typer, run: Run, console: Console) -> None:
    """Add the commands to the group `app`."""
    _looks(app, run, console)
    _acts(app, run, console)


def _looks(app: typer.Typer, run: Run, console: Console) -> None:
    @app.command()
    def tasks(role: Reader = "custodian", name: As = "custodian-1") -> None:
        """What somebody must do about open cases and their holds. Opens nothing."""

        async def work(session: Session) -> None:
            found: Any = await session.get(SERVICE, "/v1/case-tasks", role, name)
            table = columns("case, hold", "task", "due", whole=("case, hold",))
            for each in found["tasks"]:
                due = each["due_at"][:10] + (" overdue" if each["overdue"] else "")
                numbers = [each["case_id"], *([each["hold_id"]] if "hold_id" in each else ())]
                table.add_row("\n".join(numbers), each["task"], due)
            console.print(table)

        run(work)

    @app.command()
    def holds(case: Case, role: Reader = "custodian", name: As = "custodian-1") -> None:
        """What a case keeps from destruction. Opens nothing."""

        async def work(session: Session) -> None:
            found = await session.get(SERVICE, f"/v1/cases/{case}/preservation", role, name)
            _print(console, found)

        run(work)


def _acts(app: typer.Typer, run: Run, console: Console) -> None:
    @app.command()
    def bounds(
        case: Case,
        record: Records = None,
        types: Annotated[
            list[str] | None, typer.Option("--type", help="a request type; may be repeated")
        ] = None,
        municipality: Annotated[str | None, typer.Option(help="its name")] = None,
        department: Annotated[str | None, typer.Option(help="its code")] = None,
        since: Annotated[
            str | None, typer.Option(help="with its offset: 2024-01-01T00:00:00-05:00")
        ] = None,
        until: Annotated[str | None, typer.Option(help="likewise")] = None,
        role: Desk = "custodian",
        name: As = "custodian-1",
    ) -> None:
        """Say within what a case stops destruction. Choose them too wide rather than too narrow."""
        query = {
            "service_codes": types,
            "municipality": municipality,
            "department": department,
            "since": since,
            "until": until,
        }
        said = {field: value for field, value in query.items() if value}
        body: dict[str, Any] = {"record_ids": record or []}
        if said:
            body["query"] = said

        async def work(session: Session) -> None:
            found = await session.put(SERVICE, f"/v1/cases/{case}/bounds", body, role, name)
            _print(console, found)

        run(work)

    @app.command()
    def records(
        case: Case,
        record: Records = None,
        complete: Annotated[
            bool, typer.Option("--complete", help="these are all: nothing else is stopped any more")
        ] = False,
        role: Desk = "custodian",
        name: As = "custodian-1",
    ) -> None:
        """Hold the records that a case is about, for at least 30 days from the request."""
        body = {"record_ids": record or [], "complete": complete}

        async def work(session: Session) -> None:
            found = await session.post(SERVICE, f"/v1/cases/{case}/records", body, role, name)
            _print(console, found)

        run(work)

    @app.command()
    def suit(case: Case, role: Desk = "custodian", name: As = "custodian-1") -> None:
        """Somebody sued: every hold of the case lasts until a court's order."""

        async def work(session: Session) -> None:
            found = await session.post(SERVICE, f"/v1/cases/{case}/suit", {}, role, name)
            _print(console, found)

        run(work)


def _print(console: Console, found: Any) -> None:
    if found.get("provisional"):
        within = "within its bounds" if found.get("bounds") else "all destruction"
        due = found.get("bounds_due_at")
        console.print(f"stops {within}" + (f"; bounds due {due[:10]}" if due else ""))
    if found.get("suit_at"):
        console.print(f"a suit since {found['suit_at'][:10]}: only a court's order ends its holds")
    table = columns("hold", "state", "records", "not before", "too late", whole=("hold",))
    for each in found["holds"]:
        table.add_row(
            each["hold_id"],
            each["state"],
            str(each["records"]),
            (each.get("earliest_release_at") or "")[:10],
            "\n".join(each["too_late"]),
        )
    console.print(table)
