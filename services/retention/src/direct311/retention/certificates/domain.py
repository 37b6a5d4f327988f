"""Certificates of destruction (rule 1B-24.003(9)(d), F.A.C.) and the yearly statement (11)."""

import json
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from hashlib import sha256
from typing import Final

from direct311.retention.inventory.domain import RetentionRules
from direct311.retention.record import HOLDERS, InventoryRecord, ReleasedWith
from direct311.retention.review.domain import Disposition
from direct311.retention.schedule.domain.schedule import FiscalYear
from direct311.runtime.messaging.state import RecordState
from direct311.schemas import Instant, Model, OnDate, derived_id, replaced
from direct311.schemas import events as ev

CITATION: Final = "Rule 1B-24.003(9)(d), Florida Administrative Code"


class CertifiedReceipt(Model):
    """A holder's signed answer on which the certificate rests."""

    record_id: str
    holder: ev.Holder
    event_id: str
    sha256: str
    destroyed_at: Instant


class CertifiedRelease(Model):
    """Records of the certificate that had gone out before, all in one package. `reference`: `case
    <id>`, as in a hold, in one form for all kinds of cases. `package`: its SHA-256 (hex)."""

    reference: str
    package: str
    record_ids: tuple[str, ...]


class Content(Model):
    """What is certified for one item of one order; kept forever (GS1-SL item 45).

    `inclusive_dates`: of the oldest and the newest of the records, from receipt to closing.
    Volumes are what the holders report: records, files, bytes. `recoverable_until`: when the last
    copy in logs and backups is gone. `audit_part_on`: when audit destroys its own part, which a
    supplement certifies; absent in a supplement. `releases`: with which disclosure cases some of
    the records had gone out; absent if none had.
    """

    certificate_id: str
    supplement_to: str | None = None
    order_id: str
    citation: str = CITATION
    schedule_number: str
    item_number: str
    series_title: str
    inclusive_dates: tuple[OnDate, OnDate]
    volume_records: int
    volume_files: int
    volume_bytes: int
    manner: str
    disposed_on: OnDate
    recoverable_until: Instant
    audit_part_on: OnDate | None = None
    custodian: str
    proposed_at: Instant
    records_officer: str
    approved_at: Instant
    set_hash: str
    record_ids: tuple[str, ...]
    receipts: tuple[CertifiedReceipt, ...]
    releases: tuple[CertifiedRelease, ...] | None = None
    certified_at: Instant


class Certificate(RecordState):
    """A stored certificate; its record id is its own id."""

    content: Content | None = None
    sha256: str = ""

    def filled(self, content: Content, sha256: str) -> "Certificate":
        """A copy with its content and the content's hash."""
        return replaced(self, content=content, sha256=sha256)


def digest(value: Model) -> str:
    """SHA-256 (hex) of the value as JSON: no empty fields, keys sorted, no white space, UTF-8."""
    plain = value.model_dump(mode="json", exclude_none=True)
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return sha256(text.encode()).hexdigest()


def certificates(
    disposition: Disposition,
    records: Iterable[InventoryRecord],
    rules: RetentionRules,
    at: datetime,
    audit_after: timedelta,
    released: Iterable[tuple[str, ReleasedWith]] = (),
) -> tuple[Content, ...]:
    """One certificate per item that decided for records in the set. `released`: which of them went
    out with which case, beside what the records themselves remember.

    The ids are derived from the order, so that repeating this gives the same certificates.
    """
    known = list(released)
    return tuple(
        _content(
            disposition,
            item,
            group,
            frozenset(HOLDERS) - {"audit"},
            rules,
            at,
            certificate_id=certificate_id(disposition.disposition_id, item),
            audit_part_on=rules.day(at + audit_after),
            releases=_releases(group, known),
        )
        for item, group in _by_item(records)
    )


def supplements(
    disposition: Disposition,
    records: Iterable[InventoryRecord],
    rules: RetentionRules,
    at: datetime,
) -> tuple[Content, ...]:
    """What audit's own answers add to each of the set's certificates."""
    order_id = disposition.disposition_id
    return tuple(
        _content(
            disposition,
            item,
            group,
            frozenset({"audit"}),
            rules,
            at,
            certificate_id=derived_id(order_id, f"supplement-{item}"),
            supplement_to=certificate_id(order_id, item),
        )
        for item, group in _by_item(records)
    )


def certificate_id(order_id: str, item: int) -> str:
    """The id of the certificate of an order for the records under one item."""
    return derived_id(order_id, f"certificate-{item}")


def _by_item(records: Iterable[InventoryRecord]) -> list[tuple[int, list[InventoryRecord]]]:
    groups: dict[int, list[InventoryRecord]] = {}
    for record in sorted(records, key=lambda each: each.record_id):
        if record.decided_by is None:
            raise ValueError("no item has decided over it")
        groups.setdefault(record.decided_by, []).append(record)
    return sorted(groups.items())


def _content(
    disposition: Disposition,
    item: int,
    records: Sequence[InventoryRecord],
    holders: Iterable[str],
    rules: RetentionRules,
    at: datetime,
    *,
    certificate_id: str,
    supplement_to: str | None = None,
    audit_part_on: date | None = None,
    releases: tuple[CertifiedRelease, ...] | None = None,
) -> Content:
    received = [each.received_at for each in records if each.received_at]
    closed = [rules.day(each.closed_at) for each in records if each.closed_at]
    closed += [on for each in records for on in each.outcomes_closed_on.values()]
    receipts = [
        (record.record_id, receipt)
        for record in records
        for receipt in record.receipts
        if receipt.holder in holders
    ]
    officer, approved_at = disposition.records_officer, disposition.decided_at
    if officer is None or approved_at is None or disposition.set_hash is None:
        raise ValueError("nobody has approved it")
    return Content(
        certificate_id=certificate_id,
        supplement_to=supplement_to,
        order_id=disposition.disposition_id,
        schedule_number=rules.schedule.schedule,
        item_number=str(item),
        series_title=rules.title(item),
        inclusive_dates=(rules.day(min(received)), max(closed)),
        volume_records=len(records),
        volume_files=sum(receipt.objects for _, receipt in receipts),
        volume_bytes=sum(receipt.bytes for _, receipt in receipts),
        manner="; ".join(sorted({receipt.manner for _, receipt in receipts})),
        disposed_on=rules.day(max(receipt.destroyed_at for _, receipt in receipts)),
        recoverable_until=max(receipt.recoverable_until for _, receipt in receipts),
        audit_part_on=audit_part_on,
        custodian=disposition.custodian,
        proposed_at=disposition.proposed_at,
        records_officer=officer,
        approved_at=approved_at,
        set_hash=disposition.set_hash,
        record_ids=tuple(record.record_id for record in records),
        receipts=tuple(
            CertifiedReceipt(
                record_id=record_id,
                holder=receipt.holder,
                event_id=receipt.event_id,
                sha256=receipt.sha256,
                destroyed_at=receipt.destroyed_at,
            )
            for record_id, receipt in receipts
        ),
        releases=releases,
        certified_at=at,
    )


def _releases(
    records: Sequence[InventoryRecord], released: Iterable[tuple[str, ReleasedWith]]
) -> tuple[CertifiedRelease, ...] | None:
    """With what these records went out, by case and package."""
    own = {each.record_id for each in records}
    pairs = [(each.record_id, one) for each in records for one in each.released_with]
    pairs += [(record_id, one) for record_id, one in released if record_id in own]
    groups: dict[tuple[str, str], set[str]] = {}
    for record_id, one in pairs:
        groups.setdefault((one.case_id, one.package), set()).add(record_id)
    return (
        tuple(
            CertifiedRelease(
                reference=f"case {case_id}", package=package, record_ids=tuple(sorted(ids))
            )
            for (case_id, package), ids in sorted(groups.items())
        )
        or None
    )


def event(content: Content) -> ev.DispositionCertified:
    """The event that announces a certificate."""
    return ev.DispositionCertified(
        sha256=digest(content), **content.model_dump(include=set(_EVENT_FIELDS))
    )


_EVENT_FIELDS: Final = ev.DispositionCertified.model_fields.keys() - {"sha256"}


# ---------------------------------------------------------------- the year


class Quantity(Model):
    """What was disposed of under one item: number of certificates, records, files, bytes."""

    item_number: str
    series_title: str
    certificates: int
    records: int
    files: int
    bytes: int


class Statement(Model):
    """The compliance statement of one fiscal year, both days included."""

    fiscal_year: int
    first_on: OnDate
    last_on: OnDate
    schedule_number: str
    quantities: tuple[Quantity, ...]
    prepared_by: str
    prepared_at: Instant


def fiscal_year(year: int, begins: FiscalYear) -> tuple[date, date]:
    """The first and last day of the fiscal year, which is named after the year in which it ends."""
    first = date(year - 1, begins.month, begins.day)
    return first, date(year, begins.month, begins.day) - timedelta(days=1)


def quantities(contents: Iterable[Content]) -> tuple[Quantity, ...]:
    """Sums by item; supplements are about records already counted, and add only files and bytes."""
    groups: dict[str, list[Content]] = {}
    for content in contents:
        groups.setdefault(content.item_number, []).append(content)
    return tuple(
        Quantity(
            item_number=item,
            series_title=group[0].series_title,
            certificates=sum(each.supplement_to is None for each in group),
            records=sum(each.volume_records for each in group if each.supplement_to is None),
            files=sum(each.volume_files for each in group),
            bytes=sum(each.volume_bytes for each in group),
        )
        for item, group in sorted(groups.items(), key=lambda each: int(each[0]))
    )
