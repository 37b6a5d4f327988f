"""All holds and their fence, and the queries over records for holding."""

from collections.abc import Collection, Mapping, Sequence, Set
from typing import Literal, Protocol

from direct311.retention.holds.domain import Fence, Hold, HoldSnapshot, ProvisionalHold, Raiser
from direct311.runtime.messaging.state import Outgoing

Known = Literal["service_code", "municipality", "department"]
"""Fields of a record that a hold may go by."""


class Holds(Protocol):
    """All holds, and the fence."""

    async def add(self, hold: Hold, acts: Sequence[Outgoing]) -> Hold:
        """Store a new hold, with the entries of its act in the same write; returns the existing one
        with this id, if there is one."""
        ...

    async def get(self, hold_id: str) -> Hold | None: ...

    async def replace(self, hold: Hold, acts: Sequence[Outgoing] = ()) -> bool:
        """Write the hold as its next version, unless somebody else has, with the entries of the act
        in the same write; returns whether it was written."""
        ...

    async def page(self, after: str | None, limit: int, *, standing: bool) -> Sequence[Hold]:
        """Holds by id, after an id."""
        ...

    async def unfinished(self) -> Sequence[str]:
        """Ids of holds whose placing or release is not done, or not settled."""
        ...

    async def of_case(self, case_id: str) -> Sequence[Hold]:
        """All holds that were placed for a case."""
        ...

    async def without_suit(self, case_ids: Sequence[str]) -> Sequence[str]:
        """Those of these cases that have a standing hold which does not know of a suit."""
        ...

    async def releasable(self, limit: int, after: Hold | None = None) -> Sequence[Hold]:
        """Holds in force whose earliest release has passed, longest first; those that come after
        `after`."""
        ...

    async def raise_fence(self, raiser: Raiser) -> int:
        """Raise the fence by one, after the change of this case or hold was written; returns the
        new value."""
        ...

    async def standing(self, fence: int) -> HoldSnapshot:
        """The holds in force, perhaps as of a second ago, but never before `fence`."""
        ...

    async def standing_now(self) -> HoldSnapshot:
        """The holds in force as of a value of the fence that is read now."""
        ...


class ProvisionalHolds(Protocol):
    """The provisional holds of open cases, wherever the cases are."""

    async def standing(self) -> Mapping[str, ProvisionalHold]:
        """Those that stop destruction now, by case."""
        ...

    async def standing_of(self, case_ids: Set[str]) -> Mapping[str, ProvisionalHold]:
        """Those of these cases that stop destruction now."""
        ...


class HoldSources(Protocol):
    """Where the fence, the provisional holds of cases and the holds are read."""

    async def fence_now(self) -> Fence: ...

    async def cases(self) -> Mapping[str, ProvisionalHold]:
        """The provisional holds that stand, by case."""
        ...

    async def cases_of(self, case_ids: Set[str]) -> Mapping[str, ProvisionalHold]:
        """Those of these cases that stand."""
        ...

    async def all_holds(self) -> Sequence[Hold]:
        """All holds. One that ends while it reads may be missing: nothing is placed or released
        because of it."""
        ...

    async def these_holds(self, hold_ids: Set[str]) -> Sequence[Hold]: ...


class HoldableRecords(Protocol):
    """The records, as far as holds use them."""

    async def matching(self, hold: Hold, limit: int) -> Sequence[str]:
        """Records under the hold that were not evaluated since, and are not ordered."""
        ...

    async def too_late(self, hold: Hold, limit: int) -> Sequence[str]:
        """Records under the hold whose destruction is ordered or done."""
        ...

    async def holding(self, hold_id: str, limit: int) -> Sequence[str]:
        """Records that are not ordered and have the hold written into them."""
        ...

    async def held(self, hold_ids: Sequence[str]) -> Mapping[str, int]:
        """How many records that are not ordered each of these holds is written into; omits a hold
        that is in none."""
        ...

    async def values(self, field: Known) -> Collection[str]:
        """The values of the records in this field, each once."""
        ...

    async def behind(self, limit: int) -> Sequence[str]:
        """Records for which one write could not report all holds."""
        ...
