"""`direct311 case`: correspondence, scope, search log, timeline, closing and reopening."""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any
from uuid import uuid4

import typer
from rich.console import Console

from direct311.cli.screen import columns
from direct311.cli.stack import Session

Run = Callable[[Callable[[Session], Coroutine[Any, Any, None]]], None]
PrintJson = Callable[[object], None]
SERVICE = "retention"
PATH = "/v1/cases"
CONTACT = ("name", "email", "phone", "address")
WHO = {"staff": "county", "requester": "requester"}

Case = Annotated[str, typer.Argument(metavar="CASE", help="the number of the case")]
As = Annotated[str, typer.Option("--as", help="who: the token's subject")]
Desk = Annotated[str, typer.Option(help="custodian, or liaison for law enforcement")]
Names = Annotated[list[str] | None, typer.Option(help="may be repeated")]


def register(app: typer.Typer, run: Run, print_json: PrintJson, console: Console) -> None:
    """Add the commands to the group `app`."""
    _correspondence(app, run, console)
    _scope(app, run, print_json, console)
    _search_log(app, run, console)
    _ends(app, run, console)


def _correspondence(app: typer.Typer, run: Run, console: Console) -> None:
    @app.command()
    def message(
        case: Case,
        text: Annotated[
            typer.FileText, typer.Argument(help="a file with the message; `-` reads it here")
        ],
        ask: Annotated[bool, typer.Option("--ask", help="it is a question back")] = False,
        from_requester: Annotated[
            bool, typer.Option("--from-requester", help="the requester said it otherwise")
        ] = False,
        role: Desk = "custodian",
        name: As = "custodian-1",
    ) -> None:
        """Write to the requester, who reads it by the case token. Prints the state of the case."""
        body = {
            "text": text.read(),
            "asks": ask,
            "from_requester": from_requester,
            "key": uuid4().hex,
        }

        async def work(session: Session) -> None:
            made: Any = await session.post(SERVICE, f"{PATH}/{case}/messages", body, role, name)
            console.print(made["state"])

        run(work)

    @app.command()
    def messages(case: Case, role: Desk = "custodian", name: As = "custodian-1") -> None:
        """What both sides have written. This is an access, and an entry of the log."""

        async def work(session: Session) -> None:
            found: Any = await session.get(SERVICE, f"{PATH}/{case}/messages", role, name)
            table = columns("when", "who", "message", whole=())
            for each in found["messages"]:
                who = WHO[each["sender"]] + (" asks" if each["asks"] else "")
                table.add_row(each["at"][:16], who, each["text"])
            console.print(table)

        run(work)

    @app.command()
    def acknowledge(case: Case, role: Desk = "custodian", name: As = "custodian-1") -> None:
        """Note that you told the requester that the request has come."""

        async def work(session: Session) -> None:
            path = f"{PATH}/{case}/acknowledgement"
            made: Any = await session.post(SERVICE, path, {}, role, name)
            console.print(made["state"])

        run(work)


def _scope(app: typer.Typer, run: Run, print_json: PrintJson, console: Console) -> None:
    @app.command()
    def scope(
        case: Case,
        person: Annotated[
            bool, typer.Option("--person", help="asks here whom to look for; it is sealed")
        ] = False,
        words: Annotated[
            bool, typer.Option("--words", help="asks here which words to look for; sealed")
        ] = False,
        address: Annotated[
            bool, typer.Option("--address", help="asks here at which address; it is sealed")
        ] = False,
        record: Names = None,
        service: Annotated[
            list[str] | None, typer.Option("--type", help="a request type; may be repeated")
        ] = None,
        municipality: Annotated[str | None, typer.Option(help="where")] = None,
        department: Names = None,
        since: Annotated[str | None, typer.Option(help="2024-01-01T00:00:00-05:00")] = None,
        until: Annotated[str | None, typer.Option(help="likewise; not included")] = None,
        complete: Annotated[
            bool, typer.Option("--complete", help="nothing is to be found out any more")
        ] = False,
        as_bounds: Annotated[
            bool, typer.Option("--as-bounds", help="the case stops destruction within it")
        ] = False,
        role: Desk = "custodian",
        name: As = "custodian-1",
    ) -> None:
        """Show what to look for, which is an access; with options, set it."""
        body: dict[str, Any] = {
            "record_ids": record,
            "service_codes": service,
            "departments": department,
            "since": since,
            "until": until,
            "complete": complete or None,
            "as_bounds": as_bounds or None,
        }
        if person:
            said = {each: typer.prompt(each, "", show_default=False) for each in CONTACT}
            body["person"] = {each: value for each, value in said.items() if value}
        if words:
            given = typer.prompt("words, with commas between them")
            body["words"] = [each.strip() for each in given.split(",") if each.strip()]
        place = {"municipality": municipality, "address": None}
        if address:
            place["address"] = typer.prompt("address")
        if any(place.values()):
            body["place"] = {each: value for each, value in place.items() if value}
        order = {each: value for each, value in body.items() if value}

        async def work(session: Session) -> None:
            path = f"{PATH}/{case}/scope"
            if not order:
                print_json(await session.get(SERVICE, path, role, name))
                return
            seen: Any = await session.get(SERVICE, f"{PATH}/{case}/grants", role, name)
            sent = {"version": seen["version"], **order}
            made: Any = await session.put(SERVICE, path, sent, role, name)
            console.print(made["state"], ", ".join(made["criteria"]))

        run(work)


def _search_log(app: typer.Typer, run: Run, console: Console) -> None:
    @app.command()
    def searches(
        case: Case,
        where: Annotated[str | None, typer.Option(help="write a search down: where it was")] = None,
        by: Annotated[
            list[str] | None, typer.Option(help="by what, such as words; may be repeated")
        ] = None,
        hits: Annotated[int, typer.Option(help="how many were found")] = 0,
        minutes: Annotated[int, typer.Option(help="how long it took")] = 0,
        role: Desk = "custodian",
        name: As = "custodian-1",
    ) -> None:
        """Where was searched, and how long the work took; with --where, write a search down."""
        body = {
            "search_id": str(uuid4()),
            "where": where,
            "shape": by or [],
            "hits": hits,
            "minutes": minutes,
        }

        async def work(session: Session) -> None:
            path = f"{PATH}/{case}/searches"
            found: Any = await (
                session.post(SERVICE, path, body, role, name)
                if where
                else session.get(SERVICE, path, role, name)
            )
            table = columns("when", "where", "by", "hits", "minutes", "who", whole=())
            for each in found["searches"]:
                table.add_row(
                    each["at"][:16],
                    each["where"],
                    ", ".join(each["shape"]),
                    str(each["hits"]),
                    str(each["minutes"]),
                    each["by"],
                )
            console.print(table)
            _print_minutes(console, found)

        run(work)

    @app.command("minutes")
    def write_minutes(
        case: Case,
        work: Annotated[str, typer.Argument(metavar="WORK", help="such as review or collect")],
        minutes: Annotated[int, typer.Argument(metavar="MINUTES")],
        person: Annotated[str | None, typer.Option(help="who did it, if not you")] = None,
        role: Desk = "custodian",
        name: As = "custodian-1",
    ) -> None:
        """Write down for how many minutes somebody worked on the case."""
        body = {"note_id": str(uuid4()), "work": work, "minutes": minutes}
        if person:
            body["person"] = person

        async def send(session: Session) -> None:
            path = f"{PATH}/{case}/minutes"
            _print_minutes(console, await session.post(SERVICE, path, body, role, name))

        run(send)

    @app.command()
    def timeline(case: Case, role: Desk = "custodian", name: As = "custodian-1") -> None:
        """Every step of a case, with its age and its days without an act. Opens nothing."""

        async def work(session: Session) -> None:
            found: Any = await session.get(SERVICE, f"{PATH}/{case}/timeline", role, name)
            table = columns("when", "step", "state", "who", "codes", whole=())
            for each in found["steps"]:
                codes = ", ".join(each["codes"])
                table.add_row(each["at"][:16], each["step"], each["state"], each["actor"], codes)
            console.print(table)
            console.print(
                f"{found['state']}, {found['age_days']} days old, "
                f"{found['days_without_act']} days without an act"
            )

        run(work)


def _ends(app: typer.Typer, run: Run, console: Console) -> None:
    @app.command()
    def close(
        case: Case,
        outcome: Annotated[
            str,
            typer.Argument(
                metavar="OUTCOME",
                help="withdrawn, unclear, no_records, unpaid, denied, part or full",
            ),
        ],
        role: Desk = "custodian",
        name: As = "custodian-1",
    ) -> None:
        """Close a case."""

        async def work(session: Session) -> None:
            path, body = f"{PATH}/{case}/close", {"outcome": outcome}
            made: Any = await session.post(SERVICE, path, body, role, name)
            console.print(made["state"], made["outcome"])

        run(work)

    @app.command()
    def reopen(
        case: Case,
        reason: Annotated[str, typer.Option(help="a code, such as requester_wrote")],
        role: Desk = "custodian",
        name: As = "custodian-1",
    ) -> None:
        """Open a closed case again. It stops destruction as before."""

        async def work(session: Session) -> None:
            path, body = f"{PATH}/{case}/reopening", {"reason": reason}
            made: Any = await session.post(SERVICE, path, body, role, name)
            console.print(made["state"])

        run(work)


def _print_minutes(console: Console, found: Any) -> None:
    by_work = ", ".join(f"{work} {number}" for work, number in found["minutes_by_work"].items())
    console.print(f"{found['minutes_in_all']} minutes" + (f": {by_work}" if by_work else ""))
