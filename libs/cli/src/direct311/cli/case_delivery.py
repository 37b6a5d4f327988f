"""`direct311 case minimise|encrypt|tell-code`: what law enforcement gets, and how it gets there."""

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from direct311.cli.case_review import choices_of, print_review, proposed
from direct311.cli.stack import Session

Run = Callable[[Callable[[Session], Coroutine[Any, Any, None]]], None]
SERVICE = "retention"
PATH = "/v1/cases"
OTHER_PERSON = "other_person"

Case = Annotated[str, typer.Argument(metavar="CASE", help="the number of the case")]
Hash = Annotated[str, typer.Argument(metavar="SHA256", help="the hash of the package")]
As = Annotated[str, typer.Option("--as", help="who: the token's subject")]
Items = Annotated[list[str] | None, typer.Option(metavar="ITEM", help="may be repeated")]


def register(app: typer.Typer, run: Run, console: Console) -> None:
    """Add the commands to the group `app`."""

    @app.command()
    def minimise(
        case: Case,
        record: Annotated[str, typer.Argument(metavar="RECORD", help="the id of the record")],
        drop: Items = None,
        cover: Items = None,
        accept: Annotated[
            bool, typer.Option("--accept", help="leave out everything that is proposed")
        ] = False,
        done: Annotated[
            bool, typer.Option("--done", help="say that nothing else is to be left out")
        ] = False,
        role: Annotated[str, typer.Option(help="liaison or counsel")] = "liaison",
        name: As = "liaison-1",
    ) -> None:
        """Show what the grant opens of a record, and leave out what the instrument does not cover.

        --drop leaves an item out: somebody else's name, number or words. --cover says that the
        instrument covers it. What the grant does not open is left out by itself. Showing it is an
        access.
        """
        path = f"{PATH}/{case}/records/{record}"

        async def work(session: Session) -> None:
            shown: Any = await session.post("intake", f"{path}/review", {}, role, name)
            choices: dict[str, str | None] = {
                **(proposed(shown) if accept else {}),
                **dict.fromkeys(drop or (), OTHER_PERSON),
                **dict.fromkeys(cover or (), None),
            }
            if choices or done:
                order = {"version": shown["version"], "decisions": choices_of(choices)}
                decided: Any = await session.put("intake", f"{path}/decisions", order, role, name)
                shown = {**shown, **decided}
            print_review(console, shown)

        run(work)

    @app.command()
    def encrypt(
        case: Case,
        package: Hash,
        key: Annotated[
            Path | None,
            typer.Option(
                exists=True, dir_okay=False, help="a file with the recipient's public key, age1…"
            ),
        ] = None,
        passphrase: Annotated[
            bool, typer.Option("--passphrase", help="with a passphrase, which is shown once")
        ] = False,
        name: As = "liaison-1",
    ) -> None:
        """Encrypt a package to its recipient, before a records officer releases it."""
        if (key is None) is not passphrase:
            raise typer.BadParameter("--key or --passphrase")
        body: dict[str, object] = {"passphrase": True}
        if key is not None:
            body = {"key": key.read_text().strip()}

        async def work(session: Session) -> None:
            path = f"{PATH}/{case}/packages/{package}/delivery"
            made: Any = await session.put(SERVICE, path, body, "liaison", name)
            console.print(f"encrypted, SHA-256 {made['sha256']}", highlight=False)
            if "passphrase" in made:
                console.print(f"passphrase: {made['passphrase']}", highlight=False)
                console.print("Tell it to the officer. Nobody can see it again.")

        run(work)

    @app.command("tell-code")
    def tell_code(case: Case, package: Hash, name: As = "liaison-1") -> None:
        """Make a one-time code, and show at which published number to read it out."""

        async def work(session: Session) -> None:
            path = f"{PATH}/{case}/packages/{package}/delivery/code"
            told: Any = await session.post(SERVICE, path, {}, "liaison", name)
            console.print(
                f"Call {told['name']} at {told['number']}, and no other number.", highlight=False
            )
            console.print(f"code: {told['code']}", highlight=False)
            console.print(f"good for one download until {told['valid_until']}", highlight=False)

        run(work)
