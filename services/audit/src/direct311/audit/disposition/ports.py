"""Holds on entries, the keys of months, and what is being destroyed."""

from collections.abc import Sequence
from typing import Protocol

from direct311.audit.disposition.domain.holds import LogHold
from direct311.audit.log.ports.keys import StoredKey


class MonthKeys(Protocol):
    """The keys of entries without a record."""

    async def months(self) -> Sequence[StoredKey]:
        """The existing keys, oldest first."""
        ...

    async def leave(self, name: str) -> None:
        """Note that a month's key is being destroyed."""
        ...

    async def stay(self, name: str) -> None:
        """Note that it is not being destroyed after all."""
        ...

    async def destroy(self, record_id: str) -> bool:
        """Destroy a key by its name; returns whether there was one."""
        ...


class LogHolds(Protocol):
    """Holds on entries of the log."""

    async def add(self, hold: LogHold) -> None: ...

    async def replace(self, hold: LogHold) -> None: ...

    async def get(self, hold_id: str) -> LogHold | None: ...

    async def all(self) -> Sequence[LogHold]:
        """Every hold, in the order in which they were placed."""
        ...

    async def standing(self) -> Sequence[LogHold]:
        """The holds that were not released."""
        ...


class BeingDestroyed(Protocol):
    """What is being destroyed at this moment."""

    async def records(self) -> Sequence[str]: ...

    async def months(self) -> Sequence[StoredKey]: ...
