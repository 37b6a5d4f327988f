"""What API clients and their quotas need from outside."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import NamedTuple, Protocol

from direct311.intake.clients.domain.clients import Client


class KnownClients(Protocol):
    """The API clients as this process knows them. Used for every call, so it must be fast."""

    def by_key(self, key_hash: str) -> Client | None:
        """The client with a key, valid or not, that has this hash."""
        ...

    def has_origin(self, origin: str) -> bool:
        """Whether an active client may be used from this web origin."""
        ...

    def note_use(self, key_id: str) -> None:
        """Note that the key was used now; this is written some seconds later."""
        ...


class ClientRegistry(Protocol):
    """The stored API clients."""

    async def all(self) -> Sequence[Client]: ...

    async def one(self, client_id: str) -> Client | None: ...

    async def add(self, client: Client) -> bool:
        """Store a new client; returns false if a client with this id already exists, active or
        not."""
        ...

    async def replace(self, client: Client) -> bool:
        """Store the next version of a client; returns false if somebody else has changed it
        meanwhile."""
        ...

    async def used(self) -> Mapping[str, datetime]:
        """When each key was last used, by its id, some seconds late."""
        ...


class QuotaStore(Protocol):
    """How much of each quota has been given to all copies of the process together."""

    async def take(self, window: str, wanted: int, limit: int, until: datetime) -> tuple[int, int]:
        """Give out up to `wanted` of the rest of `limit` in this window; returns how many these
        are, and how many are then left. The window is forgotten some time after `until`.

        :raises DatabaseError, TransientError: it does not answer; nothing may be spent.
        """
        ...

    async def give_back(self, window: str, count: int) -> None:
        """Take back what was given out and not spent."""
        ...


class SharedCounts(Protocol):
    """Counts that all copies of the process add to."""

    async def add(self, counts: Mapping[str, int], until: datetime) -> Mapping[str, int]:
        """Add to each of these; returns the new values. They are forgotten some time after `until`.

        :raises DatabaseError, TransientError: it failed; whether it was added is unknown.
        """
        ...


class AppCount(NamedTuple):
    """How many of a client's submissions reported this on a day (UTC)."""

    day: date
    client_id: str
    field: str
    value: str
    submissions: int


class AppCounts(Protocol):
    """What front ends report about devices, as counts per day."""

    def add(self, client_id: str, facts: Mapping[str, str]) -> None:
        """Count what one submission reported."""
        ...

    async def between(self, start: date, end: date) -> Sequence[AppCount]:
        """The counts of these days, both included."""
        ...
