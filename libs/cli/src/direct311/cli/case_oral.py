"""`direct311 case oral`: what became of something that was opened in an emergency."""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any, Final

import typer
from rich.console import Console

from direct311.cli.stack import Session

Run = Callable[[Callable[[Session], Coroutine[Any, Any, None]]], None]
SERVICE: Final = "retention"
PATH: Final = "/v1/oral-disclosures"


def register(app: typer.Typer, run: Run, console: Console) -> None:
    """Add the command to the group `app`."""

    @app.command("oral")
    def oral(
        record: Annotated[str, typer.Argument(metavar="RECORD", help="the id of the record")],
        words: Annotated[typer.FileText, typer.Argument(help="a file with what happened; or `-`")],
        opened_at: Annotated[
            str, typer.Option("--opened", help="when it was opened, 2026-12-01T03:00:00Z")
        ],
        agency: Annotated[
            str | None, typer.Option(help="whom you told, an id of `direct311 case agencies`")
        ] = None,
        threat: Annotated[
            str | None, typer.Option(help="where somebody was told: a code, such as life")
        ] = None,
        opened_by: Annotated[
            str | None, typer.Option(help="who opened it; you, if it is left out")
        ] = None,
        role: Annotated[str, typer.Option(help="emergency or liaison")] = "emergency",
        name: Annotated[str, typer.Option("--as", help="who: the token's subject")] = "duty-1",
    ) -> None:
        """Say within 24 hours whom you told of what you opened in an emergency, or that you told
        nobody (without --agency). Prints the number of the case file about it. May be repeated."""
        if (agency is None) != (threat is None):
            raise typer.BadParameter("--agency and --threat, or neither")
        said = {"agency": agency, "threat": threat, "opened_by": opened_by}
        body: dict[str, object] = {
            "record_id": record,
            "opened_at": opened_at,
            "words": words.read(),
            **{name: value for name, value in said.items() if value is not None},
        }

        async def work(session: Session) -> None:
            made: Any = await session.post(SERVICE, PATH, body, role, name)
            console.print(made["case_id"], highlight=False)
            if agency is not None:
                console.print("An instrument must follow.", style="yellow")

        run(work)
