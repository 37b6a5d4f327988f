"""What API clients and their quotas need of the world."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import NamedTuple, Protocol

from direct311.intake.clients.domain.clients import Client


class KnownClients(Protocol):
    """The API clients as this process knows them. Asked with every call: it must cost nothing."""

    def by_key(self, key_hash: str) -> Client | None:
        """The client one of whose keys, good or not, has this hash."""
        ...

    def has_origin(self, origin: str) -> bool:
        """Whether a client that is in force may be used from this web origin."""
        ...

    def note_use(self, key_id: str) -> None:
        """The key was used now; this is written down some seconds later."""
        ...


class ClientRegistry(Protocol):
    """The API clients as they are stored."""

    async def all(self) -> Sequence[Client]: ...

    async def one(self, client_id: str) -> Client | None: ...

    async def add(self, client: Client) -> bool:
        """Store a new client; whether there was none with this id, in force or not."""
        ...

    async def replace(self, client: Client) -> bool:
        """Store the next version of a client; whether nobody else has changed it meanwhile."""
        ...

    async def used(self) -> Mapping[str, datetime]:
        """When each key was last used, by its id, some seconds late."""
        ...


class QuotaStore(Protocol):
    """What of each quota has been given away, to all copies of the process together."""

    async def take(self, window: str, wanted: int, limit: int, until: datetime) -> tuple[int, int]:
        """Give away up to `wanted` of what is left of `limit` in this window: how many these are,
        and how many are then left. The window is forgotten some time after `until`.

        :raises DatabaseError, TransientError: it does not answer; nothing may be spent.
        """
        ...

    async def give_back(self, window: str, count: int) -> None:
        """Take back what was given away and not spent."""
        ...


class SharedCounts(Protocol):
    """Counts that all copies of the process add to."""

    async def add(self, counts: Mapping[str, int], until: datetime) -> Mapping[str, int]:
        """Add to each of these; what each is then. They are forgotten some time after `until`.

        :raises DatabaseError, TransientError: not now; whether it was added is not known.
        """
        ...


class AppCount(NamedTuple):
    """How many submissions of a client said this of themselves on a day (UTC)."""

    day: date
    client_id: str
    field: str
    value: str
    submissions: int


class AppCounts(Protocol):
    """What front ends tell of devices, as counts of a day."""

    def add(self, client_id: str, facts: Mapping[str, str]) -> None:
        """Count what one submission said."""
        ...

    async def between(self, start: date, end: date) -> Sequence[AppCount]:
        """The counts of these days, both included."""
        ...
