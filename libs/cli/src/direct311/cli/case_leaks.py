"""`direct311 case leaks|clear-leak`: what stopped a package, and clearing what is no leak."""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any

import typer
from rich.console import Console

from direct311.cli import approvals
from direct311.cli.stack import Session

Run = Callable[[Callable[[Session], Coroutine[Any, Any, None]]], None]
SERVICE = "retention"
PATH = "/v1/cases"

Case = Annotated[str, typer.Argument(metavar="CASE", help="the number of the case")]
Leak = Annotated[str, typer.Argument(metavar="LEAK", help="the hash of the leak, or how it begins")]
As = Annotated[str, typer.Option("--as", help="who: the token's subject")]
Reader = Annotated[str, typer.Option(help="custodian, liaison or counsel")]


def register(
    app: typer.Typer,
    run: Run,
    console: Console,
    errors: Console,
    print_page: Callable[[str], object],
) -> None:
    """Add the commands to the group `app`. `print_page` shows an address that nobody opens here."""

    @app.command()
    def leaks(case: Case, role: Reader = "custodian", name: As = "custodian-1") -> None:
        """What stopped the newest build that was stopped, and what was cleared. Opens nothing."""

        async def work(session: Session) -> None:
            found = await _leaks(session, case, role, name)
            for each in found["leaks"]:
                # A hash is typed into the next command, and leaves a table no room for more.
                console.print(each.get("leak_id", "cannot be cleared"), highlight=False)
                console.print(f"  {_said(each)}", highlight=False)
            for each in found["cleared"]:
                by = f"{each['reason']}, by {each['cleared_by']} ({each['role']})"
                console.print(f"cleared: {_said(each)}; {by}", highlight=False)
            if not found["leaks"]:
                console.print("Nothing stops the package.")

        run(work)

    @app.command("clear-leak")
    def clear_leak(
        case: Case,
        leak: Leak,
        reason: Annotated[str, typer.Option(help="a code from the file of kinds of cases")],
        role: Annotated[str, typer.Option(help="counsel")] = "counsel",
        name: As = "counsel-1",
        browser: Annotated[
            bool, typer.Option(help="open the page here; otherwise its address is printed")
        ] = True,
    ) -> None:
        """Clear a leak that is none, for this package as it is. You sign in again for exactly this
        leak and this reason."""

        async def work(session: Session) -> None:
            # As in `approvals`: no other command waits for it to load.
            from direct311.runtime.access.disclosures import nonce_of_clearance

            found = await _leaks(session, case, role, name)
            chosen = [each for each in found["leaks"] if each.get("leak_id", "").startswith(leak)]
            if len(chosen) != 1 or reason not in found["reasons"]:
                wrong = "There is no such leak, or there are several."
                if len(chosen) == 1:
                    wrong = f"A reason is one of: {', '.join(found['reasons'])}."
                errors.print(wrong, style="red")
                raise typer.Exit(1)
            (each,) = chosen
            console.print(f"case {case}", highlight=False)
            console.print(f"leak {each['leak_id']}", highlight=False)
            console.print(f"  {_said(each)}", highlight=False)
            console.print(f"reason {reason}", highlight=False)
            await approvals.approve(
                session,
                f"{PATH}/{case}/leaks/{each['leak_id']}/clearance",
                nonce_of_clearance(case, each["leak_id"], reason),
                {"reason": reason},
                page=None if browser else print_page,
                console=console,
                errors=errors,
                told=lambda answer: f"cleared; {len(answer['leaks'])} left",
            )

        run(work)


async def _leaks(session: Session, case: str, role: str, name: str) -> Any:
    return await session.get(SERVICE, f"{PATH}/{case}/leaks", role, name)


def _said(each: Any) -> str:
    """A leak in one line: what, where, how often, and of which record."""
    where = each.get("entry") or f"the name of file {each['number']}"
    if each["kind"] == "not_extractable":
        return f"{where}: cannot be searched"
    times = "once" if each["places"] == 1 else f"{each['places']} times"
    return f"{where}: {each['kind']} {times}, withheld of {each['record_id']}"
