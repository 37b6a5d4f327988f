"""What monitoring asks other services, and what it remembers."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from direct311.audit.monitoring.domain.fetches import Fetch
from direct311.audit.monitoring.domain.numbers import Numbered
from direct311.audit.monitoring.domain.openings import Unexplained


@dataclass(frozen=True, slots=True)
class FetchPage:
    """Fetches, whether these are all, and the service's running producers."""

    fetches: tuple[Fetch, ...]
    complete: bool
    producers: tuple[str, ...]


class KeyFetches(Protocol):
    """One service's account of the keys it fetched."""

    @property
    def service(self) -> str: ...

    async def after(self, at: datetime) -> FetchPage: ...

    async def confirm(self, fetches: Sequence[Fetch]) -> None:
        """Note that their events are in the log, so nothing needs to report them again."""
        ...


class Watch(Protocol):
    """What reconciliation remembers between its rounds."""

    async def cursor(self, service: str) -> datetime | None: ...

    async def advance(self, service: str, at: datetime) -> None: ...

    async def keep(self, fetches: Sequence[Fetch]) -> None:
        """Fetches whose event is not in the log, or not yet."""
        ...

    async def kept(self, after: str, limit: int) -> Sequence[Fetch]:
        """The stored fetches after this `key`; after the empty key, the first ones."""
        ...

    async def overdue(self, before: datetime, limit: int) -> Sequence[Fetch]:
        """The stored fetches from before an instant, oldest first."""
        ...

    async def late(self, before: datetime) -> Mapping[str, int]:
        """How many stored fetches are from before an instant, by service."""
        ...

    async def drop(self, event_ids: Sequence[str]) -> None:
        """Forget all fetches under these events."""
        ...

    async def rewind(self) -> None:
        """Forget the cursors: every service is read again from as far back as it reports."""
        ...

    async def place(self, name: str) -> int:
        """How far an observer has read the log; 0 at first."""
        ...

    async def move_place(self, name: str, index: int) -> None: ...


class Openings(Protocol):
    """What emergency staff opened. What was explained once stays so."""

    async def keep(self, openings: Sequence[Unexplained]) -> None:
        """Note those of which nothing is known."""
        ...

    async def explain(self, case_ids: Sequence[str]) -> None:
        """These are explained; those that are no openings are passed over."""
        ...

    async def late(self, before: datetime) -> Sequence[Unexplained]:
        """Those from before an instant that nobody has explained, oldest first; at most 500."""
        ...


class Numbers(Protocol):
    """What is known about each producer's numbers."""

    async def of(self, producers: Iterable[str]) -> Mapping[str, Numbered]: ...

    async def save(self, states: Sequence[Numbered]) -> None: ...

    async def with_gaps(self) -> Sequence[Numbered]:
        """The producers with a missing number."""
        ...
