"""`direct311 case review-file`: look at a file of a case, and decide what goes out of it."""

import re
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from direct311.cli.screen import columns
from direct311.cli.stack import Session

Run = Callable[[Callable[[Session], Coroutine[Any, Any, None]]], None]
SERVICE = "media"
_BOX = re.compile(r"(?:(\d+):)?([\d.]+),([\d.]+),([\d.]+),([\d.]+)=(\S+)")
_ENDINGS = {"image/jpeg": "jpg", "image/png": "png"}


def register(app: typer.Typer, run: Run, console: Console) -> None:
    """Add the commands to the group `app`."""

    @app.command("review-file")
    def review_file(
        case: Annotated[str, typer.Argument(metavar="CASE", help="the number of the case")],
        file: Annotated[str, typer.Argument(metavar="FILE", help="the id of the file")],
        pages: Annotated[
            Path | None, typer.Option(help="a folder; every page is saved there as a picture")
        ] = None,
        release: Annotated[
            bool, typer.Option("--release", help="the file goes out as it came")
        ] = False,
        withhold: Annotated[
            list[str] | None,
            typer.Option(help="the code of an exemption; the file is withheld whole"),
        ] = None,
        box: Annotated[
            list[str] | None,
            typer.Option(
                help="PAGE:LEFT,TOP,RIGHT,BOTTOM=CODE, sides from 0 to 1; burnt out of the file"
            ),
        ] = None,
        purpose: Annotated[str, typer.Option(help="the kind of the case")] = "public_records",
        role: Annotated[str, typer.Option(help="custodian, counsel or records_officer")] = (
            "custodian"
        ),
        name: Annotated[str, typer.Option("--as", help="who: a worker of the grant")] = (
            "custodian-1"
        ),
    ) -> None:
        """Show what a file of a case is and what was decided about it, and decide. The grant of the
        case must name you, the record and the file; each opening is an entry of the log."""
        order = _order(withhold or (), box or (), release=release)
        path = f"/v1/cases/{case}/files/{file}"
        question = {"purpose": purpose}

        async def work(session: Session) -> None:
            found: Any = await session.post(SERVICE, f"{path}/review", question, role, name)
            if pages is not None:
                pages.mkdir(parents=True, exist_ok=True)
                numbers = range(1, len(found["pages"]) + 1)
                for number in track(numbers, "pages", console=console, transient=True):
                    out = pages / f"{file}-p{number}"
                    told = await session.save(
                        SERVICE, f"{path}/pages/{number}", question, role, name, out
                    )
                    kind = told["content-type"].partition(";")[0]
                    out.rename(out.with_name(f"{out.name}.{_ENDINGS[kind]}"))
            decision = found.get("decision")
            if order is not None:
                body = {**question, **order, "version": found["version"]}
                decision = await session.put(SERVICE, f"{path}/decisions", body, role, name)
            console.print(_table(found, decision))

        run(work)


def _order(
    withhold: Sequence[str], boxes: Sequence[str], *, release: bool
) -> dict[str, object] | None:
    chosen = [release, bool(withhold), bool(boxes)]
    if sum(chosen) > 1:
        raise typer.BadParameter("one of --release, --withhold and --box")
    if release:
        return {"outcome": "release"}
    if withhold:
        return {"outcome": "withhold", "codes": list(withhold)}
    return {"outcome": "redact", "boxes": [_box(each) for each in boxes]} if boxes else None


def _box(given: str) -> dict[str, object]:
    found = _BOX.fullmatch(given)
    try:
        if found is None:
            raise ValueError
        left, top, right, bottom = (float(found[each]) for each in range(2, 6))
    except ValueError:
        raise typer.BadParameter(
            "PAGE:LEFT,TOP,RIGHT,BOTTOM=CODE, such as 1:0.1,0.2,0.4,0.25=protected_person",
            param_hint="--box",
        ) from None
    return {
        "page": int(found[1] or 1),
        "left": left,
        "top": top,
        "right": right,
        "bottom": bottom,
        "code": found[6],
    }


def _table(found: Mapping[str, Any], decision: Mapping[str, Any] | None) -> Table:
    table = columns("what", "value", whole=())
    table.add_row("file", f"{found['kind']}, {found.get('content_type')}, {found['size']:,} bytes")
    sizes = [f"{each['width']} x {each['height']}" for each in found["pages"]]
    if len(sizes) > 3:
        sizes = [*sizes[:3], "..."]
    pages = f"{len(found['pages'])} ({', '.join(sizes)})" if sizes else "none to show"
    table.add_row("pages", pages)
    if why := found.get("unrenderable"):
        table.add_row("cannot be shown", why)
    table.add_row("shows on no page", ", ".join(found["findings"]) or "nothing")
    if preset := found.get("preset"):
        roles = ", ".join(found["lifted_by"])
        table.add_row("preset", f"withheld by {preset}, lifted by {roles}")
    for what, each in (("decided", decision), ("for another case", found.get("offered"))):
        if each is not None:
            table.add_row(what, _decided(each))
    if decision is None:
        table.add_row("decided", "not yet")
    return table


def _decided(decision: Mapping[str, Any]) -> str:
    lines = [
        f"{decision['outcome']} by {decision['decided_by']}, {decision['decided_at'][:16]}",
        *decision["codes"],
    ]
    for box in decision["boxes"]:
        sides = ",".join(f"{box[side]:g}" for side in ("left", "top", "right", "bottom"))
        lines.append(f"{box['page']}:{sides}={box['code']}")
    return "\n".join(lines)
