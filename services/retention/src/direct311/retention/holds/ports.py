"""All holds and their fence, and what holding asks of the records."""

from collections.abc import Collection, Mapping, Sequence
from typing import Literal, Protocol

from direct311.retention.holds.domain import Hold, HoldSnapshot

Known = Literal["service_code", "municipality", "department"]
"""Fields of a record that a hold may go by."""


class Holds(Protocol):
    """All holds, and the fence."""

    async def add(self, hold: Hold) -> Hold:
        """Keep a new hold; the one that is there already under this id, if one is."""
        ...

    async def get(self, hold_id: str) -> Hold | None: ...

    async def replace(self, hold: Hold) -> bool:
        """Write the hold as its next version, unless somebody else has; whether it was written."""
        ...

    async def page(self, after: str | None, limit: int, *, standing: bool) -> Sequence[Hold]:
        """Holds by id, after an id."""
        ...

    async def unfinished(self) -> Sequence[str]:
        """Ids of holds whose placing or release is not done, or not settled."""
        ...

    async def raise_fence(self) -> int:
        """One more; the new value."""
        ...

    async def standing(self, fence: int) -> HoldSnapshot:
        """The standing holds, maybe as of a second ago, but never before `fence`."""
        ...

    async def standing_now(self) -> HoldSnapshot:
        """The standing holds as of a value of the fence that is read now."""
        ...


class HoldableRecords(Protocol):
    """The records, as far as holds go by them."""

    async def matching(self, hold: Hold, limit: int) -> Sequence[str]:
        """Records that come under the hold, were not evaluated since, and are not ordered."""
        ...

    async def too_late(self, hold: Hold, limit: int) -> Sequence[str]:
        """Records that come under the hold, and whose destruction is ordered or done."""
        ...

    async def holding(self, hold_id: str, limit: int) -> Sequence[str]:
        """Records that are not ordered and into which the hold is written."""
        ...

    async def held(self, hold_ids: Sequence[str]) -> Mapping[str, int]:
        """Into how many records that are not ordered each of these holds is written; a hold that
        is in none is left out."""
        ...

    async def values(self, field: Known) -> Collection[str]:
        """What the records have in this field, each value once."""
        ...

    async def behind(self, limit: int) -> Sequence[str]:
        """Records for which one write did not tell of all holds."""
        ...
