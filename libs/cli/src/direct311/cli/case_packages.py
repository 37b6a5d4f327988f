"""`direct311 case collect|package|packages|fetch|approve-package|release`: what a case releases."""

from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, TextColumn

from direct311.cli import approvals
from direct311.cli.screen import columns
from direct311.cli.stack import Session

Run = Callable[[Callable[[Session], Coroutine[Any, Any, None]]], None]
SERVICE = "retention"
PATH = "/v1/cases"
LONGEST = 600.0
"""In seconds. Collecting waits while the gateway is busy (decision 111), and a package may be
large."""

Case = Annotated[str, typer.Argument(metavar="CASE", help="the number of the case")]
Hash = Annotated[str, typer.Argument(metavar="SHA256", help="the hash of the package")]
As = Annotated[str, typer.Option("--as", help="who: the token's subject")]
Desk = Annotated[str, typer.Option(help="custodian or liaison")]
Reader = Annotated[str, typer.Option(help="custodian, liaison, or who approves")]
Approver = Annotated[str, typer.Option(help="records_officer, counsel or emergency")]
Releaser = Annotated[str, typer.Option(help="custodian, or records_officer for law enforcement")]


def register(
    app: typer.Typer,
    run: Run,
    console: Console,
    errors: Console,
    print_page: Callable[[str], object],
) -> None:
    """Add the commands to the group `app`. `print_page` shows an address that nobody opens here."""

    @app.command()
    def collect(
        case: Case,
        again: Annotated[
            bool, typer.Option("--again", help="also what was collected and has not gone out")
        ] = False,
        role: Desk = "custodian",
        name: As = "custodian-1",
    ) -> None:
        """Collect the records of a case as they may go out. Stop it at any time and go on later."""

        async def work(session: Session) -> None:
            after: str | None = None
            missing: list[tuple[str, str]] = []
            bar = Progress(
                TextColumn("collected"), BarColumn(), MofNCompleteColumn(), console=console
            )
            with bar as progress:
                task = progress.add_task("collected", total=None)
                while True:
                    body = {"again": again, **({"after": after} if after else {})}
                    found: Any = await session.post(
                        SERVICE, f"{PATH}/{case}/collection", body, role, name, seconds=LONGEST
                    )
                    total = found["collected"] + found["remaining"]
                    progress.update(task, completed=found["collected"], total=total)
                    missing += [(e["record_id"], e["reason"]) for e in found["not_collected"]]
                    after = found.get("next")
                    if after is None:
                        break
            console.print(
                f"{found['collected']} collected, {found['remaining']} remaining; the case is"
                f" {found['state']}.",
                highlight=False,
            )
            if missing:
                table = columns("record", "reason", whole=("record",))
                for each in missing:
                    table.add_row(*each)
                console.print(table)
                reasons = Counter(reason for _, reason in missing)
                told = ", ".join(f"{reasons[each]} {each}" for each in sorted(reasons))
                errors.print(f"Not collected: {told}.", style="red")
                raise typer.Exit(1)

        run(work)

    @app.command()
    def package(
        case: Case,
        partial: Annotated[
            bool, typer.Option("--partial", help="also if not everything is collected")
        ] = False,
        role: Desk = "custodian",
        name: As = "custodian-1",
    ) -> None:
        """Build the package of what was collected, and print its hash."""

        async def work(session: Session) -> None:
            version = (await _packages(session, case, role, name))["version"]
            body = {"version": version, "partial": partial}
            path = f"{PATH}/{case}/packages"
            made: Any = await session.post(SERVICE, path, body, role, name, seconds=LONGEST)
            console.print(made["packages"][-1]["sha256"], highlight=False)

        run(work)

    @app.command()
    def packages(case: Case, role: Reader = "custodian", name: As = "custodian-1") -> None:
        """The packages of a case, oldest first. Opens nothing."""

        async def work(session: Session) -> None:
            found = await _packages(session, case, role, name)
            for each in found["packages"]:
                # A hash is typed into the next command, and leaves a table no room for more.
                console.print(each["sha256"], highlight=False)
                missing = ", ".join(each["missing"])
                said = f"{each['state']}: {each['records']} records, {each['withheld']} withheld"
                told = f"  {said}; still to approve: {missing}" if missing else f"  {said}"
                console.print(told, highlight=False)

        run(work)

    @app.command()
    def fetch(
        case: Case,
        out: Annotated[Path, typer.Argument(help="the file to write")],
        package: Annotated[str | None, typer.Option(help="its hash; the newest")] = None,
        role: Reader = "custodian",
        name: As = "custodian-1",
    ) -> None:
        """Save a package. This is an access, and an entry of the log."""

        async def work(session: Session) -> None:
            wanted = package or await _newest(session, case, role, name)
            url = f"{session.stack.services[SERVICE]}{PATH}/{case}/packages/{wanted}"
            headers = await session.headers(SERVICE, role, name)
            # The file changes only once its bytes have this hash.
            part = out.with_name(f"{out.name}.part")
            try:
                size, found = await _saved(session, url, headers, part, errors)
                if found != wanted:
                    errors.print("The bytes do not have this hash.", style="red")
                    raise typer.Exit(1)
                part.replace(out)
            finally:
                part.unlink(missing_ok=True)
            console.print(f"{size:,} bytes, SHA-256 {wanted}", highlight=False)

        run(work)

    @app.command("approve-package")
    def approve_package(
        case: Case,
        file: Annotated[
            Path, typer.Argument(exists=True, dir_okay=False, help="the package that you have read")
        ],
        role: Approver = "records_officer",
        name: As = "officer-1",
        browser: Annotated[
            bool, typer.Option(help="open the page here; otherwise its address is printed")
        ] = True,
    ) -> None:
        """Approve exactly the bytes of this file: you sign in for their hash."""
        with file.open("rb") as opened:
            wanted = file_digest(opened, "sha256").hexdigest()

        async def work(session: Session) -> None:
            # As in `approvals`: no other command waits for it to load.
            from direct311.runtime.access.disclosures import nonce_of_package

            console.print(f"case {case}\npackage {wanted}", highlight=False)
            await approvals.approve(
                session,
                f"{PATH}/{case}/packages/{wanted}/approve",
                nonce_of_package(case, wanted),
                {},
                page=None if browser else print_page,
                console=console,
                errors=errors,
            )

        run(work)

    @app.command()
    def release(
        case: Case, package: Hash, role: Releaser = "custodian", name: As = "custodian-1"
    ) -> None:
        """Release an approved package: its recipient can fetch it from now on."""

        async def work(session: Session) -> None:
            path = f"{PATH}/{case}/packages/{package}/release"
            answer: Any = await session.post(SERVICE, path, {}, role, name)
            console.print(answer["state"])

        run(work)


async def _saved(
    session: Session, url: str, headers: Mapping[str, str], out: Path, errors: Console
) -> tuple[int, str]:
    """Save an answer piece by piece, however large it is; returns its size and its SHA-256."""
    digest, size = sha256(), 0
    bar = Progress(
        TextColumn("fetched"), BarColumn(), DownloadColumn(), console=errors, transient=True
    )
    async with session.http.get_for_pieces(url, headers, seconds=LONGEST) as answer:
        length = answer.headers.get("content-length", "")
        with bar as progress, out.open("wb") as file:
            task = progress.add_task("fetched", total=int(length) if length.isdecimal() else None)
            async for piece in answer.pieces:
                file.write(piece)
                digest.update(piece)
                size += len(piece)
                progress.update(task, completed=size)
    return size, digest.hexdigest()


async def _packages(session: Session, case: str, role: str, name: str) -> Any:
    return await session.get(SERVICE, f"{PATH}/{case}/packages", role, name)


async def _newest(session: Session, case: str, role: str, name: str) -> str:
    found = (await _packages(session, case, role, name))["packages"]
    if not found:
        raise typer.BadParameter("this case has no package", param_hint="CASE")
    return str(found[-1]["sha256"])
