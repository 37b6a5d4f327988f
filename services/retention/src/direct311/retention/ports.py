"""What the use cases need from outside."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Literal, Protocol

from direct311.retention.domain.certificates import Certificate
from direct311.retention.domain.dispositions import Disposition, Status
from direct311.retention.domain.holds import Hold, Standing
from direct311.retention.domain.inventory import InventoryRecord, Stage

Position = tuple[date, str]
"""Eligible date and record id: where a page ended."""

Known = Literal["service_code", "municipality", "department"]
"""Fields of a record that a hold may go by."""


class Inventory(Protocol):
    """What can be asked of all records at once. Writes go through the runtime's folder."""

    async def get(self, record_id: str) -> InventoryRecord | None: ...

    async def due(self, as_of: date, limit: int) -> Sequence[str]:
        """Active records whose eligible date has come by `as_of`, in no order."""
        ...

    async def page(
        self,
        stage: Literal["active", "eligible"],
        as_of: date,
        after: Position | None,
        limit: int,
        *,
        clear: bool = False,
    ) -> Sequence[InventoryRecord]:
        """Records of a stage that are eligible by `as_of`, by eligible date and id, after a
        position. `clear`: only those under no hold."""
        ...

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

    async def outdated(self, schedule_version: str, limit: int) -> Sequence[str]:
        """Records, not ordered, whose date comes from another version of the rules."""
        ...

    async def of_order(self, order_id: str) -> Sequence[InventoryRecord]:
        """The records whose destruction was ordered so."""
        ...

    async def waiting(self, order_id: str, *, for_audit: bool) -> bool:
        """Whether records of the order wait for a holder before the certificate, or for audit."""
        ...

    async def count(self) -> Mapping[Stage, int]: ...


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


class Dispositions(Protocol):
    async def add(self, disposition: Disposition) -> None: ...

    async def get(self, disposition_id: str) -> Disposition | None: ...

    async def replace(self, disposition: Disposition) -> bool:
        """Write it as its next version, unless somebody else has; whether it was written."""
        ...

    async def with_status(self, statuses: Sequence[Status], limit: int) -> Sequence[str]:
        """Ids of those in one of these states."""
        ...

    async def page(self, after: str | None, limit: int) -> Sequence[Disposition]:
        """The newest first, after an id."""
        ...


class Certificates(Protocol):
    """What can be asked of the certificates; they are written through the runtime's folder."""

    async def get(self, certificate_id: str) -> Certificate | None: ...

    async def disposed(self, first_on: date, last_on: date) -> Sequence[Certificate]:
        """Those with a date of disposition between these days, both included."""
        ...


class Seal(Protocol):
    """The service's signature."""

    @property
    def keyid(self) -> str: ...

    def sign_bytes(self, value: bytes) -> bytes: ...
