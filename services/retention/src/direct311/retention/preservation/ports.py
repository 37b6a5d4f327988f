"""What preservation needs from outside."""

from collections.abc import Collection, Mapping, Sequence, Set
from typing import Protocol

from direct311.retention.cases.domain import CaseFile, CaseKind
from direct311.retention.holds.domain import Hold, HoldQuery, ProvisionalHold
from direct311.runtime.access.rules import Caller


class PreservingCases(Protocol):
    """Queries over case files. Writes go through the event processor."""

    async def standing(self) -> Mapping[str, ProvisionalHold]:
        """The provisional holds that stop destruction now, by case."""
        ...

    async def standing_of(self, case_ids: Set[str]) -> Mapping[str, ProvisionalHold]:
        """Those of these cases that stop destruction now."""
        ...

    async def unfinished(self, limit: int) -> Sequence[str]:
        """Cases whose provisional hold or suit is not carried out everywhere yet."""
        ...

    async def sued(self) -> Sequence[str]:
        """Cases whose suit is carried out everywhere, as far as the case knows."""
        ...

    async def unbounded(self, limit: int, kinds: Collection[CaseKind] | None) -> Sequence[CaseFile]:
        """Cases of these kinds (of all, without them) that stop all destruction because they have
        no bounds, oldest first."""
        ...

    async def awaited(self, limit: int, kinds: Collection[CaseKind]) -> Sequence[CaseFile]:
        """Cases of these kinds whose requester waits for an answer: to a message that came after
        the county's last one, or to a notice of a suit; oldest first."""
        ...

    async def of_kinds(
        self, case_ids: Collection[str], kinds: Collection[CaseKind]
    ) -> Collection[str]:
        """Those of these cases that are of these kinds."""
        ...


class RealHolds(Protocol):
    """Placing holds, and letting them last."""

    async def place(self, hold: Hold, by: Caller) -> Hold:
        """Place it and write it into its records; does nothing if the id is already known."""
        ...

    async def sue(self, hold_id: str, by: Caller) -> Hold:
        """Let it last until a court's order; may be repeated."""
        ...


class KnownNames(Protocol):
    """The names that a query may use."""

    async def check(self, query: HoldQuery, *, field: str, later: bool) -> None:
        """:raises MalformedError: a name that no record has."""
        ...
