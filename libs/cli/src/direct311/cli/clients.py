"""`direct311 client`: front ends that may submit, their keys and quotas."""

from collections.abc import Callable, Coroutine, Mapping
from enum import StrEnum
from typing import Annotated, Any

import typer

from direct311.cli.screen import Screen, columns
from direct311.cli.stack import Session

Run = Callable[[Callable[[Session], Coroutine[Any, Any, None]]], None]


class Environment(StrEnum):
    """The organization whose gateway accepts the client's keys."""

    TEST = "test"
    PRODUCTION = "production"


class Scope(StrEnum):
    """What a client may do."""

    SUBMIT = "submit"
    UPDATE = "update"
    READ = "read"


Id = Annotated[str, typer.Argument(help="the client's id, such as seeclickfix")]
Reference = Annotated[str, typer.Option(help="the ticket or work order; it goes into the log")]
As = Annotated[str, typer.Option("--as", help="who: an administrator")]
Minute = Annotated[int | None, typer.Option(help="write calls per minute; 0: no limit")]
Day = Annotated[int | None, typer.Option(help="write calls per day (UTC); 0: no limit")]
Reads = Annotated[int | None, typer.Option(help="read calls per minute")]
Scopes = Annotated[
    list[Scope] | None, typer.Option("--scope", help="what it may do; may be repeated")
]
Origins = Annotated[
    list[str] | None,
    typer.Option(
        "--origin",
        help="a web origin such as https://page.example that may use the key; may be repeated",
    ),
]
Repeats = Annotated[
    bool | None,
    typer.Option(
        "--retries-without-key/--retries-with-key",
        help="it retries submissions without an idempotency key (as FixMyStreet does)",
    ),
]
Jurisdictions = Annotated[list[str] | None, typer.Option("--jurisdiction", help="repeat")]
Channel = Annotated[str | None, typer.Option(help="shown with each request: app, web, phone …")]
Expires = Annotated[str | None, typer.Option(help="when the key ends, 2027-12-31T00:00:00Z")]


def register(app: typer.Typer, run: Run, print_json: Callable[[object], None]) -> None:
    """Add the commands to the group."""
    console = Screen(soft_wrap=True)

    def show(answer: Any) -> None:
        key = answer["key"]
        print_json(answer["client"])
        console.print(f"The key, shown only once: {key}", highlight=False)

    @app.command()
    def add(
        client_id: Id,
        name: Annotated[str, typer.Option(help="whose it is, in words")],
        environment: Annotated[Environment, typer.Option(help="which gateway takes its keys")],
        reference: Reference,
        scope: Scopes = None,
        origin: Origins = None,
        jurisdiction: Jurisdictions = None,
        retries_without_key: Repeats = None,
        channel: Channel = None,
        minute: Minute = None,
        day: Day = None,
        reads: Reads = None,
        expires: Expires = None,
        who: As = "admin-1",
    ) -> None:
        """A new client. Prints its key, which nobody can see again."""
        about = _about(scope, origin, jurisdiction, retries_without_key, channel)
        quota = _quota(minute, day, reads, {})
        body = {
            "reference": reference,
            "client_id": client_id,
            "name": name,
            "environment": environment.value,
            **about,
            **({"quota": quota} if quota else {}),
            **({"expires_at": expires} if expires else {}),
        }

        async def work(session: Session) -> None:
            show(await session.post("intake", "/v1/clients", body, "admin", who))

        run(work)

    @app.command("list")
    def list_clients(who: As = "admin-1") -> None:
        """All clients with their keys' beginnings, and when each was last used."""

        async def work(session: Session) -> None:
            found: Any = await session.get("intake", "/v1/clients", "admin", who)
            table = columns(
                "client",
                "for",
                "scopes",
                "a minute",
                "a day",
                "keys",
                "last used",
                whole=("client",),
            )
            for client in found:
                table.add_row(*_row(client))
            console.print(table)

        run(work)

    @app.command("show")
    def show_client(client_id: Id, who: As = "admin-1") -> None:
        """One client."""

        async def work(session: Session) -> None:
            print_json(await session.get("intake", f"/v1/clients/{client_id}", "admin", who))

        run(work)

    @app.command()
    def change(
        client_id: Id,
        reference: Reference,
        name: Annotated[str | None, typer.Option(help="whose it is, in words")] = None,
        scope: Scopes = None,
        origin: Origins = None,
        jurisdiction: Jurisdictions = None,
        retries_without_key: Repeats = None,
        channel: Channel = None,
        minute: Minute = None,
        day: Day = None,
        reads: Reads = None,
        who: As = "admin-1",
    ) -> None:
        """What a client may do, and how often. What is not said stays."""
        about = _about(scope, origin, jurisdiction, retries_without_key, channel)

        async def work(session: Session) -> None:
            path = f"/v1/clients/{client_id}"
            before: Any = await session.get("intake", path, "admin", who)
            quota = _quota(minute, day, reads, before["quota"])
            body = {"reference": reference, **about, **({"quota": quota} if quota else {})}
            body |= {"name": name} if name else {}
            print_json(await session.post("intake", f"{path}/change", body, "admin", who))

        run(work)

    @app.command()
    def rotate(
        client_id: Id,
        reference: Reference,
        overlap_hours: Annotated[
            float, typer.Option(help="for how long the old keys stay good")
        ] = 24.0,
        expires: Expires = None,
        who: As = "admin-1",
    ) -> None:
        """A new key beside the old ones, which end after the overlap. Prints the new one."""
        body: dict[str, object] = {"reference": reference, "overlap_hours": overlap_hours}
        body |= {"expires_at": expires} if expires else {}

        async def work(session: Session) -> None:
            path = f"/v1/clients/{client_id}/keys"
            show(await session.post("intake", path, body, "admin", who))

        run(work)

    @app.command("revoke-key")
    def revoke_key(client_id: Id, key_id: str, reference: Reference, who: As = "admin-1") -> None:
        """Refuse one key from now on. `show` lists the ids."""

        async def work(session: Session) -> None:
            path = f"/v1/clients/{client_id}/keys/{key_id}/revoke"
            print_json(await session.post("intake", path, {"reference": reference}, "admin", who))

        run(work)

    @app.command()
    def revoke(client_id: Id, reference: Reference, who: As = "admin-1") -> None:
        """Refuse a client and all its keys from now on, for good. Its requests stay."""

        async def work(session: Session) -> None:
            path = f"/v1/clients/{client_id}/revoke"
            print_json(await session.post("intake", path, {"reference": reference}, "admin", who))

        run(work)


def _about(
    scope: list[Scope] | None,
    origin: list[str] | None,
    jurisdiction: list[str] | None,
    retries_without_key: bool | None,
    channel: str | None,
) -> dict[str, object]:
    about: dict[str, object] = {}
    if scope:
        about["scopes"] = [each.value for each in scope]
    if origin is not None:
        about["origins"] = origin
    if jurisdiction:
        about["jurisdictions"] = jurisdiction
    if retries_without_key is not None:
        about["flags"] = ["retries_without_key"] if retries_without_key else []
    if channel:
        about["channel"] = channel
    return about


def _quota(
    minute: int | None, day: int | None, reads: int | None, before: Mapping[str, int | None]
) -> dict[str, int | None]:
    """The complete quota, if a part of it was given; 0 means no limit."""
    if minute is None and day is None and reads is None:
        return {}
    quota = dict(before)
    quota |= {} if minute is None else {"minute": minute or None}
    quota |= {} if day is None else {"day": day or None}
    quota |= {} if reads is None else {"reads": reads}
    return quota


def _row(client: Mapping[str, Any]) -> list[str]:
    quota = client["quota"]
    keys = [_key(key) for key in client["keys"]]
    used = [key["last_used_at"] or "" for key in client["keys"]]
    state = f"{client['environment']}, revoked" if client["revoked_at"] else client["environment"]
    return [
        client["client_id"],
        state,
        " ".join(client["scopes"]),
        str(quota["minute"] or "no limit"),
        str(quota["day"] or "no limit"),
        "\n".join(keys),
        max(used, default="")[:19] or "never",
    ]


def _key(key: Mapping[str, Any]) -> str:
    if key["revoked_at"]:
        return f"{key['prefix']}… revoked"
    return f"{key['prefix']}…" + (f" until {key['expires_at'][:16]}" if key["expires_at"] else "")
