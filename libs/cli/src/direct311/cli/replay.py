"""Send the county's own rows through the gateway, and count them in every service."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from direct311.cli import rows
from direct311.cli.screen import columns
from direct311.cli.stack import Session
from direct311.runtime.peers import HttpError

OPERATOR = "operator"
PATIENCE_SECONDS = 180.0
RETRIES = 20
GONE = ("destroyed", "certified")
"""The states of retention's inventory, which remembers records that no other service still has."""


class ReplayError(Exception):
    """The replay cannot go on; the message says why and what to do."""


@dataclass
class Outcome:
    """What became of the rows. `refused`: the number of rows by reason.

    By ticket: `accepted` rows with a request's number, `tokens` with a batch request's token, and
    `unnumbered` rows, which never get a public number.
    """

    sent: int = 0
    accepted: dict[str, str] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    unnumbered: set[str] = field(default_factory=set)
    refused: Counter[str] = field(default_factory=Counter)
    unknown_type: Counter[str] = field(default_factory=Counter)


async def total(session: Session, service: str) -> str:
    """How many records a service counts, as text; empty if it does not count."""
    if service not in ("intake", "media", "geo", "routing", "retention"):
        return ""
    try:
        answer = await session.get(service, "/v1/counts", "admin", OPERATOR)
    except HttpError:
        return ""
    return str(answer["total"]) if isinstance(answer, dict) and "total" in answer else ""


async def counts(session: Session, service: str) -> dict[str, int]:
    """A service's own counts of its existing records, with their `total`.

    :raises HttpError: the service does not answer.
    """
    answer = await session.get(service, "/v1/counts", "admin", OPERATOR)
    if not isinstance(answer, dict):
        raise ReplayError(f"{service} counts nothing")
    living = {state: n for state, n in answer["counts"].items() if state not in GONE}
    return {**living, "total": sum(living.values())}


async def service_codes(session: Session) -> dict[str, str]:
    """The catalogue's service codes, by the county's own name for the type."""
    return {each["county_name"]: each["service_code"] for each in await _catalogue(session)}


async def takes_media(session: Session) -> set[str]:
    """The codes of the types that accept files."""
    return {each["service_code"] for each in await _catalogue(session) if each["media"] != "none"}


async def _catalogue(session: Session) -> list[dict[str, Any]]:
    answer = await session.get("intake", "/v1/services", "admin", OPERATOR)
    if not isinstance(answer, list):
        raise ReplayError("intake has no catalogue")
    return answer


async def replay(
    session: Session, file: Path, limit: int | None, parallel: int, console: Console
) -> bool:
    """Send, wait until everything is settled, and print the counts; returns whether they are equal.

    :raises RowsError: the file is not a county export.
    :raises HttpError: a service does not answer.
    """
    found = list(rows.read(file))[:limit]
    codes = await service_codes(session)
    before = {
        name: await counts(session, name) for name in ("intake", "geo", "routing", "retention")
    }
    outcome = await send(session, found, codes, parallel, console)
    settled = await settle(session, console)
    for ticket_id, token in outcome.tokens.items():
        if record_id := await number(session, token):
            outcome.accepted[ticket_id] = record_id
    _report(outcome, before, settled, console)
    await _compare(session, found, outcome, console)
    totals = {settled[name]["total"] for name in settled}
    return len(totals) == 1


async def send(
    session: Session,
    found: list[rows.Row],
    codes: dict[str, str],
    parallel: int,
    console: Console,
) -> Outcome:
    """Submit the rows over this many connections; retries a row if the gateway is unreachable."""
    outcome = Outcome()
    queue = asyncio.Queue[tuple[int, rows.Row]]()
    for item in enumerate(found):
        queue.put_nowait(item)
    url = f"{session.stack.services['intake']}/open311/v2/requests.json"
    headers = {"Accept": "application/json"}
    columns = (
        TextColumn("sending rows"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("rows", total=len(found))

        async def worker() -> None:
            while not queue.empty():
                number, row = queue.get_nowait()
                await _one(session, url, headers, row, number, codes, outcome)
                progress.advance(task)

        await asyncio.gather(*(worker() for _ in range(parallel)))
    return outcome


async def _one(
    session: Session,
    url: str,
    headers: dict[str, str],
    row: rows.Row,
    number: int,
    codes: dict[str, str],
    outcome: Outcome,
) -> None:
    code = codes.get(row.issue_type)
    if code is None:
        outcome.unknown_type[row.issue_type] += 1
        code = "unknown"
    fields = [("api_key", session.stack.api_keys["app"]), *rows.form(row, number, code)]
    for attempt in range(RETRIES):
        try:
            answer = await session.http.post_multipart(url, fields, headers=headers)
        except HttpError as error:
            if error.status in (None, 429, 503) and attempt < RETRIES - 1:
                await asyncio.sleep(min(0.2 * 2**attempt, 3.0))
                continue
            outcome.refused[reason(error)] += 1
            return
        outcome.sent += 1
        taken = answer[0]
        if token := taken.get("token"):
            outcome.tokens[row.ticket_id] = token
        elif record_id := taken["service_request_id"]:
            outcome.accepted[row.ticket_id] = record_id
        else:
            outcome.unnumbered.add(row.ticket_id)
        return


async def number(session: Session, token: str) -> str | None:
    """The number of a batch request, once it is known."""
    url = f"{session.stack.services['intake']}/open311/v2/tokens/{token}.json"
    (found,) = await session.http.get_json(url)
    known: str | None = found.get("service_request_id")
    return known


def reason(error: HttpError) -> str:
    """The gateway's own reason for refusing, which names fields, never values."""
    if isinstance(error.problem, list) and error.problem:
        return "; ".join(str(each.get("description")) for each in error.problem)
    return f"status {error.status}"


async def settle(session: Session, console: Console) -> dict[str, dict[str, int]]:
    """Wait until every service counts the same and routing has nothing waiting."""
    deadline = asyncio.get_running_loop().time() + PATIENCE_SECONDS
    with console.status("waiting until every service has every request"):
        while True:
            found = {
                name: await counts(session, name)
                for name in ("intake", "geo", "routing", "retention")
            }
            totals = {each["total"] for each in found.values()}
            if len(totals) == 1 and not found["routing"].get("waiting"):
                return found
            if asyncio.get_running_loop().time() > deadline:
                return found
            await asyncio.sleep(0.5)


def _report(
    outcome: Outcome,
    before: dict[str, dict[str, int]],
    after: dict[str, dict[str, int]],
    console: Console,
) -> None:
    table = columns(
        "", "stored (intake)", "located (geo)", "routing", "inventory (retention)", whole=()
    )
    names = ("intake", "geo", "routing", "retention")
    table.add_row("before", *(str(before[name]["total"]) for name in names))
    table.add_row("after", *(str(after[name]["total"]) for name in names))
    added = [after[name]["total"] - before[name]["total"] for name in names]
    table.add_row("added", *(str(n) for n in added))
    console.print(table)
    held = after["routing"].get("identity_required", 0)
    triage = after["routing"].get("triage", 0)
    waiting = after["routing"].get("waiting", 0)
    routed = after["routing"]["total"] - held - triage - waiting
    different = len(set(outcome.accepted.values())) + len(outcome.unnumbered)
    console.print(
        f"accepted {outcome.sent} ({different} different requests, {len(outcome.unnumbered)} of "
        "them without a public number); "
        f"with a department {routed}, in triage {triage}, held for identity {held}, "
        f"waiting {waiting}"
    )
    for reason, count in outcome.refused.most_common():
        console.print(f"refused {count}: {reason}")


IDS_A_CALL = 200


async def _compare(
    session: Session, found: list[rows.Row], outcome: Outcome, console: Console
) -> None:
    """How often our jurisdiction matches the county's own row."""
    labels = {
        outcome.accepted[row.ticket_id]: rows.label(row.city)
        for row in found
        if row.ticket_id in outcome.accepted and rows.label(row.city)
    }
    ours = await jurisdictions(session, list(labels))
    same = sum(1 for record_id, label in labels.items() if _same(ours.get(record_id), label))
    if labels:
        console.print(
            f"jurisdiction as the county's own label: {same} of {len(labels)} rows that carry one "
            f"({100 * same / len(labels):.2f} %)"
        )


async def jurisdictions(session: Session, record_ids: list[str]) -> dict[str, str]:
    """The public jurisdiction of each request that has one, by Open311."""
    base = f"{session.stack.services['intake']}/open311/v2/requests.json?extensions=true"
    found: dict[str, str] = {}
    for start in range(0, len(record_ids), IDS_A_CALL):
        ids = ",".join(record_ids[start : start + IDS_A_CALL])
        for each in await session.http.get_json(f"{base}&service_request_id={ids}"):
            jurisdiction = each["extended_attributes"]["jurisdiction"]
            if jurisdiction:
                found[each["service_request_id"]] = jurisdiction
    return found


def _same(ours: str | None, label: str) -> bool:
    return ours is not None and rows.label(ours) == label
