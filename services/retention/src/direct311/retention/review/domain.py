"""A disposition set: exactly these records in exactly these versions, reviewed by two people."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from hashlib import sha256
from typing import Literal

from direct311.retention.record import InventoryRecord
from direct311.schemas import Instant, Model, OnDate, replaced
from direct311.schemas import events as ev

Status = Literal[
    "gathering", "proposed", "rejecting", "rejected", "ordering", "ordered", "certified", "closed"
]
"""`closed`: audit has answered too, or nothing was left to order."""

Reason = Literal["held", "case_open", "changed", "not_eligible", "in_other_set", "unknown"]
"""Why a record is left out. `case_open`: it is inside the bounds of an open case, or may be."""


class Proposed(Model):
    """A record in the version that was proposed."""

    record_id: str
    version: int
    item: int
    eligible_on: OnDate


class LeftOut(Model):
    record_id: str
    reason: Reason


class Disposition(Model):
    """What a custodian proposes and a records officer approves. `set_hash` identifies the exact
    set. `as_of`: the day up to which eligible dates count; in the future only on a test stack.
    `proposed_as`: the custodian as the audit log names them, for the entry that is written once the
    set is gathered; older sets have none.
    """

    disposition_id: str
    version: int = 1
    status: Status = "gathering"
    as_of: OnDate
    custodian: str
    proposed_as: ev.AccessAgent | None = None
    proposed_at: Instant
    candidates: tuple[str, ...]
    records: tuple[Proposed, ...] = ()
    set_hash: str | None = None
    left_out: tuple[LeftOut, ...] = ()
    records_officer: str | None = None
    decided_by: str | None = None
    decided_at: Instant | None = None
    decision_reason: str | None = None
    certificate_ids: tuple[str, ...] = ()
    supplement_ids: tuple[str, ...] = ()

    def gathered(
        self, records: Sequence[Proposed], left_out: Sequence[LeftOut], as_of: date
    ) -> "Disposition":
        """A proposed copy with its records; closed if there are none."""
        return replaced(
            self,
            status="proposed" if records else "closed",
            as_of=as_of,
            records=tuple(records),
            set_hash=set_hash(records),
            left_out=tuple(left_out),
        )

    def approved(self, officer: str, at: datetime) -> "Disposition":
        """A copy to be ordered, as the records officer decided."""
        return replaced(
            self, status="ordering", records_officer=officer, decided_by=officer, decided_at=at
        )

    def rejecting(self, by: str, reason: str, at: datetime) -> "Disposition":
        """A copy to be put back into the queue, as somebody decided."""
        return replaced(
            self, status="rejecting", decided_by=by, decided_at=at, decision_reason=reason
        )

    def ordered(self, left_out: Sequence[LeftOut], *, nothing: bool) -> "Disposition":
        """An ordered copy, without what was left out now; closed if `nothing` was left to order."""
        return replaced(
            self,
            status="closed" if nothing else "ordered",
            left_out=(*self.left_out, *left_out),
        )

    def rejected(self) -> "Disposition":
        """A copy put back into the queue."""
        return replaced(self, status="rejected")

    def certified(self, certificate_ids: tuple[str, ...]) -> "Disposition":
        """A copy destroyed by all holders except audit, according to these certificates."""
        return replaced(self, status="certified", certificate_ids=certificate_ids)

    def supplemented(self, supplement_ids: tuple[str, ...]) -> "Disposition":
        """A copy destroyed by audit too."""
        return replaced(self, status="closed", supplement_ids=supplement_ids)


def set_hash(records: Iterable[Proposed]) -> str:
    """SHA-256 (hex) of the lines `<record id>:<version>\\n`, sorted."""
    lines = sorted(f"{each.record_id}:{each.version}\n" for each in records)
    return sha256("".join(lines).encode()).hexdigest()


def objection(record: InventoryRecord, as_of: date) -> Reason | None:
    """Why a record cannot be proposed, apart from holds; `None` if it can."""
    if record.version == 0:
        return "unknown"
    if record.stage == "in_review":
        return "in_other_set"
    if record.stage != "eligible" or record.eligible_on is None or record.eligible_on > as_of:
        return "not_eligible"
    return None


def ordered(
    record: InventoryRecord, disposition: Disposition, at: Instant
) -> tuple[InventoryRecord, ev.DispositionOrdered]:
    """The record with its destruction ordered, and the order."""
    if disposition.records_officer is None:
        raise ValueError("nobody has approved it")
    return record.ordered(at), ev.DispositionOrdered(
        record_id=record.record_id,
        version=record.version + 1,
        order_id=disposition.disposition_id,
        items=tuple(str(item) for item in record.items),
        holders=record.holders,
        custodian=disposition.custodian,
        records_officer=disposition.records_officer,
        ordered_at=at,
    )
