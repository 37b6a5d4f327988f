"""Whether a call with a key is admitted: whose key it is, what it may do, and how often."""

from direct311.intake.clients.domain.clients import (
    Client,
    ClientKey,
    Scope,
    environment_of,
    hashed,
    served_by,
)
from direct311.intake.clients.handlers.quotas import Quotas
from direct311.intake.clients.ports import KnownClients
from direct311.runtime.clock import Clock
from direct311.runtime.errors import RefusedError

LONGEST_KEY = 200
KEY_REFUSALS = frozenset({"api_key", "origin"})
"""The codes that say that a key is not good for a call."""


class Admission:
    """`environment`: what the gateway runs as. `own_origin`: the origin of its own pages."""

    def __init__(
        self,
        clients: KnownClients,
        quotas: Quotas,
        clock: Clock,
        *,
        environment: str,
        own_origin: str,
    ) -> None:
        self._clients = clients
        self._quotas = quotas
        self._clock = clock
        self._serves = served_by(environment)
        self._own_origin = own_origin

    async def __call__(
        self, key: str, scope: Scope, *, origin: str | None = None, jurisdiction: str = "miamidade"
    ) -> Client:
        """The client with this key; counts its call. `origin`: the origin of the web page that sent
        it.

        :raises RefusedError: there is no key, it is not good here or not for this, or its quota is
            used up.
        """
        client = self._client(key, scope, origin, jurisdiction)
        wait = await self._quotas.take(client.client_id, client.quota)
        if wait is not None:
            raise RefusedError(
                "quota",
                "The quota of this api_key is used up; see Retry-After.",
                field="api_key",
                retry_after=wait,
            )
        return client

    def check(
        self, key: str, scope: Scope, *, origin: str | None = None, jurisdiction: str = "miamidade"
    ) -> None:
        """Whether a call with this key may be admitted; does not count it yet.

        :raises RefusedError: one of `KEY_REFUSALS`.
        """
        self._client(key, scope, origin, jurisdiction)

    def reader(self, key: str) -> Client | None:
        """The client that reads with this key. Reads need no key, so an invalid key counts as no
        key."""
        try:
            return self._client(key, "read", None, None)
        except RefusedError:
            return None

    def _client(
        self, key: str, scope: Scope, origin: str | None, jurisdiction: str | None
    ) -> Client:
        if not key or len(key) > LONGEST_KEY:
            raise _refused("api_key is missing or not known")
        of = environment_of(key)
        if of is not None and of != self._serves:
            raise _refused(f"api_key is one for {of}; this gateway takes those for {self._serves}")
        key_hash = hashed(key)
        client = self._clients.by_key(key_hash)
        if client is None or client.environment != self._serves:
            raise _refused("api_key is missing or not known")
        found = next(each for each in client.keys if each.sha256 == key_hash)
        self._check(client, found)
        if scope not in client.scopes:
            raise _refused(f"api_key must have the scope {scope}")
        if jurisdiction is not None and jurisdiction not in client.jurisdictions:
            raise _refused("api_key must be one for this jurisdiction_id")
        if origin is not None and origin not in (self._own_origin, *client.origins):
            raise RefusedError(
                "origin",
                "Origin must be one of those that this api_key may be used from",
                field="origin",
            )
        self._clients.note_use(found.key_id)
        return client

    def _check(self, client: Client, key: ClientKey) -> None:
        if client.revoked_at is not None or key.revoked_at is not None:
            raise _refused("api_key was revoked")
        if not key.good(self._clock.now()):
            raise _refused("api_key has expired")


def _refused(detail: str) -> RefusedError:
    return RefusedError("api_key", detail, field="api_key")
