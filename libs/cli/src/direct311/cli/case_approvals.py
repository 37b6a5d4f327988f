"""`direct311 case approvals`: what waits for your approval, over all cases."""

from collections.abc import Callable, Coroutine, Mapping
from typing import Annotated, Any, Final

import typer
from rich.console import Console

from direct311.cli.stack import Session

Run = Callable[[Callable[[Session], Coroutine[Any, Any, None]]], None]
SERVICE: Final = "retention"
PATH: Final = "/v1/approvals"
NEXT: Final[Mapping[str, str]] = {
    "grant": "direct311 case approve {case_id} {number} --role {role}",
    "denial": "direct311 case approve-denial {case_id} {number} --role {role}",
    "package": "direct311 case fetch {case_id} package.zip --package {number} --role {role}",
    "leaks": "direct311 case leaks {case_id} --role {role}",
    "release": "direct311 case release {case_id} {number} --role {role}",
    "hold_release": "POST /v1/holds/{number}/release, with a reason",
}
"""By what waits: the command with which somebody begins."""


def register(app: typer.Typer, run: Run, console: Console) -> None:
    """Add the command to the group `app`."""

    @app.command("approvals")
    def approvals(
        limit: Annotated[int, typer.Option(min=1, max=500, help="how many to show")] = 100,
        role: Annotated[
            str, typer.Option(help="records_officer, counsel, emergency or custodian")
        ] = "records_officer",
        name: Annotated[str, typer.Option("--as", help="who: the token's subject")] = "officer-1",
    ) -> None:
        """What you may approve or release now, over all cases, the longest waiting first. What you
        prepared is not in it. Opens nothing."""

        async def work(session: Session) -> None:
            found: Any = await session.get_query(SERVICE, PATH, {"limit": limit}, role, name)
            for each in found["approvals"]:
                # The numbers are typed into the next command, and leave a table no room for more.
                console.print(_line(each), highlight=False)
                console.print(f"  {_next(each)}", highlight=False, soft_wrap=True)
            shown, total = len(found["approvals"]), found["total"]
            told = f"{total} wait for you" if shown == total else f"{shown} of {total} are shown"
            console.print(told if found["complete"] else f"{told}; there may be more")

        run(work)


def _line(waiting: Mapping[str, Any]) -> str:
    days = waiting["age_days"]
    age = f"{days} day" if days == 1 else f"{days} days"
    what = waiting["what"].replace("_", " ")
    case = f" of case {waiting['case_id']}" if "case_id" in waiting else ""
    by = f", prepared by {waiting['prepared_by']}" if "prepared_by" in waiting else ""
    return f"{age}: {what}{case}{by}"


def _next(waiting: Mapping[str, Any]) -> str:
    known = {"case_id": waiting.get("case_id", ""), "number": waiting.get("number", "")}
    return NEXT[waiting["what"]].format(**known, role=waiting["roles"][0])
