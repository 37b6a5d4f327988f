"""`direct311 case recall|breach-notice`: what to do when something went out wrongly: take a package
back, and tell whom the law wants told, by when and with which words."""

import csv
import re
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from direct311.cli.screen import columns
from direct311.cli.stack import Session

Run = Callable[[Callable[[Session], Coroutine[Any, Any, None]]], None]
SCOPE = "/v1/breaches"
NOTICES = "/v1/breach-notices"
LETTERS = "/v1/breach-letters"
AT_ONCE = 100
"""How many people are told, or letters printed, by one call."""
INDIVIDUALS = "individuals"
NOTICE_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


def register(app: typer.Typer, run: Run, console: Console, errors: Console) -> None:
    """Add the command to the group `app`."""

    @app.command()
    def recall(
        case: Annotated[str, typer.Argument(metavar="CASE", help="the number of the case")],
        sha256: Annotated[str, typer.Argument(metavar="SHA256", help="the hash of the package")],
        reason: Annotated[str, typer.Option(help="a code, such as wrong_record")],
        role: Annotated[str, typer.Option(help="custodian, records_officer or counsel")] = (
            "custodian"
        ),
        name: Annotated[str, typer.Option("--as", help="who: the token's subject")] = "custodian-1",
    ) -> None:
        """Take back a package that went out wrongly: nobody fetches it any more."""

        async def work(session: Session) -> None:
            path = f"/v1/cases/{case}/packages/{sha256}/recall"
            answer: Any = await session.post("retention", path, {"reason": reason}, role, name)
            console.print(f"recalled at {answer['recalled_at']}", highlight=False)

        run(work)

    @app.command("breach-notice")
    def breach_notice(
        *,
        out: Annotated[Path, typer.Argument(help="a folder for the letters and the list")],
        session_id: Annotated[
            str | None, typer.Option("--session", help="the id of the stolen token")
        ] = None,
        actor: Annotated[str | None, typer.Option(help="whose accesses")] = None,
        host: Annotated[str | None, typer.Option(help="on which machine")] = None,
        service: Annotated[str | None, typer.Option(help="by which service")] = None,
        since: Annotated[str | None, typer.Option(help="2026-12-01T00:00:00Z")] = None,
        until: Annotated[str | None, typer.Option(help="2026-12-02T00:00:00Z")] = None,
        determined: Annotated[
            str | None, typer.Option(help="the day on which the breach was determined; today")
        ] = None,
        synopsis: Annotated[
            typer.FileText | None,
            typer.Option(help="a file with what happened, for the Department of Legal Affairs"),
        ] = None,
        send: Annotated[
            bool, typer.Option("--send", help="tell everybody who has an e-mail address now")
        ] = False,
        notice: Annotated[
            str | None,
            typer.Option(help="the number of the notice, to go on with one; else a new one"),
        ] = None,
        reference: Annotated[
            str, typer.Option(envvar="DIRECT311_REFERENCE", help="your letter or file")
        ],
        role: Annotated[str, typer.Option(help="counsel")] = "counsel",
        name: Annotated[str, typer.Option("--as", help="who: the token's subject")] = "counsel-1",
    ) -> None:
        """Make the notices that section 501.171, F.S., requires after a breach.

        Determines whom it touched from the access log, prints who must be told by when, and writes
        the letters as PDF. With --send, intake tells by e-mail everybody who left an address,
        without showing it; then letters are written for the others only.
        """
        asked = {
            "session": session_id,
            "actor": actor,
            "host": host,
            "service": service,
            "since": since,
            "until": until,
            "determined_on": determined,
        }
        question = {key: value for key, value in asked.items() if value is not None}
        if notice is not None and not NOTICE_ID.fullmatch(notice):
            raise typer.BadParameter("letters, digits, - and _ only", param_hint="--notice")
        told = synopsis.read() if synopsis else None

        async def work(session: Session) -> None:
            who = (role, name)
            body = question | {"reference": reference}
            scope: Any = await session.post("audit", SCOPE, body, *who)
            records = [each for each in scope["records"] if each["held"] != "gone"]
            breach = _breach(scope, notice)
            _print_scope(console, scope, breach)
            if breach is None:
                return
            out.mkdir(parents=True, exist_ok=True)
            outcomes = dict.fromkeys((each["record_id"] for each in records), "")
            if send:
                for batch in _batches(records):
                    order = breach | {"records": [_reached(each) for each in batch]}
                    answer: Any = await session.post("intake", NOTICES, order, *who)
                    outcomes |= {each["record_id"]: each["outcome"] for each in answer["told"]}
            _write_list(out / "records.csv", scope["records"], outcomes)
            by_mail = [
                each
                for each in records
                if outcomes[each["record_id"]] not in ("sent", "sent_before", "later", "unknown")
            ]
            for number, batch in enumerate(_batches(by_mail), 1):
                order = breach | {"records": [_reached(each) for each in batch]}
                path = out / f"letters-{number}.pdf"
                await session.save("retention", LETTERS, order, *who, path)
                console.print(f"{len(batch)} letters written to {path}", highlight=False)
            await _to_authorities(session, console, scope, breach, told, who, out)
            counts = Counter(each for each in outcomes.values() if each)
            for outcome in sorted(counts):
                console.print(f"{outcome}: {counts[outcome]}", highlight=False)
            if counts["later"]:
                errors.print(
                    "The mail relay does not answer for some. Go on later with --notice "
                    f"{breach['notice_id']}.",
                    style="red",
                )
                raise typer.Exit(1)

        run(work)


async def _to_authorities(
    session: Session,
    console: Console,
    scope: Mapping[str, Any],
    breach: Mapping[str, Any],
    synopsis: str | None,
    who: tuple[str, str],
    out: Path,
) -> None:
    """The letters that are owed, certainly or possibly."""
    last = next((each["due_on"] for each in scope["notices"] if each["notice"] == INDIVIDUALS), "")
    for duty in scope["notices"]:
        if duty["notice"] == INDIVIDUALS or duty["owed"] == "no":
            continue
        order = {
            "to": duty["notice"],
            "persons": scope["persons"],
            "persons_at_most": scope["persons_at_most"],
            "records": scope["records_touched"],
            "synopsis": synopsis or "To be completed by counsel.",
            "told_by": last,
        }
        path = out / f"{duty['notice']}.pdf"
        await session.save("retention", LETTERS, {**breach, "authority": order}, *who, path)
        console.print(f"letter to {duty['to']} written to {path}", highlight=False)


def _breach(scope: Mapping[str, Any], notice: str | None) -> dict[str, Any] | None:
    """Which breach, and its days (UTC); `None` if it touched nothing."""
    if not scope["records"]:
        return None
    return {
        "notice_id": notice or scope["access_event"],
        "began_on": min(each["first"] for each in scope["records"])[:10],
        "ended_on": max(each["last"] for each in scope["records"])[:10],
    }


def _reached(record: Mapping[str, Any]) -> dict[str, Any]:
    return {"record_id": record["record_id"], "fields": record["fields"]}


def _batches(records: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for at in range(0, len(records), AT_ONCE):
        yield records[at : at + AT_ONCE]


def _print_scope(
    console: Console, scope: Mapping[str, Any], breach: Mapping[str, Any] | None
) -> None:
    table = columns("who is told", "from how many", "owed", "by", whole=())
    for duty in scope["notices"]:
        due = duty["due_on"] or ""
        table.add_row(duty["to"], str(duty["at_least"]), duty["owed"], due)
    console.print(table)
    console.print(
        f"{scope['persons']} to {scope['persons_at_most']} persons in"
        f" {scope['records_touched']} records, {scope['records_gone']} of them destroyed since;"
        f" {scope['law']}",
        highlight=False,
    )
    if breach is None:
        console.print("No record was touched, so nobody is told.")
    else:
        console.print(f"notice {breach['notice_id']}", highlight=False)


def _write_list(
    path: Path, records: Sequence[Mapping[str, Any]], outcomes: Mapping[str, str]
) -> None:
    """One line for each record: what became of the notice about it. It names nobody."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\r\n")
        writer.writerow(("record_id", "held", "first", "last", "fields", "outcome"))
        for each in records:
            outcome = outcomes.get(each["record_id"], "gone")
            fields = " ".join(each["fields"])
            writer.writerow(
                (each["record_id"], each["held"], each["first"], each["last"], fields, outcome)
            )
