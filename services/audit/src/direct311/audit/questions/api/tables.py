"""Entries as lines of CSV and of JSON."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from direct311.audit.questions.api.questions import entry_of
from direct311.audit.questions.handlers.audited_query import Opened
from direct311.runtime.text import cell as text_cell
from direct311.schemas import isoformat

COLUMNS = (
    "index",
    "logged_at",
    "event_id",
    "readable",
    "withheld",
    "withheld_until",
    "occurred_at",
    "event",
    "service",
    "instance",
    "actor",
    "actor_attested_by",
    "actor_confirmed",
    "token_issuer",
    "token_id",
    "roles",
    "department",
    "session",
    "action",
    "outcome",
    "purpose",
    "reference",
    "legal_basis",
    "justification",
    "case_id",
    "break_glass",
    "record_ids",
    "fields",
    "result_count",
    "count",
    "producer",
    "sequence",
)
_WHY = ("reference", "legal_basis", "justification")


def cell(value: object) -> str:
    """A value as text that no spreadsheet reads as a formula (owasp.org, CSV Injection), without
    invisible content. Lists are joined with spaces."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return isoformat(value)
    text = " ".join(map(str, value)) if isinstance(value, list | tuple | set) else str(value)
    return text_cell(text)


def csv_lines(rows: Iterable[Sequence[object]]) -> bytes:
    """Lines of CSV (RFC 4180), every cell in quotes."""
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL)
    writer.writerows([cell(value) for value in row] for row in rows)
    return text.getvalue().encode()


def csv_of(batch: Sequence[Opened]) -> bytes:
    """Entries as lines of `COLUMNS`; reason and reference from their events."""
    rows = []
    for opened in batch:
        entry = entry_of(opened)
        why = why_of(opened.event)
        rows.append([why.get(name) if name in _WHY else getattr(entry, name) for name in COLUMNS])
    return csv_lines(rows)


def json_lines(batch: Sequence[Opened]) -> bytes:
    """Entries as JSON, one per line."""
    return b"".join(entry_of(opened).model_dump_json().encode() + b"\n" for opened in batch)


def why_of(event: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """The reason given in an access event."""
    return part_of(event, "why")


def part_of(event: Mapping[str, Any] | None, name: str) -> Mapping[str, Any]:
    """One group of an access event's fields; empty if there is none."""
    part = body_of(event).get(name)
    return part if isinstance(part, Mapping) else {}


def body_of(event: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """What an event says besides its attributes."""
    body = event.get("body") if event else None
    return body if isinstance(body, Mapping) else {}
