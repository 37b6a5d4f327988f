"""`direct311 case review`: what a record has, what may be withheld, and what people decided."""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Annotated, Any

import typer
from rich.console import Console

from direct311.cli.screen import columns
from direct311.cli.stack import Session

Run = Callable[[Callable[[Session], Coroutine[Any, Any, None]]], None]
SERVICE = "intake"
LONGEST_SHOWN = 200
"""How much of a text the table of items shows."""


def register(app: typer.Typer, run: Run, console: Console) -> None:
    """Add the command to the group `app`."""

    @app.command()
    def review(
        case: Annotated[str, typer.Argument(metavar="CASE", help="the number of the case")],
        record: Annotated[str, typer.Argument(metavar="RECORD", help="the id of the record")],
        withhold: Annotated[
            list[str] | None,
            typer.Option(
                metavar="ITEM=CODE",
                help="withhold an item, such as description:10-22=protected_person; may be "
                "repeated",
            ),
        ] = None,
        release: Annotated[
            list[str] | None, typer.Option(metavar="ITEM", help="release it; may be repeated")
        ] = None,
        accept: Annotated[
            bool,
            typer.Option("--accept", help="withhold everything that is proposed and undecided"),
        ] = False,
        again: Annotated[
            bool, typer.Option("--again", help="decide as before where the text is the same")
        ] = False,
        done: Annotated[
            bool, typer.Option("--done", help="say that nothing else is to be withheld")
        ] = False,
        role: Annotated[str, typer.Option(help="custodian, records_officer or counsel")] = (
            "custodian"
        ),
        name: Annotated[str, typer.Option("--as", help="who: a worker of the grant")] = (
            "custodian-1"
        ),
    ) -> None:
        """Show a record's texts and proposals, and decide items. Showing it is an access.

        An item is a place, which means all of its text, or a place and a span: phone,
        description:10-22. What you decide here counts for what is shown here; if the record
        changes, look again.
        """
        chosen = {**_withheld(withhold or ()), **dict.fromkeys(release or (), None)}
        path = f"/v1/cases/{case}/records/{record}"

        async def work(session: Session) -> None:
            shown: Any = await session.post(SERVICE, f"{path}/review", {}, role, name)
            choices = {
                **(_earlier(shown) if again else {}),
                **(proposed(shown) if accept else {}),
                **chosen,
            }
            if choices or done:
                order = {"version": shown["version"], "decisions": choices_of(choices)}
                decided: Any = await session.put(SERVICE, f"{path}/decisions", order, role, name)
                shown = {**shown, **decided}
            print_review(console, shown)

        run(work)


def _withheld(given: Sequence[str]) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for each in given:
        item, is_there, code = each.rpartition("=")
        if not is_there or not item or not code:
            raise typer.BadParameter(
                "ITEM=CODE, such as phone=protected_person", param_hint="--withhold"
            )
        found[item] = code
    return found


def _earlier(shown: Mapping[str, Any]) -> dict[str, str | None]:
    return {each["item"]: each["code"] for each in shown["earlier"]}


def proposed(shown: Mapping[str, Any]) -> dict[str, str | None]:
    """What is proposed and undecided, each item under the code of its first proposal."""
    undecided = set(shown["undecided"])
    # The first proposal of an item comes last, so that it is the one that stays.
    proposals = [each for each in reversed(shown["proposals"]) if each["item"] in undecided]
    return {each["item"]: each["code"] for each in proposals}


def choices_of(choices: Mapping[str, str | None]) -> list[dict[str, str]]:
    """Choices as they are sent: withheld under a code, or released (`None`)."""
    return [
        {"item": item, "decision": "release"}
        if code is None
        else {"item": item, "decision": "withhold", "code": code}
        for item, code in choices.items()
    ]


def print_review(console: Console, shown: Mapping[str, Any]) -> None:
    """The texts, the items with what is said about each, and how far the review is."""
    # Not in a table: what is typed into the next command may be as long as a line.
    for place, text in shown["texts"].items():
        console.print(place, style="bold", highlight=False, soft_wrap=True)
        console.print(text, highlight=False)
    rows = _rows(shown)
    if rows:
        items = columns("no", "text", "by", "note", "decided", whole=())
        for number, (_, *row) in enumerate(rows, 1):
            items.add_row(str(number), *row)
        console.print(items)
        for number, (item, *_) in enumerate(rows, 1):
            console.print(f"{number}  {item}", highlight=False, soft_wrap=True)
    flags = f" ({', '.join(shown['flags'])})" if shown["flags"] else ""
    state = "reviewed" if shown["reviewed"] else "not reviewed"
    if shown["undecided"]:
        state += f", {len(shown['undecided'])} undecided"
    console.print(f"version {shown['version']}{flags}: {state}", highlight=False)


def _rows(shown: Mapping[str, Any]) -> list[tuple[str, str, str, str, str]]:
    """One row for each item that was proposed, decided, or decided before."""
    decided = {each["item"]: each for each in shown["decisions"]}
    earlier = {each["item"]: each for each in shown["earlier"]}
    proposed = {each["item"]: each for each in reversed(shown["proposals"])}
    warned = {each["item"]: each for each in shown["warnings"]}
    rows = []
    for item in sorted({*decided, *earlier, *proposed}, key=_order):
        about = proposed.get(item) or warned.get(item) or {}
        notes = _notes(about, earlier.get(item))
        rows.append(
            (
                item,
                _text(shown["texts"], item),
                proposed[item]["citation"] if item in proposed else "",
                "\n".join(notes),
                _decision(decided[item]) if item in decided else "",
            )
        )
    return rows


def _notes(about: Mapping[str, Any], earlier: Mapping[str, Any] | None) -> list[str]:
    notes = []
    if about.get("preset"):
        notes.append(f"released by {' or '.join(about['lifted_by'])} only")
    if about.get("public_elsewhere"):
        notes.append("public elsewhere")
    if about.get("went_out"):
        notes.append("went out before")
    if earlier is not None:
        notes.append(f"before: {_decision(earlier)}")
    return notes


def _decision(each: Mapping[str, Any]) -> str:
    if each["code"] is None:
        return f"released by {each['decided_by']}"
    return f"{each['citation'] or each['code']} by {each['decided_by']}"


def _order(item: str) -> tuple[str, int]:
    place, _, span = item.partition(":")
    return place, int(span.partition("-")[0]) if span else -1


def _text(texts: Mapping[str, str], item: str) -> str:
    place, _, span = item.partition(":")
    text = texts.get(place, "")
    if span:
        start, _, end = span.partition("-")
        text = text[int(start) : int(end)]
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"
