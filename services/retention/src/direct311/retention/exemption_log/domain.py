"""A row of the log: one item that is withheld in a package that went out, and never its value."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from direct311.retention.case_file.packages import CollectedPart
from direct311.retention.cases.domain import CaseFile
from direct311.schemas import Instant, Model

EXEMPTION_LOG: Final = "exemption_log"
"""What the access rules call reading these rows."""


class WithheldRow(Model):
    """An item that is withheld. `package`: SHA-256 (hex) of the package in which the record went
    out. `item`: the field, its part as `<field>:<start>-<end>`, or the file or a box on it. `code`:
    the exemption. `version`: of the record, as its reviewer saw it."""

    case_id: str
    package: str
    released_at: Instant
    record_id: str
    item: str
    field: str
    code: str
    citation: str
    decided_by: str
    decided_at: Instant
    version: int


@dataclass(frozen=True, slots=True)
class LogQuery:
    """Which rows: released from `since` on and before `until`; of one case; by one law."""

    since: datetime | None = None
    until: datetime | None = None
    case_id: str | None = None
    citation: str | None = None

    def released(self, at: datetime) -> bool:
        """Whether a package that went out then is asked for."""
        return (self.since is None or at >= self.since) and (self.until is None or at < self.until)

    def asks_for(self, row: WithheldRow) -> bool:
        """Whether the row has the law that is asked for."""
        return self.citation in (None, row.citation)


@dataclass(frozen=True, slots=True)
class Place:
    """A record in a case: where a page ends. Pages go by case, and in a case by record."""

    case_id: str
    record_id: str


@dataclass(frozen=True, slots=True)
class ReleasedPart:
    """A record that went out with something withheld, and when."""

    part: CollectedPart
    package: str
    released_at: datetime


def released_parts(case: CaseFile, query: LogQuery, after: Place | None) -> Sequence[ReleasedPart]:
    """The records of a case in which something is withheld and that went out in the time that is
    asked for, by record id; only those after a place."""
    out = {
        each.sha256: each.released_at
        for each in case.packages.released
        if each.released_at is not None and query.released(each.released_at)
    }
    return [
        ReleasedPart(part, part.released_in, out[part.released_in])
        for part in sorted(case.packages.parts, key=lambda each: each.record_id)
        if part.withheld
        and part.released_in in out
        and (after is None or (case.record_id, part.record_id) > (after.case_id, after.record_id))
    ]


def by_citation(rows: Iterable[WithheldRow]) -> Mapping[str, int]:
    """How many items are withheld by each law."""
    return dict(sorted(Counter(each.citation for each in rows).items()))
