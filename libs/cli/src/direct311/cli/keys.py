"""Key rotation: which key-encryption keys are in use, and the jobs that wrap data keys again."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console

from direct311.cli.screen import columns
from direct311.cli.stack import Session


async def show(session: Session, services: Sequence[str], name: str, console: Console) -> None:
    """Print the state of every service's keys."""
    in_use = columns(
        "service", "key-encryption key", "data keys", "", whole=("service", "key-encryption key")
    )
    jobs = columns(
        "service", "job", "state", "done", "of", "failed", "reason", whole=("service", "job")
    )
    for service in services:
        state: Any = await session.get(service, "/internal/keys", "admin", name)
        counts = {each["kek"]: each["keys"] for each in state["keys"]}
        for kek in sorted({*counts, state["current"]}):
            current = "current" if kek == state["current"] else ""
            in_use.add_row(service, kek, str(counts.get(kek, 0)), current)
        for job in state["jobs"]:
            jobs.add_row(service, *_cells(job))
    console.print(in_use)
    console.print(jobs)


def _cells(job: Mapping[str, Any]) -> list[str]:
    cells = [str(job[name]) for name in ("job", "state", "done", "total", "failed")]
    return [*cells, job.get("reason") or ""]


async def command(
    session: Session, services: Sequence[str], job: str, what: str, reference: str, name: str
) -> None:
    """Start or stop a job at each service."""
    for service in services:
        path = f"/internal/keys/{job}/{what}"
        await session.post(service, path, {"reference": reference}, "admin", name)


async def wait(
    session: Session, services: Sequence[str], job: str, name: str, console: Console
) -> bool:
    """Print each service's progress until the job has ended everywhere; returns whether all of it
    was done."""
    ended: dict[str, str] = {}
    with console.status("") as line:
        while len(ended) < len(services):
            await asyncio.sleep(1)
            words = []
            for service in services:
                state: Any = await session.get(service, "/internal/keys", "admin", name)
                (found,) = (each for each in state["jobs"] if each["job"] == job)
                words.append(f"{service} {found['done']}/{found['total']} {found['state']}")
                if found["state"] != "running":
                    ended[service] = found["state"]
            line.update(", ".join(words))
    return all(state == "done" for state in ended.values())
