"""`/v1/clients`: API clients, for administrators."""

from datetime import datetime, timedelta
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Path
from pydantic import AfterValidator, Field, StringConstraints

from direct311.intake.api_types import CallerOf
from direct311.intake.clients.domain.clients import Client, Environment, Flag, Quota, Scope
from direct311.intake.clients.handlers.clients import ManageClients
from direct311.runtime.access import reasons
from direct311.runtime.access.rules import Caller
from direct311.runtime.http.api import NUMBER, PROBLEMS, require
from direct311.runtime.parameters import GivenInstant
from direct311.runtime.text import Title
from direct311.schemas import Model, RecordId

T = TypeVar("T")


def _once(values: tuple[T, ...]) -> tuple[T, ...]:
    """Duplicates count once."""
    return tuple(dict.fromkeys(values))


ClientId = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]
Name = Annotated[str, StringConstraints(max_length=100, pattern=r"^[^\x00-\x1f\x7f]*$"), Title]
Channel = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,29}$")]
Reference = Annotated[reasons.Reference, StringConstraints(max_length=150)]
Origin = Annotated[str, Field(pattern=r"^https?://[a-z0-9.-]{1,200}(:[0-9]{1,5})?$")]
Scopes = Annotated[tuple[Scope, ...], Field(min_length=1, max_length=3), AfterValidator(_once)]
Flags = Annotated[tuple[Flag, ...], Field(max_length=5), AfterValidator(_once)]
Origins = Annotated[tuple[Origin, ...], Field(max_length=20), AfterValidator(_once)]
Jurisdictions = Annotated[
    tuple[Annotated[str, Field(pattern=r"^[a-z0-9.-]{1,60}$")], ...],
    Field(min_length=1, max_length=20),
    AfterValidator(_once),
]
LONGEST_OVERLAP = timedelta(days=90)


class QuotaOrder(Model, extra="forbid"):
    """Write calls per minute and per UTC day (null: no limit); read calls per minute."""

    minute: Annotated[int, Field(ge=1, le=1_000_000), NUMBER] | None = 600
    day: Annotated[int, Field(ge=1, le=1_000_000_000), NUMBER] | None = 100_000
    reads: Annotated[int, Field(ge=1, le=1_000_000), NUMBER] = 6_000


class ClientOrder(Model, extra="forbid"):
    """A new client. `reference`: the number of the work order behind it."""

    reference: Reference
    client_id: ClientId
    name: Name
    environment: Environment
    scopes: Scopes = ("submit", "update", "read")
    flags: Flags = ()
    jurisdictions: Jurisdictions = ("miamidade",)
    channel: Channel = "app"
    origins: Origins = ()
    quota: QuotaOrder = QuotaOrder()
    expires_at: GivenInstant | None = None


class ChangeOrder(Model, extra="forbid"):
    """The values to change; values not sent stay."""

    reference: Reference
    name: Name | None = None
    scopes: Scopes | None = None
    flags: Flags | None = None
    jurisdictions: Jurisdictions | None = None
    channel: Channel | None = None
    origins: Origins | None = None
    quota: QuotaOrder | None = None


class RotationOrder(Model, extra="forbid"):
    """A new key. The others stay valid for `overlap_hours`."""

    reference: Reference
    overlap_hours: Annotated[
        float,
        Field(strict=True, ge=0, le=LONGEST_OVERLAP.total_seconds() / 3600, allow_inf_nan=False),
    ] = 24.0
    expires_at: GivenInstant | None = None


class ReferenceOrder(Model, extra="forbid"):
    reference: Reference


class KeyAnswer(Model):
    """What is known about a key. `last_used_at` is some seconds late."""

    key_id: str
    prefix: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


class ClientAnswer(Model):
    client_id: str
    name: str
    environment: Environment
    scopes: tuple[Scope, ...]
    flags: tuple[Flag, ...]
    jurisdictions: tuple[str, ...]
    channel: str
    origins: tuple[str, ...]
    quota: Quota
    keys: tuple[KeyAnswer, ...]
    created_at: datetime
    revoked_at: datetime | None


class NewKeyAnswer(Model):
    """`key` is shown only once and stored nowhere."""

    key: str
    client: ClientAnswer


def clients_router(manage: ManageClients, caller_of: CallerOf) -> APIRouter:
    api = APIRouter(prefix="/v1/clients", responses=PROBLEMS)
    who = Depends(caller_of)
    Id = Annotated[ClientId, Path()]  # noqa: N806 - a type

    async def shown(client: Client) -> ClientAnswer:
        used = await manage.used()
        return _answer(client, used)

    @api.post("", status_code=201)
    async def add(caller: Annotated[Caller, who], order: ClientOrder) -> NewKeyAnswer:
        """Create a client and its first key, which nobody can see again."""
        require(caller, "admin")
        about = order.model_dump(exclude={"reference", "client_id", "environment", "expires_at"})
        client, key = await manage.add(
            caller, order.reference, order.client_id, order.environment, about, order.expires_at
        )
        return NewKeyAnswer(key=key, client=await shown(client))

    @api.get("")
    async def clients(caller: Annotated[Caller, who]) -> list[ClientAnswer]:
        """All clients, including revoked ones."""
        require(caller, "admin")
        used = await manage.used()
        return [_answer(each, used) for each in await manage.all()]

    @api.get("/{client_id}")
    async def one(caller: Annotated[Caller, who], client_id: Id) -> ClientAnswer:
        """One client."""
        require(caller, "admin")
        return await shown(await manage.one(client_id))

    @api.post("/{client_id}/change")
    async def change(
        caller: Annotated[Caller, who], client_id: Id, order: ChangeOrder
    ) -> ClientAnswer:
        """Change a client's name, what it may do, and how often."""
        require(caller, "admin")
        about: dict[str, Any] = order.model_dump(exclude={"reference"}, exclude_none=True)
        if order.quota is not None:
            # Here null has a meaning: no limit.
            about["quota"] = order.quota.model_dump()
        return await shown(await manage.change(caller, order.reference, client_id, about))

    @api.post("/{client_id}/keys", status_code=201)
    async def rotate(
        caller: Annotated[Caller, who], client_id: Id, order: RotationOrder
    ) -> NewKeyAnswer:
        """Give a client another key; the old ones stay valid for a while."""
        require(caller, "admin")
        overlap = timedelta(hours=order.overlap_hours)
        client, key = await manage.rotate(
            caller, order.reference, client_id, overlap, order.expires_at
        )
        return NewKeyAnswer(key=key, client=await shown(client))

    @api.post("/{client_id}/keys/{key_id}/revoke")
    async def revoke_key(
        caller: Annotated[Caller, who], client_id: Id, key_id: RecordId, order: ReferenceOrder
    ) -> ClientAnswer:
        """Refuse one key from now on: within seconds at every copy of the gateway."""
        require(caller, "admin")
        return await shown(await manage.revoke_key(caller, order.reference, client_id, key_id))

    @api.post("/{client_id}/revoke")
    async def revoke(
        caller: Annotated[Caller, who], client_id: Id, order: ReferenceOrder
    ) -> ClientAnswer:
        """Refuse a client and all its keys from now on, for good."""
        require(caller, "admin")
        return await shown(await manage.revoke(caller, order.reference, client_id))

    return api


def _answer(client: Client, used: Any) -> ClientAnswer:
    keys = tuple(
        KeyAnswer.model_validate(
            {**key.model_dump(exclude={"sha256"}), "last_used_at": used.get(key.key_id)}
        )
        for key in client.keys
    )
    return ClientAnswer.model_validate({**client.model_dump(exclude={"keys"}), "keys": keys})
