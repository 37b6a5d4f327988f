"""`direct311 protection`: the registry of section 119.071(4)(d), F.S., for custodians."""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any

import typer
from rich.console import Console

from direct311.cli.screen import columns
from direct311.cli.stack import Session

Run = Callable[[Callable[[Session], Coroutine[Any, Any, None]]], None]
PrintJson = Callable[[object], None]

As = Annotated[str, typer.Option("--as", help="who: the token's subject")]
PATH = "/v1/protections"
PAGE = 500


def _ends(ending: dict[str, Any] | None) -> str:
    """The day when an entry ends, or a note that its end is only proposed."""
    if ending is None:
        return ""
    return ending["ends_at"][:10] if ending["ends_at"] else "proposed"


Identifier = Annotated[str | None, typer.Option(help="`-` asks for it")]


def register(
    app: typer.Typer, run: Run, print_json: PrintJson, console: Console, errors: Console
) -> None:
    """Add the commands to the group `app`."""

    @app.command()
    def add(
        reference: Annotated[str, typer.Option(help="the file that holds the written request")],
        citation: Annotated[str, typer.Option(help="the paragraph that it cites")],
        received_on: Annotated[
            str | None, typer.Option(help="YYYY-MM-DD, when the request arrived; by default today")
        ] = None,
        phone: Identifier = None,
        email: Identifier = None,
        person: Annotated[str | None, typer.Option("--name", help="`-` asks for it")] = None,
        address: Identifier = None,
        latitude: Annotated[float | None, typer.Option()] = None,
        longitude: Annotated[float | None, typer.Option()] = None,
        name: As = "custodian-1",
    ) -> None:
        """Enter a written request. Returns once the protection is in effect, after some seconds,
        and says what it does not protect.

        Identifiers are stored only as keyed hashes. With `-` the command asks for one, so that it
        does not stay in the shell's history.
        """
        given = {"phone": phone, "email": email, "name": person, "address": address}
        body: dict[str, object] = {
            "reference": reference,
            "citation": citation,
            "received_on": received_on,
            "latitude": latitude,
            "longitude": longitude,
        }
        for field, value in given.items():
            body[field] = typer.prompt(field, hide_input=True) if value == "-" else value
        sent = {field: value for field, value in body.items() if value is not None}

        async def work(session: Session) -> None:
            entered: Any = await session.post("intake", PATH, sent, "custodian", name)
            print_json(entered)
            if entered["warning"]:
                errors.print(entered["warning"])

        run(work)

    @app.command("list")
    def entries(
        everything: Annotated[
            bool, typer.Option("--all", help="those that were ended too")
        ] = False,
        again: Annotated[
            bool,
            typer.Option("--enter-again", help="those alone that older rules have made"),
        ] = False,
        name: As = "custodian-1",
    ) -> None:
        """List the entries in force: their files and dates. The registry does not store whom they
        protect.

        An entry made under older rules misses spellings that the current rules know. The registry
        does not store the original text either: enter it again from its file.
        """

        async def work(session: Session) -> None:
            table = columns(
                "id", "reference", "citation", "kinds", "received", "ends", "ended", whole=("id",)
            )
            after = ""
            while True:
                query: dict[str, object] = {"after": after, "limit": PAGE}
                if again:
                    query["enter_again"] = "true"
                elif not everything:
                    query["in_force"] = "true"
                page: Any = await session.get_query("intake", PATH, query, "custodian", name)
                for each in page["protections"]:
                    table.add_row(
                        each["protection_id"],
                        each["reference"],
                        each["citation"],
                        ", ".join(each["kinds"]),
                        each["received_on"],
                        _ends(each["ending"]),
                        (each["withdrawn_at"] or "")[:10],
                    )
                if not page["after"]:
                    break
                after = page["after"]
            console.print(table)

        run(work)

    @app.command()
    def show(protection_id: str, name: As = "custodian-1") -> None:
        """Show one entry."""

        async def work(session: Session) -> None:
            print_json(await session.get("intake", f"{PATH}/{protection_id}", "custodian", name))

        run(work)

    @app.command()
    def end(
        protection_id: str,
        reference: Annotated[
            str | None,
            typer.Option(help="the file that holds the written request to end it"),
        ] = None,
        confirm: Annotated[
            bool, typer.Option("--confirm", help="as another person, who has seen the request too")
        ] = False,
        undo: Annotated[bool, typer.Option("--undo", help="take it back")] = False,
        officer: Annotated[
            bool, typer.Option("--officer", help="as a records officer, not a custodian")
        ] = False,
        name: As = "custodian-1",
    ) -> None:
        """End a protection at the person's written request: a custodian proposes the end, another
        person confirms it, and a week later the protection ends. What it hid may then show again.

        Until then the protection stays in force, and --undo cancels the end.
        """
        if undo == (reference is not None) or (undo and confirm):
            raise typer.BadParameter("give --reference (with or without --confirm), or --undo")
        role = "records_officer" if officer else "custodian"
        path = f"{PATH}/{protection_id}/ending"

        async def work(session: Session) -> None:
            if undo:
                await session.delete("intake", path, role, name)
                console.print("canceled: the protection is in force without an end date")
                return
            step = f"{path}/confirmation" if confirm else path
            body = {"reference": reference}
            entry: Any = await session.post("intake", step, body, role, name)
            ending = entry["ending"]
            if ending["ends_at"]:
                console.print(f"ends at {ending['ends_at']}; --undo cancels this until then")
            else:
                console.print("proposed: another person confirms it with --confirm")

        run(work)

    @app.command()
    def dispose(
        protection_id: str,
        approve: Annotated[
            bool, typer.Option("--approve", help="as a records officer, another person")
        ] = False,
        name: As = "custodian-1",
    ) -> None:
        """Destroy an ended entry: a custodian proposes it, and a records officer approves. Prints
        the documentation of an approved destruction, which is kept.
        """
        role = "records_officer" if approve else "custodian"
        path = f"{PATH}/{protection_id}/disposal" + ("/approval" if approve else "")

        async def work(session: Session) -> None:
            print_json(await session.post("intake", path, None, role, name))

        run(work)
