"""`direct311 audit`: an auditor's questions about the access log, from the command line."""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress

from direct311.cli.mirror import MirrorError, mirror
from direct311.cli.screen import columns
from direct311.cli.stack import Session
from direct311.verifier.checkpoint import Trust
from direct311.verifier.note import NoteError, VerifierKey
from direct311.verifier.policy import Policy, PolicyError

Run = Callable[[Callable[[Session], Coroutine[Any, Any, None]]], None]
PrintJson = Callable[[object], None]

_TIMES = [
    "%Y-%m-%d",
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%dT%H:%M:%S%z",
    "%Y-%m-%dT%H:%M:%S.%f%z",
]
"""Accepted time formats on the command line; the last two are as answers print them."""

As = Annotated[str, typer.Option("--as", help="who: the token's subject")]
Reference = Annotated[
    str, typer.Option(envvar="DIRECT311_REFERENCE", help="the reference of the auditor's letter")
]
Role = Annotated[str, typer.Option(help="auditor, or counsel for exempt entries")]
Out = Annotated[Path, typer.Option(help="the file to write")]
Record = Annotated[str | None, typer.Option(help="a record's id")]
Actor = Annotated[str | None, typer.Option(help="who had the access")]
Department = Annotated[str | None, typer.Option()]
Purpose = Annotated[str | None, typer.Option()]
Case = Annotated[str | None, typer.Option(help="a disclosure case")]
Action = Annotated[str | None, typer.Option(help="search, view, export …")]
Outcome = Annotated[str | None, typer.Option(help="success, denied, error or partial")]
Field = Annotated[str | None, typer.Option(help="a field that was opened")]
Service = Annotated[str | None, typer.Option()]
Host = Annotated[str | None, typer.Option(help="the machine that the processes ran on")]
Credential = Annotated[str | None, typer.Option("--session", help="the credential: a token's id")]
BreakGlass = Annotated[bool | None, typer.Option(help="only break-glass accesses")]
Since = Annotated[datetime | None, typer.Option(formats=_TIMES, help="UTC, or with its zone")]
Until = Annotated[datetime | None, typer.Option(formats=_TIMES, help="UTC, or with its zone")]


class Shape(StrEnum):
    """Formats of an answer about a person."""

    JSON = "json"
    CSV = "csv"
    BUNDLE = "bundle"


class Export(StrEnum):
    """Formats of an export."""

    NDJSON = "ndjson"
    CSV = "csv"
    OCSF = "ocsf"


def register(app: typer.Typer, run: Run, print_json: PrintJson, console: Console) -> None:
    """Add the questions to the command group `app`."""

    @app.command("who-saw")
    def who_saw(
        *,
        phone: Annotated[str | None, typer.Option()] = None,
        email: Annotated[str | None, typer.Option()] = None,
        person: Annotated[str | None, typer.Option("--name", help="the person's name")] = None,
        shape: Annotated[Shape, typer.Option("--format")] = Shape.JSON,
        out: Annotated[Path | None, typer.Option(help="a file; by default the screen")] = None,
        reference: Reference,
        role: Role = "auditor",
        name: As = "auditor-1",
    ) -> None:
        """Show who saw this person's data, when, why and under which case.

        Give one of phone, email and name. It is sent to intake in the request's body, and stored
        nowhere. With `-` the command asks for it, which also keeps it out of the shell's history.
        """
        one = {"phone": phone, "email": email, "name": person}
        body = {
            key: typer.prompt(key) if value == "-" else value
            for key, value in one.items()
            if value is not None
        }
        body |= {"reference": reference, "format": shape.value}

        async def work(session: Session) -> None:
            if out is not None or shape is not Shape.JSON:
                where = out or Path(f"who-saw.{shape.value}")
                await session.save("audit", "/v1/persons/who-saw", body, role, name, where)
                console.print(f"written to {where}", highlight=False)
                return
            answer: Any = await session.post("audit", "/v1/persons/who-saw", body, role, name)
            console.print(f"records: {', '.join(answer['record_ids']) or 'none'}")
            table = columns(
                "when (UTC)",
                "who",
                "did",
                "fields",
                "purpose",
                "why",
                "case",
                whole=("when (UTC)", "case"),
            )
            for each in answer["entries"]:
                table.add_row(*_line(each))
            console.print(table)
            console.print(
                f"{answer['count']} entries, {answer['withheld']} of them withheld; "
                f"this question is event {answer['access_event']}",
                highlight=False,
            )

        run(work)

    @app.command()
    def entries(
        *,
        record: Record = None,
        actor: Actor = None,
        department: Department = None,
        purpose: Purpose = None,
        case: Case = None,
        action: Action = None,
        outcome: Outcome = None,
        field: Field = None,
        service: Service = None,
        host: Host = None,
        credential: Credential = None,
        break_glass: BreakGlass = None,
        since: Since = None,
        until: Until = None,
        limit: Annotated[int, typer.Option(help="at most this many")] = 20,
        reference: Reference,
        role: Role = "auditor",
        name: As = "auditor-1",
    ) -> None:
        """List the log's matching entries, newest first."""
        given = _filter(locals())

        async def work(session: Session) -> None:
            table = columns(
                "index",
                "when (UTC)",
                "who",
                "did",
                "records",
                "fields",
                "purpose",
                whole=("records",),
            )
            left, cursor = limit, None
            while left > 0:
                query = given | {"reference": reference, "limit": min(left, 100)}
                if cursor:
                    query["cursor"] = cursor
                page: Any = await session.get_query("audit", "/v1/entries", query, role, name)
                for each in page["entries"]:
                    when, who, did, fields, why_for, *_ = _line(each)
                    records = "\n".join(each["record_ids"])
                    table.add_row(str(each["index"]), when, who, did, records, fields, why_for)
                left, cursor = left - len(page["entries"]), page["next"]
                if cursor is None:
                    break
            console.print(table)

        run(work)

    @app.command()
    def count(
        *,
        by: Annotated[list[str] | None, typer.Option(help="one or two dimensions")] = None,
        record: Record = None,
        actor: Actor = None,
        department: Department = None,
        purpose: Purpose = None,
        case: Case = None,
        action: Action = None,
        outcome: Outcome = None,
        field: Field = None,
        service: Service = None,
        host: Host = None,
        credential: Credential = None,
        break_glass: BreakGlass = None,
        since: Since = None,
        until: Until = None,
        reference: Reference,
        role: Role = "auditor",
        name: As = "auditor-1",
    ) -> None:
        """Count entries by actor, purpose, department, day, action, outcome, record or service."""
        given = _filter(locals())

        async def work(session: Session) -> None:
            body = {"filter": given, "by": by or [], "reference": reference}
            answer: Any = await session.post("audit", "/v1/counts", body, role, name)
            # Two ids have no room beside each other: the second may be broken.
            ids = [each for each in by or [] if each in ("record", "session")][:1]
            table = columns(
                *(by or []),
                "entries",
                "first (UTC)",
                "last (UTC)",
                whole=[*ids, "first (UTC)", "last (UTC)"],
            )
            for each in answer["groups"]:
                keys = (key or "-" for key in each["key"])
                first, last = _second(each["first"]), _second(each["last"])
                table.add_row(*keys, str(each["count"]), first, last)
            if by:
                console.print(table)
            console.print(
                f"{answer['entries']} entries fit; {answer['withheld']} more are withheld",
                highlight=False,
            )

        run(work)

    @app.command()
    def breach(
        *,
        credential: Credential = None,
        actor: Actor = None,
        host: Host = None,
        service: Service = None,
        since: Since = None,
        until: Until = None,
        out: Annotated[Path | None, typer.Option(help="the records, as CSV")] = None,
        reference: Reference,
        role: Role = "auditor",
        name: As = "auditor-1",
    ) -> None:
        """List every record and person that a credential, host, service or time range touched, and
        the notice that section 501.171, F.S., requires."""
        body = _filter(locals()) | {"reference": reference}

        async def work(session: Session) -> None:
            if out is not None:
                question = body | {"format": "csv"}
                headers = await session.save("audit", "/v1/breaches", question, role, name, out)
                for what in _SCOPE:
                    console.print(f"{what}: {headers[f'direct311-{what}']}", highlight=False)
                console.print(f"written to {out}", highlight=False)
                return
            answer: Any = await session.post("audit", "/v1/breaches", body, role, name)
            records = answer.pop("records")
            for notice in answer["notices"]:
                del notice["note"]
            print_json(answer)
            console.print(f"{len(records)} records; --out writes them as CSV", highlight=False)

        run(work)

    @app.command()
    def export(
        *,
        out: Out,
        form: Annotated[Export, typer.Option("--format")] = Export.NDJSON,
        after: Annotated[
            int | None, typer.Option(help="the index of the last entry received")
        ] = None,
        size: Annotated[
            int | None, typer.Option(help="the log's size when the export began")
        ] = None,
        record: Record = None,
        actor: Actor = None,
        department: Department = None,
        purpose: Purpose = None,
        case: Case = None,
        action: Action = None,
        outcome: Outcome = None,
        field: Field = None,
        service: Service = None,
        host: Host = None,
        credential: Credential = None,
        break_glass: BreakGlass = None,
        since: Since = None,
        until: Until = None,
        reference: Reference,
        role: Role = "auditor",
        name: As = "auditor-1",
    ) -> None:
        """Write all matching entries into a file: NDJSON, CSV or OCSF 1.8.0.

        To resume an export that broke off, give --after (the index of the file's last whole line)
        and --size (the log's size, as printed). The rest is appended to the file.
        """
        body: dict[str, object] = {
            "filter": _filter(locals()),
            "format": form.value,
            "reference": reference,
        }
        body |= {"after": after} if after is not None else {}
        body |= {"size": size} if size is not None else {}

        async def work(session: Session) -> None:
            line = b'"\r\n' if form is Export.CSV else b"\n"
            await session.save(
                "audit",
                "/v1/exports",
                body,
                role,
                name,
                out,
                ends=None if after is None else line,
                heard=begun,
            )
            console.print(f"written to {out}", highlight=False)

        def begun(headers: Mapping[str, str]) -> None:
            console.print(
                f"{headers['direct311-entries']} entries of a log of "
                f"{headers['direct311-log-size']}; this export is event "
                f"{headers['direct311-access-event']}",
                highlight=False,
            )

        run(work)

    @app.command()
    def bundle(
        *,
        out: Out,
        record: Record = None,
        actor: Actor = None,
        purpose: Purpose = None,
        outcome: Outcome = None,
        since: Since = None,
        until: Until = None,
        reference: Reference,
        role: Role = "auditor",
        name: As = "auditor-1",
    ) -> None:
        """Write entries with their proofs, for `direct311-verifier bundle`."""
        body = {"filter": _filter(locals()), "reference": reference}

        async def work(session: Session) -> None:
            await session.save("audit", "/v1/bundles", body, role, name, out)
            console.print(f"written to {out}", highlight=False)

        run(work)

    @app.command("mirror")
    def mirror_log(
        folder: Annotated[Path, typer.Argument(help="the folder of the copy, old or new")],
        policy: Annotated[
            Path | None, typer.Option(help="keys of log and witnesses (c2sp.org/tlog-policy)")
        ] = None,
        vkey: Annotated[
            list[str] | None, typer.Option(help="a key of the log, from a source that you trust")
        ] = None,
        role: Annotated[str, typer.Option(help="auditor or witness")] = "auditor",
        name: As = "auditor-1",
    ) -> None:
        """Copy the whole log into a folder, and verify all of it.

        Run it again to resume a copy that broke off, or to update an old one. Everything in it is
        ciphertext; `direct311-verifier log FOLDER` verifies the copy again, offline.
        """
        try:
            trust = _trust(policy, vkey or [])
        except (NoteError, PolicyError, OSError) as error:
            raise typer.BadParameter(f"{error}; give --policy FILE or --vkey KEY") from None

        async def work(session: Session) -> None:
            url = session.stack.services["audit"] + "/log/"

            async def fetch(path: str) -> bytes:
                headers = await session.headers("audit", role, name)
                return await session.http.get_bytes(url + path, headers)

            with Progress(console=console, transient=True) as progress:
                task = progress.add_task("files of the log")
                try:
                    report = await mirror(
                        fetch,
                        folder,
                        trust,
                        lambda done, total: progress.update(task, completed=done, total=total),
                    )
                except (MirrorError, NoteError) as error:
                    console.print(f"not copied: {error}", highlight=False)
                    raise typer.Exit(1) from None
            console.print(report.text, end="", highlight=False, markup=False)
            if not report.ok:
                raise typer.Exit(1)

        run(work)


def _trust(policy: Path | None, vkeys: Sequence[str]) -> Trust:
    keys = tuple(VerifierKey.parse(key) for key in vkeys)
    if policy is not None:
        read = Policy.parse(policy.read_bytes()).trust
        return Trust((*keys, *read.log_keys), read.witnesses, read.quorum)
    if not keys:
        raise NoteError("a key of the log is required")
    return Trust(keys)


_SCOPE = (
    "persons",
    "persons-at-most",
    "senders-at-most",
    "records",
    "refused",
    "closed",
    "no-record",
    "searches-cut",
    "withheld",
    "notices",
    "access-event",
)
"""What the headers of a breach table say beyond its lines."""

_NAMES = (
    "record",
    "actor",
    "department",
    "purpose",
    "case",
    "action",
    "outcome",
    "field",
    "service",
    "host",
    "break_glass",
)


def _filter(given: dict[str, Any]) -> dict[str, object]:
    """The command's options that are filters."""
    found = {key: given[key] for key in _NAMES if given.get(key) is not None}
    if given.get("credential") is not None:
        found["session"] = given["credential"]
    for key in ("since", "until"):
        if given.get(key) is not None:
            found[key] = _instant(given[key])
    return found


def _instant(at: datetime) -> str:
    """The time in UTC, as answers print it. A time without a zone already is UTC."""
    aware = at if at.tzinfo else at.replace(tzinfo=UTC)
    return aware.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _second(at: str) -> str:
    """A time to the second, the day above the hour, so that a narrow column has room for it."""
    return at[: len("2026-03-02T14:00:00")].replace("T", "\n")


def _line(entry: dict[str, Any]) -> tuple[str, ...]:
    """When (to the second), who, what, fields, purpose, why, case."""
    when = _second(entry["occurred_at"] or entry["logged_at"])
    if entry["withheld"]:
        return (when, "withheld", "", "", "", "", "")
    if not entry["actor"]:
        return (when, "destroyed with its record", "", "", "", "", "")
    event = entry["signed_event"] or {}
    why = event.get("body", {}).get("why", {})
    reason = why.get("justification") or why.get("reference") or ""
    who = f"{entry['actor']} ({', '.join(entry['roles'])})"
    if not entry["actor_confirmed"]:
        who += f", says {entry['actor_attested_by']}"
    did = (
        entry["action"]
        if entry["outcome"] == "success"
        else f"{entry['action']}: " + entry["outcome"]
    )
    return (
        when,
        who,
        did,
        ", ".join(entry["fields"]),
        entry["purpose"] or "",
        reason,
        entry["case_id"] or "",
    )
