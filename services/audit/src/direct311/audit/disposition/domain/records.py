"""Records whose disposition was certified."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final, get_args

from direct311.runtime.messaging.state import RecordState
from direct311.schemas import Instant, replaced
from direct311.schemas import events as ev

ANSWERING: Final = frozenset(get_args(ev.Holder)) - {"audit", "retention"}
"""The holders whose receipts every certificate needs; audit is last."""


class AuditedRecord(RecordState):
    """A record whose disposition was certified, or that is held.

    `destroy_at` is when audit destroys its own part: last, after the broker has deleted the events.
    `also_ordered`: holders in the order that most orders do not name; their receipts count too.
    """

    destroy_at: Instant | None = None
    also_ordered: tuple[ev.Holder, ...] = ()

    @property
    def answering(self) -> frozenset[ev.Holder]:
        """The holders whose receipts its certificate needs."""
        return ANSWERING | {*self.also_ordered}

    def ordered_of(self, holders: Iterable[ev.Holder]) -> "AuditedRecord":
        """A copy whose destruction was ordered of these holders."""
        also = {*holders} - ANSWERING - {"audit"}
        return replaced(self, also_ordered=tuple(sorted({*self.also_ordered, *also})))

    def certified(self, order_id: str, destroy_at: datetime) -> "AuditedRecord":
        """A copy certified as destroyed by all others, and due here at this time."""
        return replaced(self, destroy_at=destroy_at, order_id=order_id)

    def put_off(self, destroy_at: datetime) -> "AuditedRecord":
        """A copy to be destroyed, or checked again, only at this time."""
        return replaced(self, destroy_at=destroy_at)
