"""Start a rebuild of the audit log's query index, and watch it."""

import asyncio
import time
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from direct311.cli.stack import Session

PATH = "/internal/index/rebuild"
EVERY_SECONDS = 0.5


async def rebuild(session: Session, reference: str, name: str, console: Console) -> bool:
    """Start a rebuild, or join the one in progress, and follow it to its end; returns whether it
    succeeded.

    Leaving early stops nothing: the service continues on its own.
    """
    state: Any = await session.post("audit", PATH, {"reference": reference}, "admin", name)
    console.print(f"requested by {state['started_by']} under {state['reference']}")
    columns = (
        TextColumn("verified"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    started, first = time.monotonic(), state["next"]
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("", total=None, rate="")
        while state["state"] == "running":
            await asyncio.sleep(EVERY_SECONDS)
            state = await session.get("audit", PATH, "admin", name)
            rate = (state["next"] - first) / (time.monotonic() - started)
            progress.update(
                task,
                total=state["size"] or None,
                completed=state["next"],
                rate=f"{rate:,.0f} entries/s",
            )
    if state["state"] == "failed":
        console.print(f"failed: {state['problem']}", style="red")
        return False
    console.print(
        f"{state['next']:,} entries lead to the log's root; {state['mended']:,} were repaired"
    )
    if state["unnamed"]:
        console.print(
            f"{state['unnamed']:,} entries of destroyed records have lost their event's id"
        )
    return True
