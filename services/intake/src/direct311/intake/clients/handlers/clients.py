"""What administrators do with API clients. The audit log records each change first."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from direct311.intake.clients.domain.clients import (
    MOST_KEYS,
    Client,
    ClientKey,
    Environment,
    new_key,
    rotated,
)
from direct311.intake.clients.ports import ClientRegistry
from direct311.runtime.access.ledger import Access
from direct311.runtime.access.rules import Caller, RecordFacts
from direct311.runtime.clock import Clock, Ids
from direct311.runtime.errors import RefusedError
from direct311.runtime.vault.vault import Vault


class ManageClients:
    """`reference`: the number of the work order for a change. No key is stored or shown again."""

    def __init__(self, registry: ClientRegistry, vault: Vault, clock: Clock, ids: Ids) -> None:
        self._registry = registry
        self._vault = vault
        self._clock = clock
        self._ids = ids

    async def all(self) -> Sequence[Client]:
        return await self._registry.all()

    async def one(self, client_id: str) -> Client:
        """:raises RefusedError: there is no such client."""
        client = await self._registry.one(client_id)
        if client is None:
            raise RefusedError("not_found", "There is no such client.")
        return client

    async def used(self) -> Mapping[str, datetime]:
        """When each key was last used, by its id."""
        return await self._registry.used()

    async def add(
        self,
        caller: Caller,
        reference: str,
        client_id: str,
        environment: Environment,
        about: Mapping[str, Any],
        expires_at: datetime | None,
    ) -> tuple[Client, str]:
        """A new client, and its key.

        :raises RefusedError: the id is, or was, somebody's.
        """
        if await self._registry.one(client_id) is not None:
            raise _taken()
        now = self._clock.now()
        self._check_expiry(expires_at, now)
        key, kept = new_key(environment, self._ids.new(), now, expires_at)
        client = Client.model_validate(
            {
                **about,
                "client_id": client_id,
                "environment": environment,
                "keys": (kept,),
                "created_at": now,
            }
        )
        await self._note(caller, "POST /v1/clients", f"{client_id}: {reference}")
        if not await self._registry.add(client):
            raise _taken()
        return client, key

    async def change(
        self, caller: Caller, reference: str, client_id: str, about: Mapping[str, Any]
    ) -> Client:
        """Change the description, rights or quota.

        :raises RefusedError: there is no such client, it was revoked, or somebody else changed it.
        """
        before = await self._in_force(client_id)
        return await self._store(
            caller, "POST /v1/clients/{client_id}/change", reference, before, **about
        )

    async def rotate(
        self,
        caller: Caller,
        reference: str,
        client_id: str,
        overlap: timedelta,
        expires_at: datetime | None,
    ) -> tuple[Client, str]:
        """A new key; the others stay valid for `overlap`, and no longer.

        :raises RefusedError: as `change`; and too many keys.
        """
        before = await self._in_force(client_id)
        now = self._clock.now()
        self._check_expiry(expires_at, now)
        # An expired key stays listed for a month.
        keys = [each for each in before.keys if _over_at(each) > now - timedelta(days=30)]
        if sum(each.good(now) for each in keys) >= MOST_KEYS:
            raise RefusedError(
                "too_many_keys", f"A client may have {MOST_KEYS} keys. Revoke an old one first."
            )
        key, kept = new_key(before.environment, self._ids.new(), now, expires_at)
        after = await self._store(
            caller,
            "POST /v1/clients/{client_id}/keys",
            reference,
            before,
            keys=rotated(keys, kept, now + overlap),
        )
        return after, key

    async def revoke_key(
        self, caller: Caller, reference: str, client_id: str, key_id: str
    ) -> Client:
        """One key ends now.

        :raises RefusedError: as `change`; and no such key.
        """
        before = await self._in_force(client_id)
        if all(each.key_id != key_id for each in before.keys):
            raise RefusedError("not_found", "The client has no such key.")
        now = self._clock.now()
        keys = tuple(each.revoked(now) if each.key_id == key_id else each for each in before.keys)
        return await self._store(
            caller,
            "POST /v1/clients/{client_id}/keys/{key_id}/revoke",
            reference,
            before,
            keys=keys,
        )

    async def revoke(self, caller: Caller, reference: str, client_id: str) -> Client:
        """The client and all its keys end now, for good; its requests stay.

        :raises RefusedError: as `change`.
        """
        before = await self._in_force(client_id)
        return await self._store(
            caller,
            "POST /v1/clients/{client_id}/revoke",
            reference,
            before,
            revoked_at=self._clock.now(),
        )

    async def _in_force(self, client_id: str) -> Client:
        client = await self.one(client_id)
        if client.revoked_at is not None:
            raise RefusedError("revoked", "The client was revoked.")
        return client

    async def _store(
        self, caller: Caller, operation: str, reference: str, before: Client, **about: Any
    ) -> Client:
        after = Client.model_validate(
            {**before.model_dump(), **about, "version": before.version + 1}
        )
        await self._note(caller, operation, f"{before.client_id}: {reference}")
        if not await self._registry.replace(after):
            raise RefusedError(
                "changed",
                "Somebody else has changed the client in the meantime. Read it again and retry.",
            )
        return after

    async def _note(self, caller: Caller, operation: str, reference: str) -> None:
        access = Access(
            caller,
            action="policy_change",
            purpose="county_business",
            operation=operation,
            reference=reference,
        )
        await self._vault.authorise(access, RecordFacts())

    def _check_expiry(self, expires_at: datetime | None, now: datetime) -> None:
        if expires_at is not None and expires_at <= now:
            raise RefusedError("malformed", "expires_at must be in the future.", field="expires_at")


def _over_at(key: ClientKey) -> datetime:
    ends = [at for at in (key.expires_at, key.revoked_at) if at is not None]
    return min(ends, default=datetime.max.replace(tzinfo=key.created_at.tzinfo))


def _taken() -> RefusedError:
    return RefusedError("exists", "There is, or was, a client with this id.", field="client_id")
