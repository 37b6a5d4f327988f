"""`direct311 boundary`: sets on their way into force, and what they would change."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Annotated, Any, cast
from urllib.parse import urlencode

import typer

from direct311.cli.screen import Screen, columns
from direct311.cli.stack import Session

Run = Callable[[Callable[[Session], Coroutine[Any, Any, None]]], None]
PATIENCE_SECONDS = 120.0
"""A set that comes into force is indexed first, and a large file is read for a while."""
MEDIA_TYPES = {".zip": "application/zip", ".gpkg": "application/geopackage+sqlite3"}

Id = Annotated[str, typer.Argument(help="the set's id, as `direct311 boundary list` shows it")]
Hash = Annotated[str, typer.Argument(help="`hash` of the set, as it was shown to you")]
Reason = Annotated[str, typer.Option(help="why, in words; it stays in the set's history")]
Since = Annotated[
    str | None, typer.Option(help="when it comes into force, 2027-01-01T05:00:00Z; else at once")
]
As = Annotated[str, typer.Option("--as", help="who: an administrator or records officer")]
Role = Annotated[str, typer.Option(help="admin or records_officer")]


def register(app: typer.Typer, run: Run, print_json: Callable[[object], None]) -> None:
    """Add the commands to the group."""
    console = Screen(soft_wrap=True)

    @app.command("list")
    def listing(name: As = "adam", role: Role = "admin") -> None:
        """All sets with their state, by layer, newest first."""

        async def work(session: Session) -> None:
            answer = cast("Mapping[str, Any]", await session.get("geo", "/boundaries", role, name))
            table = columns("layer", "version", "state", "id", whole=("id",))
            for each in answer["sets"]:
                table.add_row(each["name"], each["version"], each["state"], each["set_id"])
            console.print(table)

        run(work)

    @app.command()
    def fetch(
        url: Annotated[str, typer.Argument(help="of one ArcGIS REST layer, …/FeatureServer/0")],
        file: Annotated[Path, typer.Argument(help="where to write it, as GeoJSON")],
    ) -> None:
        """Save a layer of an ArcGIS server as a file to propose. Again: only what has changed."""
        from direct311.cli.arcgis import ArcGisError, ArcGisLayer
        from direct311.runtime.peers import HttpClient

        async def work() -> tuple[int, bool]:
            http = HttpClient(timeout=60)
            try:
                return await ArcGisLayer(url, http).fetch(file)
            finally:
                await http.close()

        try:
            count, changed = asyncio.run(work())
        except ArcGisError as error:
            console.print(str(error), style="red")
            raise typer.Exit(1) from None
        console.print(f"{count} features" if changed else f"{count} features, unchanged")

    @app.command()
    def show(set_id: Id, name: As = "adam", role: Role = "admin") -> None:
        """A set: what the checks found, what it would change, its hash and its history."""

        async def work(session: Session) -> None:
            print_json(await compared(session, set_id, role, name))

        run(work)

    @app.command()
    def differences(
        set_id: Id,
        after: Annotated[str, typer.Option(help="`next` of the page before")] = "",
        name: As = "adam",
        role: Role = "admin",
    ) -> None:
        """Which stored requests the set puts into another area."""

        async def work(session: Session) -> None:
            path = f"/boundaries/{set_id}/differences"
            print_json(await session.get_query("geo", path, {"after": after}, role, name))

        run(work)

    @app.command()
    def approve(
        set_id: Id,
        shown: Hash,
        since: Since = None,
        name: As = "olga",
        role: Role = "records_officer",
    ) -> None:
        """Approve exactly what was shown, as another person than the one who proposed it."""

        async def work(session: Session) -> None:
            print_json(await approve_shown(session, set_id, shown, since, role, name))

        run(work)

    @app.command()
    def reject(
        set_id: Id, reason: Reason, name: As = "olga", role: Role = "records_officer"
    ) -> None:
        """A set that is not in force yet does not come into force."""

        async def work(session: Session) -> None:
            path = f"/boundaries/{set_id}/rejection"
            print_json(await session.post("geo", path, {"reason": reason}, role, name))

        run(work)

    @app.command()
    def rollback(
        set_id: Id, reason: Reason, name: As = "olga", role: Role = "records_officer"
    ) -> None:
        """Take a set out of force; the one before is in force again, at once."""

        async def work(session: Session) -> None:
            path, body = f"/boundaries/{set_id}/rollback", {"reason": reason}
            answer = await session.post("geo", path, body, role, name, seconds=PATIENCE_SECONDS)
            print_json(answer)

        run(work)


async def propose(
    session: Session, file: Path, query: Mapping[str, object], name: str
) -> Mapping[str, Any]:
    """Propose a file. `query`: name, source, version, approximate, projection, table.

    :raises HttpError: geo refuses it, and says why. :raises OSError: the file cannot be read.
    """
    body, media_type = _content(file)
    given = {key: value for key, value in query.items() if value is not None}
    path = f"/boundaries?{urlencode(given)}"
    answer = await session.post_file(
        "geo", path, body, media_type, "admin", name, seconds=PATIENCE_SECONDS
    )
    return cast("Mapping[str, Any]", answer)


async def compared(session: Session, set_id: str, role: str, name: str) -> Mapping[str, Any]:
    """The set, once geo has counted what it would change.

    :raises TimeoutError: geo has not finished after two minutes.
    """
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            path = f"/boundaries/{set_id}"
            found = cast("Mapping[str, Any]", await session.get("geo", path, role, name))
            if found["state"] != "proposed" or "hash" in found:
                return found
            await asyncio.sleep(0.5)


async def approve_shown(
    session: Session, set_id: str, shown: str, since: str | None, role: str, name: str
) -> Mapping[str, Any]:
    """Approve a set by its hash. :raises HttpError: geo refuses."""
    body: dict[str, str] = {"hash": shown} | ({"in_force_from": since} if since else {})
    path = f"/boundaries/{set_id}/approval"
    answer = await session.post("geo", path, body, role, name, seconds=PATIENCE_SECONDS)
    return cast("Mapping[str, Any]", answer)


def _content(file: Path) -> tuple[bytes, str]:
    return file.read_bytes(), MEDIA_TYPES.get(file.suffix.lower(), "application/geo+json")
