"""What can be asked of all records at once."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Literal, Protocol

from direct311.retention.holds.ports import HoldableRecords
from direct311.retention.record import InventoryRecord, Stage

Position = tuple[date, str]
"""Eligible date and record id: where a page ended."""


class Inventory(HoldableRecords, Protocol):
    """Queries over all records. Writes go through the event processor."""

    async def get(self, record_id: str) -> InventoryRecord | None: ...

    async def due(self, as_of: date, limit: int) -> Sequence[str]:
        """Active records whose eligible date is on or before `as_of`, in no order."""
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

    async def outdated(self, schedule_version: str, limit: int) -> Sequence[str]:
        """Records, not ordered, whose date comes from another version of the rules."""
        ...

    async def of_order(self, order_id: str) -> Sequence[InventoryRecord]:
        """The records whose destruction was ordered by this order."""
        ...

    async def waiting(self, order_id: str, *, for_audit: bool) -> bool:
        """Whether records of the order wait for a holder before the certificate, or for audit."""
        ...

    async def count(self) -> Mapping[Stage, int]:
        """How many requests are in each stage. Case files do not count: their number, less the
        public-records cases, would tell how often the police asked."""
        ...
