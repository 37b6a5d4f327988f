"""`direct311 case`: disclosure cases and what they may open, for those who prepare and approve."""

import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from direct311.cli import (
    approvals,
    case_approvals,
    case_breach,
    case_delivery,
    case_exemptions,
    case_fees,
    case_files,
    case_leaks,
    case_legal,
    case_messages,
    case_oral,
    case_packages,
    case_preservation,
    case_report,
    case_review,
    case_search,
)
from direct311.cli.screen import columns
from direct311.cli.stack import Session
from direct311.schemas import events as ev

Run = Callable[[Callable[[Session], Coroutine[Any, Any, None]]], None]
PrintJson = Callable[[object], None]
SERVICE = "retention"
PATH = "/v1/cases"
CONTACT = ("name", "email", "phone", "address")


class Kind(StrEnum):
    """Who asks: anybody, or the police."""

    PUBLIC_RECORDS = "public_records"
    LAW_ENFORCEMENT = "law_enforcement"


Case = Annotated[str, typer.Argument(metavar="CASE", help="the number of the case")]
Grant = Annotated[str, typer.Argument(metavar="GRANT", help="the id of the grant")]
As = Annotated[str, typer.Option("--as", help="who: the token's subject")]
Desk = Annotated[str, typer.Option(help="custodian, or liaison for law enforcement")]
Approver = Annotated[str, typer.Option(help="records_officer, counsel or emergency")]
Names = Annotated[list[str] | None, typer.Option(help="may be repeated")]


def register(
    app: typer.Typer, run: Run, print_json: PrintJson, console: Console, errors: Console
) -> None:
    """Add the commands to the group `app`."""
    case_approvals.register(app, run, console)
    case_oral.register(app, run, console)
    case_files.register(app, run, console)
    case_messages.register(app, run, print_json, console)
    case_packages.register(app, run, console, errors, _print_page)
    case_leaks.register(app, run, console, errors, _print_page)
    case_review.register(app, run, console)
    case_fees.register(app, run, console, errors, _print_page)
    case_report.register(app, run, print_json, console)
    case_legal.register(app, run, print_json, console)
    case_search.register(app, run, console, errors)
    case_preservation.register(app, run, console)
    case_exemptions.register(app, run, console, errors)
    case_delivery.register(app, run, console)
    case_breach.register(app, run, console, errors)

    @app.command("open")
    def open_case(
        request: Annotated[
            typer.FileText, typer.Argument(help="a file with what was asked; `-` reads it here")
        ],
        kind: Annotated[Kind, typer.Option(help="who asks")] = Kind.PUBLIC_RECORDS,
        received: Annotated[
            str | None, typer.Option(help="when it was received, 2026-12-01T09:00:00Z; now")
        ] = None,
        contact: Annotated[
            bool, typer.Option("--contact", help="ask how to reach the requester")
        ] = False,
        role: Desk = "custodian",
        name: As = "custodian-1",
    ) -> None:
        """Open a case for what somebody asked for, and print its number."""
        body: dict[str, object] = {"kind": kind.value, "request": request.read()}
        if received:
            body["received_at"] = received
        if contact:
            said = {each: typer.prompt(each, "", show_default=False) for each in CONTACT}
            body["contact"] = {each: value for each, value in said.items() if value}

        async def work(session: Session) -> None:
            made: Any = await session.post(SERVICE, PATH, body, role, name)
            console.print(made["case_id"], highlight=False)

        run(work)

    @app.command("list")
    def list_cases(role: Desk = "custodian", name: As = "custodian-1") -> None:
        """The cases at your desk. Opens nothing."""

        async def work(session: Session) -> None:
            table = columns("case", "kind", "state", "received", whole=("case",))
            cursor = None
            while True:
                query = {"limit": 500, **({"cursor": cursor} if cursor else {})}
                page: Any = await session.get_query(SERVICE, PATH, query, role, name)
                for each in page["cases"]:
                    table.add_row(
                        each["case_id"], each["kind"], each["state"], each["received_at"][:10]
                    )
                cursor = page.get("next")
                if cursor is None:
                    break
            console.print(table)

        run(work)

    @app.command()
    def show(case: Case, role: Desk = "custodian", name: As = "custodian-1") -> None:
        """A case with what was asked. This is an access, and an entry of the log."""

        async def work(session: Session) -> None:
            print_json(await session.get(SERVICE, f"{PATH}/{case}", role, name))

        run(work)

    @app.command()
    def grants(case: Case, role: Desk = "custodian", name: As = "custodian-1") -> None:
        """The grants of a case, also for those who approve. Opens nothing."""

        async def work(session: Session) -> None:
            found = await _grants(session, case, role, name)
            table = columns("grant", "state", "until", "missing", whole=("grant",))
            for each in found["grants"]:
                table.add_row(
                    each["grant_id"],
                    each["state"],
                    each["grant"]["valid_until"][:10],
                    ", ".join(each["missing"]),
                )
            console.print(table)

        run(work)

    @app.command()
    def grant(
        case: Case,
        field: Annotated[list[str], typer.Option(help="a sealed field; may be repeated")],
        worker: Annotated[list[str], typer.Option(help="who works with it; may be repeated")],
        record: Names = None,
        records: Annotated[
            Path | None, typer.Option(help="a file with one record id a line, at most 500")
        ] = None,
        file: Names = None,
        search: Annotated[
            list[str] | None, typer.Option(help="kind=number, such as person=3; may be repeated")
        ] = None,
        days: Annotated[float, typer.Option(help="for how long it is in force")] = 7.0,
        role: Desk = "custodian",
        name: As = "custodian-1",
    ) -> None:
        """Prepare a grant, and print its id. It opens nothing until others have approved it."""
        listed = records.read_text().split() if records else []
        until = datetime.now(UTC) + timedelta(days=days)
        body: dict[str, object] = {
            "record_ids": [*(record or ()), *listed],
            "file_ids": file or [],
            "fields": field,
            "workers": worker,
            "searches": _searches(search or ()),
            "valid_until": until.isoformat(),
        }

        async def work(session: Session) -> None:
            version = (await _grants(session, case, role, name))["version"]
            order = {"version": version, **body}
            made: Any = await session.post(SERVICE, f"{PATH}/{case}/grants", order, role, name)
            console.print(made["grant_id"], highlight=False)

        run(work)

    @app.command()
    def approve(
        case: Case,
        grant: Grant,
        role: Approver = "records_officer",
        name: As = "officer-1",
        browser: Annotated[
            bool, typer.Option(help="open the page here; otherwise its address is printed")
        ] = True,
    ) -> None:
        """Approve a grant: shows it, and lets you sign in for exactly what it shows."""

        async def work(session: Session) -> None:
            shown = _one(await _grants(session, case, role, name), grant)
            granted = ev.DisclosureGrant.model_validate(shown["grant"])
            console.print(_table(granted))
            nonce = _nonce(granted)
            if nonce != shown["nonce"]:
                errors.print("What is shown is not what would be approved.", style="red")
                raise typer.Exit(1)
            await approvals.approve(
                session,
                f"{PATH}/{case}/grants/{grant}/approve",
                nonce,
                {"version": shown["version"]},
                page=None if browser else _print_page,
                console=console,
                errors=errors,
            )

        run(work)

    @app.command()
    def revoke(
        case: Case,
        grant: Grant,
        reason: Annotated[str, typer.Option(help="a code, such as scope_changed")],
        role: Desk = "custodian",
        name: As = "custodian-1",
    ) -> None:
        """End a grant at once."""

        async def work(session: Session) -> None:
            shown = _one(await _grants(session, case, role, name), grant)
            body = {"version": shown["version"], "reason": reason}
            path = f"{PATH}/{case}/grants/{grant}/revoke"
            answer: Any = await session.post(SERVICE, path, body, role, name)
            console.print(answer["state"])

        run(work)


async def _grants(session: Session, case: str, role: str, name: str) -> Any:
    return await session.get(SERVICE, f"{PATH}/{case}/grants", role, name)


def _one(found: Mapping[str, Any], grant_id: str) -> Any:
    for each in found["grants"]:
        if each["grant_id"] == grant_id:
            return each
    raise typer.BadParameter("this case has no such grant", param_hint="GRANT")


def _searches(given: Sequence[str]) -> list[dict[str, object]]:
    searches: list[dict[str, object]] = []
    for each in given:
        kind, _, number = each.partition("=")
        if not number.isdecimal():
            raise typer.BadParameter("kind=number, such as person=3", param_hint="--search")
        searches.append({"kind": kind, "number": int(number)})
    return searches


def _nonce(grant: ev.DisclosureGrant) -> str:
    # As in `approvals`: no other command waits for it to load.
    from direct311.runtime.access.disclosures import nonce_of_grant

    return nonce_of_grant(grant)


def _table(grant: ev.DisclosureGrant) -> Any:
    """All that is approved, for somebody to read."""
    table = columns("what", "value", whole=())
    for what, value in grant.model_dump(mode="json").items():
        if what == "searches":
            value = [f"{each['kind']}: {each['number']}" for each in value]
        table.add_row(what, "\n".join(value) if isinstance(value, list) else str(value))
    return table


def _print_page(page: str) -> None:
    sys.stdout.write(f"{page}\n")
    sys.stdout.flush()
