"""What the way into force needs from outside."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from direct311.geo.boundaries.domain import BoundarySet
from direct311.geo.boundaries.ports import Boundaries
from direct311.geo.boundary_changes.domain import BoundaryVersion, Walk
from direct311.geo.places.domain import Resolution
from direct311.schemas.events import LocationResolved

Again = Callable[[LocationResolved, Boundaries], Resolution | None]
"""Where a stored place is by other boundaries; `None`: too little is stored."""

Relocate = Callable[[Mapping[str, str]], Awaitable[None]]
"""Resolve these requests anew (record id → cause)."""


class BoundaryVersions(Protocol):
    """The versions of layers on their way into force, and those that were."""

    async def get(self, set_id: str) -> BoundaryVersion | None: ...

    async def add(self, version: BoundaryVersion) -> bool:
        """Store a new one; returns whether there was none with its id."""
        ...

    async def replace(self, version: BoundaryVersion) -> bool:
        """Replace the one with the same id and revision; returns whether it still had that."""
        ...

    async def list(self) -> Sequence[BoundaryVersion]:
        """All of them."""
        ...


class Walks(Protocol):
    """How far the requests have been resolved anew."""

    async def get(self) -> Walk | None: ...

    async def put(self, walk: Walk) -> None: ...


class SetsInForce(Protocol):
    """The sets that answers come from."""

    def current(self) -> Boundaries: ...

    def loaded(self) -> Mapping[str, str]:
        """Layer → version, for the sets that `current` uses."""
        ...

    async def refresh(self) -> None:
        """Use the sets that are in force now."""
        ...

    async def swap(self, layer: str, before: str | None, after: str | None) -> bool:
        """Put another kept version of a layer in force, if `before` is. Returns whether it is."""
        ...

    async def candidate(self, one: BoundarySet, in_force: Mapping[str, str]) -> Boundaries:
        """What answers would be with this set in its layer."""
        ...


class ActLog(Protocol):
    """The signed log."""

    async def write(
        self, act: str, version: BoundaryVersion, people: Sequence[str], at: datetime
    ) -> None:
        """An entry about a set, before the act takes effect.

        :raises RefusedError: the log cannot be written; nothing may be done.
        """
        ...
