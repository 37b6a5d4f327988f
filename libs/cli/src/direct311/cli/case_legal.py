"""`direct311 case verify|legal-scope|exigent|refer …`: cases of law enforcement, for liaisons."""

import json
import secrets
from collections.abc import Callable, Coroutine, Mapping, Sequence
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from direct311.cli.screen import columns
from direct311.cli.stack import Session

Run = Callable[[Callable[[Session], Coroutine[Any, Any, None]]], None]
PrintJson = Callable[[object], None]
SERVICE = "retention"
PATH = "/v1/cases"
FOLLOW_UP = "follow_up"


class About(StrEnum):
    """What a call was about."""

    INSTRUMENT = "instrument"
    OFFICER = "officer"
    FOLLOW_UP = FOLLOW_UP


class Outcome(StrEnum):
    """What the agency said."""

    CONFIRMED = "confirmed"
    DENIED = "denied"
    NO_ANSWER = "no_answer"


class ObjectionState(StrEnum):
    """Only counsel settles an objection."""

    RAISED = "raised"
    SETTLED = "settled"


Case = Annotated[str, typer.Argument(metavar="CASE", help="the number of the case")]
As = Annotated[str, typer.Option("--as", help="who: the token's subject")]
Desk = Annotated[str, typer.Option(help="liaison, or counsel where counsel may")]
Agency = Annotated[str, typer.Option(help="an id of `direct311 case agencies`")]
Names = Annotated[list[str] | None, typer.Option(help="may be repeated")]
Reason = Annotated[str, typer.Option(help="a code of `direct311 case agencies --codes`")]


def register(app: typer.Typer, run: Run, print_json: PrintJson, console: Console) -> None:
    """Add the commands to the group `app`."""

    @app.command()
    def agencies(
        codes: Annotated[bool, typer.Option("--codes", help="show the codes instead")] = False,
        role: Desk = "liaison",
        name: As = "liaison-1",
    ) -> None:
        """Whom to call back, and at which number. With --codes: instruments, reasons and ways."""

        async def work(session: Session) -> None:
            found = await _lists(session, role, name)
            if codes:
                table = columns("kind", "codes", whole=("kind",))
                table.add_row(
                    "instruments", "\n".join(each["instrument"] for each in found["instruments"])
                )
                for kind in ("refusals", "objections", "threats", "referrals", "ways"):
                    table.add_row(kind, "\n".join(found[kind]))
            else:
                table = columns("agency", "name", "number", whole=("agency", "number"))
                for each in found["agencies"]:
                    table.add_row(each["agency"], each["name"], each["number"])
            console.print(table)

        run(work)

    @app.command()
    def legal(case: Case, role: Desk = "liaison", name: As = "liaison-1") -> None:
        """The legal process of a case: calls, scopes, objections, hand-overs. Opens nothing."""

        async def work(session: Session) -> None:
            print_json(await _legal(session, case, role, name))

        run(work)

    @app.command()
    def verify(
        case: Case,
        about: Annotated[About, typer.Option(help="each call is about one thing")],
        instrument: Annotated[str, typer.Option(help="such as warrant")],
        agency: Agency,
        outcome: Annotated[
            Outcome | None, typer.Option(help="what they said; you are asked after the call")
        ] = None,
        document: Annotated[
            Path | None, typer.Option(help="the instrument as a file; it is put into the case")
        ] = None,
        name: As = "liaison-1",
    ) -> None:
        """Show the published number, and record what the agency said there."""
        content = document.read_bytes() if document else None

        async def work(session: Session) -> None:
            found = await _lists(session, "liaison", name)
            number = _number(found["agencies"], agency)
            digest = None
            if content is not None:
                digest = await _deposit(session, case, found, instrument, content, name)
            console.print(f"Call {number}, and no other number.", highlight=False)
            said = outcome.value if outcome else _asked_after_the_call()
            body: dict[str, object] = {
                "version": (await _legal(session, case, "liaison", name))["version"],
                "subject": about.value,
                "instrument": instrument,
                "agency": agency,
                "outcome": said,
            }
            if digest is not None:
                body["document"] = digest
            path = f"{PATH}/{case}/verification"
            answer: Any = await session.post(SERVICE, path, body, "liaison", name)
            missing = ", ".join(answer["missing"])
            state = answer["state"]
            shown = f"{state}; still to confirm: {missing}" if missing else state
            console.print(shown if about is not About.FOLLOW_UP else _followed(answer))

        run(work)

    @app.command("legal-scope")
    def legal_scope(
        case: Case,
        field: Annotated[list[str], typer.Option(help="a sealed field; may be repeated")],
        record: Names = None,
        file: Names = None,
        search: Annotated[
            list[str] | None, typer.Option(help="kind=number, such as person=3; may be repeated")
        ] = None,
        found: Annotated[int, typer.Option(help="how many records that are found later")] = 0,
        asked: Annotated[
            Path | None,
            typer.Option(help="JSON of what was asked, the first time; the same if left out"),
        ] = None,
        role: Desk = "liaison",
        name: As = "liaison-1",
    ) -> None:
        """Say what is granted of what was asked; later, narrow it. Prints the state."""
        granted: dict[str, object] = {
            "record_ids": record or [],
            "file_ids": file or [],
            "fields": field,
            "searches": _searches(search or ()),
            "found": found,
        }
        whole = json.loads(asked.read_text()) if asked else granted

        async def work(session: Session) -> None:
            before = await _legal(session, case, role, name)
            body: dict[str, object] = {"version": before["version"], "granted": granted}
            if not before["scopes"]:
                body["asked"] = whole
            await _put(session, f"{PATH}/{case}/legal-scope", body, role, name)
            after = await _legal(session, case, role, name)
            console.print(f"{after['state']}, narrowed" if after["narrowed"] else after["state"])

        run(work)

    @app.command()
    def exigent(
        case: Case,
        words: Annotated[typer.FileText, typer.Argument(help="a file with what was said; or `-`")],
        agency: Agency,
        threat: Annotated[str, typer.Option(help="a code, such as life")],
        name: As = "liaison-1",
    ) -> None:
        """Say that somebody's life or body is in danger. The duty officer approves the grant."""
        said = words.read()

        async def work(session: Session) -> None:
            version = (await _legal(session, case, "liaison", name))["version"]
            body = {"version": version, "agency": agency, "threat": threat, "words": said}
            path = f"{PATH}/{case}/exigent"
            answer: Any = await session.post(SERVICE, path, body, "liaison", name)
            console.print(f"{answer['state']}; still to confirm: {', '.join(answer['missing'])}")

        run(work)

    @app.command()
    def refer(
        record: Annotated[str, typer.Argument(metavar="RECORD", help="the id of the record")],
        words: Annotated[typer.FileText, typer.Argument(help="a file with what you saw; or `-`")],
        reason: Reason,
        role: Annotated[str, typer.Option(help="your own role")] = "inspector",
        name: As = "inspector-1",
    ) -> None:
        """Report a record that looks unlawful to the county's desk for law enforcement."""
        body = {
            "key": secrets.token_urlsafe(24),
            "record_id": record,
            "reason": reason,
            "words": words.read(),
        }

        async def work(session: Session) -> None:
            made: Any = await session.post(SERVICE, "/v1/referrals", body, role, name)
            console.print(made["referral_id"], highlight=False)

        run(work)

    @app.command("refuse")
    def refuse(case: Case, reason: Reason, name: As = "liaison-1") -> None:
        """Refuse a request of law enforcement, before anything was granted."""

        async def work(session: Session) -> None:
            path = f"{PATH}/{case}/refusal"
            answer: Any = await session.post(SERVICE, path, {"reason": reason}, "liaison", name)
            console.print(answer["state"])

        run(work)

    @app.command("object")
    def objection(
        case: Case,
        reason: Reason,
        state: Annotated[ObjectionState, typer.Option(help="counsel settles")] = (
            ObjectionState.RAISED
        ),
        role: Desk = "liaison",
        name: As = "liaison-1",
    ) -> None:
        """Somebody objects: all grants of the case end until counsel settles it."""

        async def work(session: Session) -> None:
            body = {"reason": reason, "state": state.value}
            await _put(session, f"{PATH}/{case}/objection", body, role, name)
            console.print(state.value)

        run(work)

    @app.command()
    def notice(
        case: Case,
        document: Annotated[Path | None, typer.Option(help="the order as a file")] = None,
        dated: Annotated[str | None, typer.Option(help="2026-12-01T09:00:00Z")] = None,
        until: Annotated[str | None, typer.Option(help="at most 90 days later")] = None,
        end: Annotated[bool, typer.Option("--end", help="the matter is not active")] = False,
        name: As = "liaison-1",
    ) -> None:
        """Delay the notice to the subject by a document, or end the secrecy of the case."""

        async def work(session: Session) -> None:
            path = f"{PATH}/{case}/notice"
            if end:
                await session.delete(SERVICE, path, "liaison", name)
            elif document is None or dated is None or until is None:
                raise typer.BadParameter("--document, --dated and --until, or --end")
            else:
                content = document.read_bytes()
                digest = await _put_document(session, case, "instrument", content, name)
                version = (await _legal(session, case, "liaison", name))["version"]
                body = {"version": version, "document": digest, "dated_at": dated, "until": until}
                await session.post(SERVICE, path, body, "liaison", name)
            after = await _legal(session, case, "liaison", name)
            console.print(f"secret until {after['exempt_until']}", highlight=False)

        run(work)

    @app.command("hand-over")
    def hand_over(
        case: Case,
        thing: Annotated[Path, typer.Argument(help="the file that was handed over")],
        how: Annotated[str, typer.Option(help="a code, such as in_person")],
        receipt: Annotated[str, typer.Option(help="the code of the agency's receipt")],
        name: As = "liaison-1",
    ) -> None:
        """Record a hand-over in the chain of custody; asks who took it."""
        taken_by = typer.prompt("who took it")

        async def work(session: Session) -> None:
            body = {
                "how": how,
                "sha256": sha256(thing.read_bytes()).hexdigest(),
                "receipt": receipt,
                "taken_by": taken_by,
            }
            path = f"{PATH}/{case}/custody"
            answer: Any = await session.post(SERVICE, path, body, "liaison", name)
            table = columns("when", "how", "what", "receipt", whole=("receipt",))
            for each in answer["hand_overs"]:
                table.add_row(
                    each["handed_at"][:19],
                    each["how"],
                    each["sha256"][:16],
                    each.get("receipt", ""),
                )
            console.print(table)

        run(work)


async def _lists(session: Session, role: str, name: str) -> Any:
    return await session.get(SERVICE, "/v1/legal-instruments", role, name)


async def _legal(session: Session, case: str, role: str, name: str) -> Any:
    return await session.get(SERVICE, f"{PATH}/{case}/legal-process", role, name)


async def _put(
    session: Session, path: str, body: Mapping[str, object], role: str, name: str
) -> None:
    headers = await session.headers(SERVICE, role, name)
    url = session.stack.services[SERVICE] + path
    await session.http.put_bytes(
        url, json.dumps(body).encode(), {**headers, "Content-Type": "application/json"}
    )


async def _deposit(
    session: Session, case: str, lists: Any, instrument: str, content: bytes, name: str
) -> str:
    """Put a document into the case file, as what the instrument comes by."""
    for each in lists["instruments"]:
        if each["instrument"] == instrument and each["documents"]:
            kind = each["documents"][0]
            return await _put_document(session, case, kind, content, name)
    raise typer.BadParameter("no instrument that comes on paper", param_hint="--instrument")


async def _put_document(session: Session, case: str, kind: str, content: bytes, name: str) -> str:
    digest = sha256(content).hexdigest()
    headers = await session.headers(SERVICE, "liaison", name)
    url = f"{session.stack.services[SERVICE]}{PATH}/{case}/documents/{digest}?kind={kind}"
    await session.http.put_bytes(
        url, content, {**headers, "Content-Type": "application/octet-stream"}
    )
    return digest


def _number(agencies: Sequence[Mapping[str, str]], agency: str) -> str:
    for each in agencies:
        if each["agency"] == agency:
            return f"{each['name']} at {each['number']}"
    raise typer.BadParameter("no agency in the list", param_hint="--agency")


def _asked_after_the_call() -> str:
    outcomes = [each.value for each in Outcome]
    said: str = typer.prompt(f"What did they say ({', '.join(outcomes)})")
    if said not in outcomes:
        raise typer.BadParameter(", ".join(outcomes), param_hint="--outcome")
    return said


def _followed(answer: Mapping[str, Any]) -> str:
    return "followed" if answer.get("follow_up") else "an instrument must still follow"


def _searches(given: Sequence[str]) -> list[dict[str, object]]:
    searches: list[dict[str, object]] = []
    for each in given:
        kind, _, number = each.partition("=")
        if not number.isdecimal():
            raise typer.BadParameter("kind=number, such as person=3", param_hint="--search")
        searches.append({"kind": kind, "number": int(number)})
    return searches
