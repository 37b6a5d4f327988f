"""`direct311 case estimate|invoice|payment|charges|deny|denials|approve-denial`: what a case costs,
and what of it is denied."""

from collections.abc import Callable, Coroutine, Sequence
from hashlib import sha256
from typing import Annotated, Any

import typer
from rich.console import Console

from direct311.cli import approvals
from direct311.cli.screen import columns
from direct311.cli.stack import Session

Run = Callable[[Callable[[Session], Coroutine[Any, Any, None]]], None]
SERVICE = "retention"
PATH = "/v1/cases"
DENIAL = "disclosure-denial"

Case = Annotated[str, typer.Argument(metavar="CASE", help="the number of the case")]
Denial = Annotated[str, typer.Argument(metavar="DENIAL", help="the id of the denial")]
As = Annotated[str, typer.Option("--as", help="who: the token's subject")]
Desk = Annotated[str, typer.Option(help="custodian")]
Approver = Annotated[str, typer.Option(help="records_officer or counsel")]
Medium = Annotated[str, typer.Option(help="electronic or paper")]
Work = Annotated[
    list[str] | None, typer.Option(help="kind=minutes, such as search=90; may be repeated")
]
Pages = Annotated[
    list[str] | None, typer.Option(help="kind=number, such as one_sided=40; may be repeated")
]


def register(app: typer.Typer, run: Run, console: Console, errors: Console, page: Any) -> None:
    """Add the commands to the group `app`. `page` prints the address of a page."""

    async def charged(
        session: Session, case: str, what: str, body: dict[str, object], role: str, name: str
    ) -> None:
        version = (await _get(session, case, "charges", role, name))["version"]
        order = {"version": version, **body}
        _print_charges(
            console, await session.post(SERVICE, f"{PATH}/{case}/{what}", order, role, name)
        )

    @app.command()
    def estimate(
        case: Case,
        medium: Medium = "electronic",
        work: Work = None,
        pages: Pages = None,
        deposit: Annotated[
            int | None, typer.Option(help="cents to pay before the work begins; without it, all")
        ] = None,
        role: Desk = "custodian",
        name: As = "custodian-1",
    ) -> None:
        """Estimate what a case costs, by the county's fees. The cents are computed there."""
        body = _quantities(medium, work, pages)
        if deposit is not None:
            body["deposit_cents"] = deposit
        run(lambda session: charged(session, case, "estimate", body, role, name))

    @app.command()
    def invoice(
        case: Case,
        medium: Medium = "electronic",
        work: Work = None,
        pages: Pages = None,
        role: Desk = "custodian",
        name: As = "custodian-1",
    ) -> None:
        """Say what a case costs after all. That is at most what was estimated."""
        body = _quantities(medium, work, pages)
        run(lambda session: charged(session, case, "invoice", body, role, name))

    @app.command()
    def payment(
        case: Case,
        receipt: Annotated[str, typer.Argument(help="the number of the cashier's receipt")],
        cents: Annotated[int, typer.Argument(help="what was paid, in cents")],
        role: Desk = "custodian",
        name: As = "custodian-1",
    ) -> None:
        """Record a payment by the cashier's receipt. Never enter the number of a card."""

        async def work(session: Session) -> None:
            body = {"receipt": receipt, "cents": cents}
            answer = await session.post(SERVICE, f"{PATH}/{case}/payments", body, role, name)
            _print_charges(console, answer)

        run(work)

    @app.command()
    def charges(case: Case, role: Desk = "custodian", name: As = "custodian-1") -> None:
        """What a case costs, and what was paid. Opens nothing."""

        async def work(session: Session) -> None:
            _print_charges(console, await _get(session, case, "charges", role, name))

        run(work)

    @app.command()
    def deny(
        case: Case,
        statement: Annotated[
            typer.FileText, typer.Argument(help="a file with what the requester is told")
        ],
        exempt: Annotated[
            list[str] | None,
            typer.Option(
                help="code=citation[,record[,field]], such as"
                " protected_person=119.071(4)(d),RECORD,phone; may be repeated"
            ),
        ] = None,
        reason: Annotated[
            list[str] | None,
            typer.Option(help="not_held or not_a_record, for what no exemption withholds"),
        ] = None,
        part: Annotated[
            bool, typer.Option("--part", help="the case goes on with the rest")
        ] = False,
        role: Desk = "custodian",
        name: As = "custodian-1",
    ) -> None:
        """Prepare a denial, and print its id. It has no effect until others have approved it."""
        items = [*_exempt(exempt or ()), *({"reason": each} for each in reason or ())]
        if not items:
            raise typer.BadParameter("name what is denied", param_hint="--exempt or --reason")
        body = {
            "outcome": "part" if part else "denied",
            "items": items,
            "statement": statement.read(),
        }

        async def work(session: Session) -> None:
            version = (await _get(session, case, "denials", role, name))["version"]
            order = {"version": version, **body}
            made: Any = await session.post(SERVICE, f"{PATH}/{case}/denial", order, role, name)
            console.print(made["denial_id"], highlight=False)

        run(work)

    @app.command()
    def denials(case: Case, role: Desk = "custodian", name: As = "custodian-1") -> None:
        """The denials of a case, also for those who approve. Opens nothing."""

        async def work(session: Session) -> None:
            table = columns("denial", "outcome", "state", "missing", whole=("denial",))
            for each in (await _get(session, case, "denials", role, name))["denials"]:
                missing = ", ".join(each["missing"])
                table.add_row(each["denial_id"], each["denial"]["outcome"], each["state"], missing)
            console.print(table)

        run(work)

    @app.command("approve-denial")
    def approve_denial(
        case: Case,
        denial: Denial,
        role: Approver = "records_officer",
        name: As = "officer-1",
        browser: Annotated[
            bool, typer.Option(help="open the page here; otherwise its address is printed")
        ] = True,
    ) -> None:
        """Approve a denial: shows it with its statement, which is an access, and lets you sign in
        for exactly what it shows."""

        async def work(session: Session) -> None:
            found = (await _get(session, case, "denials", role, name))["denials"]
            shown = next((each for each in found if each["denial_id"] == denial), None)
            if shown is None:
                raise typer.BadParameter("this case has no such denial", param_hint="DENIAL")
            told = await _get(session, case, f"denials/{denial}/statement", role, name)
            content, text = shown["denial"], told["statement"]
            console.print(_denial_table(content))
            console.print(text, highlight=False, markup=False)
            # As in `approvals`: no other command waits for it to load.
            from direct311.runtime.access.fresh_sign_in import nonce_of

            nonce = nonce_of(DENIAL, content)
            same = sha256(text.encode()).hexdigest() == content["statement"]
            if nonce != shown["nonce"] or not same:
                errors.print("What is shown is not what would be approved.", style="red")
                raise typer.Exit(1)
            await approvals.approve(
                session,
                f"{PATH}/{case}/denials/{denial}/approve",
                nonce,
                {"version": shown["version"]},
                page=None if browser else page,
                console=console,
                errors=errors,
            )

        run(work)


async def _get(session: Session, case: str, what: str, role: str, name: str) -> Any:
    return await session.get(SERVICE, f"{PATH}/{case}/{what}", role, name)


def _quantities(
    medium: str, work: Sequence[str] | None, pages: Sequence[str] | None
) -> dict[str, object]:
    return {
        "medium": medium,
        "work": [{"work": kind, "minutes": n} for kind, n in _counts(work or (), "--work")],
        "pages": [{"kind": kind, "number": n} for kind, n in _counts(pages or (), "--pages")],
    }


def _counts(given: Sequence[str], hint: str) -> list[tuple[str, int]]:
    found = []
    for each in given:
        kind, _, number = each.partition("=")
        if not number.isdecimal():
            raise typer.BadParameter("kind=number", param_hint=hint)
        found.append((kind, int(number)))
    return found


def _exempt(given: Sequence[str]) -> list[dict[str, object]]:
    items: list[dict[str, object]] = []
    for each in given:
        code, _, rest = each.partition("=")
        citation, *where = rest.split(",")
        if not citation or len(where) > 2:
            raise typer.BadParameter("code=citation[,record[,field]]", param_hint="--exempt")
        item: dict[str, object] = {"reason": "exempt", "exemption": code, "citation": citation}
        item.update(zip(("record_id", "field"), where, strict=False))
        items.append(item)
    return items


def _print_charges(console: Console, found: Any) -> None:
    """The lines that count, and the sums, in dollars."""
    newest = found.get("invoice") or found.get("estimate")
    table = columns("for", "law", "units", "dollars", whole=("for",))
    if newest:
        for line in newest["charge"]["lines"]:
            unsure = "" if line["confirmed"] else " *"
            table.add_row(
                line["code"], line["citation"] + unsure, str(line["units"]), _dollars(line["cents"])
            )
        table.add_row("total", "", "", _dollars(newest["charge"]["total_cents"]))
    table.add_row("paid", "", "", _dollars(found["paid_cents"]))
    table.add_row("owed", "", "", _dollars(found["owed_cents"]))
    console.print(table)
    console.print(f"State of the case: {found['state']}")
    if newest and any(not line["confirmed"] for line in newest["charge"]["lines"]):
        console.print("* Counsel has not confirmed this fee.")


def _dollars(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02}"


def _denial_table(content: dict[str, Any]) -> Any:
    table = columns("what", "value", whole=())
    for what, value in content.items():
        if what != "items":
            table.add_row(what, str(value))
            continue
        for item in value:
            table.add_row("item", " ".join(str(each) for each in item.values()))
    return table
