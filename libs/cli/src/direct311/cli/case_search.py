"""`direct311 case search`: finds the requests that a case is about."""

from collections.abc import Callable, Coroutine
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.console import Console

from direct311.cli.screen import columns
from direct311.cli.stack import Session
from direct311.runtime.peers import HttpError

Run = Callable[[Callable[[Session], Coroutine[Any, Any, None]]], None]
GATEWAY, DESK = "intake", "retention"
LONGEST = 600.0
"""Seconds: a search in text opens thousands of requests."""
_NO_SUCH_CALL = (404, 405)


class By(StrEnum):
    """What the search looks for."""

    PHONE = "phone"
    EMAIL = "email"
    NAME = "name"
    WORDS = "words"


Case = Annotated[str, typer.Argument(metavar="CASE", help="the number of the case")]
Names = Annotated[list[str] | None, typer.Option(help="may be repeated")]


def register(app: typer.Typer, run: Run, console: Console, errors: Console) -> None:
    """Add the command to the group `app`."""

    @app.command()
    def search(
        case: Case,
        by: Annotated[
            By | None,
            typer.Option(help="asks for the value, so that it is in no history of a shell"),
        ] = None,
        municipality: Annotated[str | None, typer.Option(help="as the public sees it")] = None,
        box: Annotated[
            str | None, typer.Option(help="west,south,east,north; finds public points alone")
        ] = None,
        type_: Annotated[
            list[str] | None, typer.Option("--type", help="a service code; may be repeated")
        ] = None,
        since: Annotated[
            datetime | None, typer.Option(help="received then or later, in UTC")
        ] = None,
        before: Annotated[datetime | None, typer.Option(help="received earlier, in UTC")] = None,
        department: Names = None,
        ids: Annotated[
            bool, typer.Option("--ids", help="print only record ids, one a line")
        ] = False,
        role: Annotated[str, typer.Option(help="custodian, records_officer or counsel")] = (
            "custodian"
        ),
        name: Annotated[str, typer.Option("--as", help="who: the token's subject")] = (
            "custodian-1"
        ),
    ) -> None:
        """Find requests for a case. By a person or by words, a grant must allow it and name you,
        and each search counts. The search log of the case gets the search without the value."""
        body: dict[str, object] = {
            "municipality": municipality,
            "box": _box(box) if box else None,
            "types": type_ or [],
            "received_from": _utc(since),
            "received_before": _utc(before),
            "departments": department or [],
        }
        if by is not None:
            body[by.value] = typer.prompt(by.value, err=True)

        async def work(session: Session) -> None:
            path = f"/v1/cases/{case}/searches"
            with errors.status("Searching…"):
                found: Any = await session.http.post_json(
                    session.stack.services[GATEWAY] + path,
                    {each: value for each, value in body.items() if value is not None},
                    await session.headers(GATEWAY, role, name),
                    seconds=LONGEST,
                )
            if ids:
                for each in found["record_ids"]:
                    console.print(each, highlight=False)
            else:
                _show(console, found)
            await _log(session, path, found, role, name, errors)

        run(work)


def _show(console: Console, found: Any) -> None:
    table = columns("record", whole=("record",))
    for each in found["record_ids"]:
        table.add_row(each)
    if found["record_ids"]:
        console.print(table)
    shown = f", the first {len(found['record_ids'])} are shown" if found["more"] else ""
    console.print(f"{found['hits']} found{shown}; searched by {', '.join(found['shape']) or 'all'}")
    if found["without_point"]:
        console.print(f"{found['without_point']} without a public point, not compared with the box")
    console.print(f"Entry of the log: {found['search_id']}", highlight=False)


async def _log(
    session: Session, path: str, found: Any, role: str, name: str, errors: Console
) -> None:
    """Write the search into the case's search log, where the desk keeps one."""
    entry = found["search_id"]
    body = {
        "search_id": entry,
        "where": GATEWAY,
        "shape": found["shape"],
        "hits": found["hits"],
        "entry": entry,
    }
    try:
        await session.post(DESK, path, body, role, name)
    except HttpError as error:
        if error.status not in _NO_SUCH_CALL:
            errors.print(f"Not in the search log of the case: {entry}", style="red")
            raise


def _box(text: str) -> list[float]:
    try:
        west, south, east, north = (float(part) for part in text.split(","))
    except ValueError:
        raise typer.BadParameter("west,south,east,north in degrees", param_hint="--box") from None
    return [west, south, east, north]


def _utc(at: datetime | None) -> str | None:
    return f"{at.isoformat()}Z" if at else None
