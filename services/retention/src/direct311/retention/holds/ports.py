"""All holds and their fence, and what holding asks of the records."""

from collections.abc import Sequence
from typing import Literal, Protocol

from direct311.retention.holds.domain import Hold, Standing

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

    async def standing(self, fence: int) -> Standing:
        """The standing holds, maybe as of a second ago, but never before `fence`."""
        ...

    async def standing_now(self) -> Standing:
        """The standing holds as of a value of the fence that is read now."""
        ...
