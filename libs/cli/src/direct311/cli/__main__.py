"""`direct311`: the operator's command."""

import asyncio
import json
import os
import sys
from collections.abc import Callable, Coroutine
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from direct311.cli import audit as auditing
from direct311.cli import boundary_sets, clients, rules
from direct311.cli import cases as disclosing
from direct311.cli import demo as demonstration
from direct311.cli import index as query_index
from direct311.cli import keys as keeping
from direct311.cli import protections as protecting
from direct311.cli import replay as replaying
from direct311.cli.rows import RowsError
from direct311.cli.sample import sample as make_sample
from direct311.cli.screen import Screen, columns, escaped
from direct311.cli.stack import Session, StackMissingError, find
from direct311.cli.stack import token as mint
from direct311.runtime.peers import HttpClient, HttpError

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__)
retention_app = typer.Typer(no_args_is_help=True, help="Expiry, review, holds and certificates.")
audit_app = typer.Typer(no_args_is_help=True, help="The access log: questions, and its index.")
deadletters_app = typer.Typer(no_args_is_help=True, help="Messages that could not be handled.")
app.add_typer(retention_app, name="retention")
app.add_typer(audit_app, name="audit")
app.add_typer(deadletters_app, name="deadletters")
app.add_typer(rules.app, name="rules")
keys_app = typer.Typer(no_args_is_help=True, help="Rotation of key-encryption keys and index keys.")
app.add_typer(keys_app, name="keys")
protection_app = typer.Typer(no_args_is_help=True, help="The protection registry (custodians).")
app.add_typer(protection_app, name="protection")
client_app = typer.Typer(no_args_is_help=True, help="Front ends: their keys, scopes and quotas.")
app.add_typer(client_app, name="client")
case_app = typer.Typer(no_args_is_help=True, help="Disclosure cases, and what they may open.")
app.add_typer(case_app, name="case")
boundary_app = typer.Typer(no_args_is_help=True, help="Boundary sets on their way into force.")
app.add_typer(boundary_app, name="boundary")

console = Screen()
errors = Screen(stderr=True)

Role = Annotated[
    str,
    typer.Option(
        help="agent, inspector, department:CODE, custodian, records_officer, counsel, liaison, "
        "emergency, auditor, admin"
    ),
]
As = Annotated[str, typer.Option("--as", help="who: the token's subject")]
For = Annotated[str, typer.Option("--for", help="the only service that accepts it")]


def _run(work: Callable[[Session], Coroutine[Any, Any, None]]) -> None:
    """Run against the current stack; say plainly what went wrong."""

    async def call() -> None:
        http = HttpClient(timeout=30.0)
        try:
            await work(Session(find(), http))
        finally:
            await http.close()

    try:
        asyncio.run(call())
    except (StackMissingError, RowsError, replaying.ReplayError, demonstration.DemoError) as error:
        errors.print(str(error), style="red")
        raise typer.Exit(2) from None
    except HttpError as error:
        if error.status is None:
            errors.print("Nothing answers. Is the stack up? `make status` shows it.", style="red")
        else:
            detail = error.problem.get("detail") if isinstance(error.problem, dict) else None
            errors.print(f"Refused with {error.status}: {detail or 'no reason given'}", style="red")
        raise typer.Exit(1) from None


def _print_json(value: object) -> None:
    sys.stdout.write(escaped(json.dumps(value, indent=2, ensure_ascii=False)) + "\n")


@app.command()
def token(role: Role, name: As, service: For = "intake") -> None:
    """Print a bearer token from the local stack's development issuer, valid at one service."""

    async def work(session: Session) -> None:
        known = session.stack.audiences
        if service not in known:
            raise typer.BadParameter(f"one of {', '.join(known)}", param_hint="--for")
        sys.stdout.write(await mint(session.stack, session.http, service, role, name) + "\n")

    _run(work)


@app.command()
def status() -> None:
    """Each service's health and its number of records."""

    async def work(session: Session) -> None:
        table = columns("service", "address", "ready", "records", whole=("service", "address"))
        ready = True
        for name, url in session.stack.services.items():
            try:
                await session.http.get_json(f"{url}/health/ready")
                state = "ready"
            except HttpError as error:
                ready = False
                found = error.problem.get("problems") if isinstance(error.problem, dict) else None
                state = ", ".join(f"{k}: {v}" for k, v in (found or {}).items()) or "no answer"
            table.add_row(name, url, state, await replaying.total(session, name))
        console.print(table)
        if not ready:
            raise typer.Exit(1)

    _run(work)


@app.command()
def replay(
    file: Annotated[Path, typer.Argument(help="a county export (CSV)")],
    limit: Annotated[int | None, typer.Option(help="only this many rows from the start")] = None,
    parallel: Annotated[int, typer.Option(help="connections at the same time")] = 8,
) -> None:
    """Send the county's own rows through the gateway and count them in every service.

    Each row gets a fictional reporter. A second replay of the same file adds nothing.
    """

    async def work(session: Session) -> None:
        if not await replaying.replay(session, file, limit, parallel, console):
            raise typer.Exit(1)

    _run(work)


@app.command()
def demo(
    count: Annotated[int, typer.Option(help="how many requests")] = 300,
    data: Annotated[
        Path | None, typer.Option(help="folder with the county's real rows and boundaries")
    ] = None,
) -> None:
    """Take requests all the way: routed, read with a reason, proved, expired and destroyed."""

    async def work(session: Session) -> None:
        await demonstration.demo(session, count, data, console)

    _run(work)


@app.command("sample-accesses")
def sample_accesses() -> None:
    """Make something for an auditor to find: two requests of one made-up person, which staff open.

    Returns when the log has published these accesses. Prints what the next questions need, as
    shell variables.
    """

    async def work(session: Session) -> None:
        for name, value in (await make_sample(session)).items():
            sys.stdout.write(f"{name}={value}\n")

    _run(work)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def department(context: typer.Context, code: str) -> None:
    """Run examples/department with one department's credentials: CODE watch|answer …"""
    script = Path("examples/department/department.py")
    try:
        stack = find()
    except StackMissingError as error:
        errors.print(str(error), style="red")
        raise typer.Exit(2) from None
    known = stack.departments.get(code)
    if known is None or not script.exists():
        errors.print(
            f"Departments: {', '.join(sorted(stack.departments))}. Run this in the checkout.",
            style="red",
        )
        raise typer.Exit(2)
    os.environ |= demonstration.credentials(stack, code)
    os.execv(sys.executable, [sys.executable, str(script), *context.args])  # noqa: S606


@app.command()
def boundaries(
    file: Annotated[Path, typer.Argument(help="GeoJSON, zipped shapefile or GeoPackage")],
    name: Annotated[str, typer.Option(help="municipality, unincorporated, county, zip …")],
    source: Annotated[str, typer.Option(help="where it comes from")],
    version: Annotated[str, typer.Option(help="its own version or date")],
    projection: Annotated[
        str | None, typer.Option(help="in place of what the file says, such as EPSG:2236")
    ] = None,
    table: Annotated[str | None, typer.Option(help="the layer of a GeoPackage")] = None,
    as_name: Annotated[str, typer.Option("--as", help="who: an administrator")] = "adam",
) -> None:
    """Propose a set of boundaries to geo; another person approves it (`direct311 boundary`)."""

    async def work(session: Session) -> None:
        query: dict[str, object] = {
            "name": name,
            "source": source,
            "version": version,
            "projection": projection,
            "table": table,
        }
        _print_json(await demonstration.propose_boundaries(session, file, query, as_name))

    _run(work)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def verify(context: typer.Context) -> None:
    """Check a bundle, receipt or log offline; the same as `direct311-verifier`."""
    from direct311.verifier.__main__ import main as verifier

    sys.argv = ["direct311 verify", *context.args]
    raise typer.Exit(verifier())


@retention_app.command()
def expire(
    as_of: Annotated[str | None, typer.Option(help="YYYY-MM-DD; looks ahead to this day")] = None,
    really: Annotated[
        bool, typer.Option("--really", help="announce them as well as listing them (local stack)")
    ] = False,
    name: As = "custodian-1",
) -> None:
    """List what is eligible for disposition; by default a dry run."""

    async def work(session: Session) -> None:
        body = {"dry_run": not really} | ({"as_of": as_of} if as_of else {})
        _print_json(await session.post("retention", "/v1/expiry", body, "custodian", name))

    _run(work)


@retention_app.command()
def review(name: As = "custodian-1") -> None:
    """List records that wait for review."""

    async def work(session: Session) -> None:
        _print_json(await session.get("retention", "/v1/review", "custodian", name))

    _run(work)


@retention_app.command()
def propose(record_ids: list[str], name: As = "custodian-1") -> None:
    """Propose records for disposition (custodian)."""

    async def work(session: Session) -> None:
        body = {"record_ids": record_ids}
        _print_json(await session.post("retention", "/v1/dispositions", body, "custodian", name))

    _run(work)


@retention_app.command()
def approve(disposition: str, set_hash: str, name: As = "officer-1") -> None:
    """Approve exactly the proposed set (a records officer, who is another person)."""

    async def work(session: Session) -> None:
        path = f"/v1/dispositions/{disposition}/approve"
        body = {"set_hash": set_hash}
        _print_json(await session.post("retention", path, body, "records_officer", name))

    _run(work)


@retention_app.command()
def certificate(certificate_id: str, name: As = "officer-1") -> None:
    """Print a certificate of destruction."""

    async def work(session: Session) -> None:
        path = f"/v1/certificates/{certificate_id}"
        _print_json(await session.get("retention", path, "records_officer", name))

    _run(work)


@audit_app.callback()
def audit() -> None:
    """The audit log."""


@audit_app.command("rebuild")
def rebuild_index(
    reference: Annotated[
        str, typer.Option(help="the work order's number, which goes into the log")
    ],
    name: As = "admin-1",
) -> None:
    """Rebuild the query index from the log's tiles and the body keys, showing progress.

    During the rebuild the log appends nothing and answers no questions; events wait. You can repeat
    it.
    """

    async def work(session: Session) -> None:
        if not await query_index.rebuild(session, reference, name, console):
            raise typer.Exit(1)

    _run(work)


class Service(StrEnum):
    """The services that have dead letters."""

    INTAKE = "intake"
    MEDIA = "media"
    GEO = "geo"
    ROUTING = "routing"
    RETENTION = "retention"
    AUDIT = "audit"


@deadletters_app.command("list")
def list_letters(service: Service) -> None:
    """List where the messages are that a service could not handle, and each kind of error."""

    async def work(session: Session) -> None:
        table = columns(
            "topic", "partition", "offset", "kind", "reason", whole=("topic", "partition", "offset")
        )
        from direct311.cli import deadletters as letters

        async for letter in letters.read(session.stack, service):
            table.add_row(
                letter.topic, str(letter.partition), str(letter.offset), letter.kind, letter.reason
            )
        console.print(table)

    _run(work)


@deadletters_app.command("replay")
def replay_letters(service: Service) -> None:
    """Give the messages to the service again, from where they are."""

    async def work(session: Session) -> None:
        from direct311.cli import deadletters as letters

        count = await letters.replay(session.stack, service)
        console.print(f"{count} messages sent to {service} again")

    _run(work)


class KeyHolder(StrEnum):
    """The services that have a vault."""

    INTAKE = "intake"
    MEDIA = "media"
    RETENTION = "retention"
    AUDIT = "audit"


Only = Annotated[
    KeyHolder | None,
    typer.Option("--service", help="only this service; by default every one that has a vault"),
]
Reference = Annotated[str, typer.Option(help="the ticket or work order; it goes into the log")]
Wait = Annotated[bool, typer.Option("--wait", help="show progress until the job ends")]


def _holders(only: KeyHolder | None) -> list[str]:
    return [only.value] if only else [each.value for each in KeyHolder]


@keys_app.command("status")
def keys_status(only: Only = None, name: As = "admin-1") -> None:
    """Show how many data keys each key-encryption key wraps, and the progress of the jobs."""

    async def work(session: Session) -> None:
        await keeping.show(session, _holders(only), name, console)

    _run(work)


def _work_on_keys(services: list[str], job: str, reference: str, wait: bool, name: str) -> None:
    async def work(session: Session) -> None:
        await keeping.command(session, services, job, "start", reference, name)
        ended = not wait or await keeping.wait(session, services, job, name, console)
        await keeping.show(session, services, name, console)
        if not ended:
            raise typer.Exit(1)

    _run(work)


@keys_app.command("rotate")
def keys_rotate(
    reference: Reference, only: Only = None, wait: Wait = False, name: As = "admin-1"
) -> None:
    """Wrap every data key again under the current key-encryption key; resumes a stopped job."""
    _work_on_keys(_holders(only), "rewrap", reference, wait, name)


@keys_app.command("reindex")
def keys_reindex(reference: Reference, wait: Wait = False, name: As = "admin-1") -> None:
    """Rebuild intake's person indexes under the current index keys; resumes a stopped job."""
    _work_on_keys(["intake"], "reindex", reference, wait, name)


@keys_app.command("stop")
def keys_stop(reference: Reference, only: Only = None, name: As = "admin-1") -> None:
    """Stop both jobs after the current batch. `rotate` and `reindex` resume from there."""

    async def work(session: Session) -> None:
        services = _holders(only)
        await keeping.command(session, services, "rewrap", "stop", reference, name)
        if "intake" in services:
            await keeping.command(session, ["intake"], "reindex", "stop", reference, name)
        await keeping.show(session, services, name, console)

    _run(work)


auditing.register(audit_app, _run, _print_json, console)
protecting.register(protection_app, _run, _print_json, console, errors)
clients.register(client_app, _run, _print_json)
disclosing.register(case_app, _run, _print_json, console, errors)
boundary_sets.register(boundary_app, _run, _print_json)


def main() -> None:
    app()


if __name__ == "__main__":
    main()
