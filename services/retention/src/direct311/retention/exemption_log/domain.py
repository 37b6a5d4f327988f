"""A row of the log: one item that is withheld in a package that went out, and never its value."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from direct311.retention.case_file.packages import BuiltPackage, CollectedPart
from direct311.retention.cases.domain import CaseFile
from direct311.schemas import Instant, Model

EXEMPTION_LOG: Final = "exemption_log"
"""What the access rules call reading these rows."""


class WithheldRow(Model):
    """An item that is withheld. `package`: SHA-256 (hex) of the package in which the record went
    out. `item`: the field, its part as `<field>:<start>-<end>`, or the file or a box on it. `code`:
    the exemption. `version`: of the record, as its reviewer saw it. `recalled_at`: when the county
    took the package back; what was withheld in it stays known."""

    case_id: str
    package: str
    released_at: Instant
    recalled_at: Instant | None = None
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
    """A record that went out with something withheld, and when; `recalled_at`: when its package was
    recalled."""

    part: CollectedPart
    package: str
    released_at: datetime
    recalled_at: datetime | None = None


def released_parts(case: CaseFile, query: LogQuery, after: Place | None) -> Sequence[ReleasedPart]:
    """The records of a case in which something is withheld and that went out in the time that is
    asked for, by record id; only those after a place. A record that was recalled and went out again
    is there for each time."""
    packages = case.packages
    out = [
        *_out(packages.parts, [each for each in packages.released if each.recalled_at is None]),
        *_out(packages.recalled_parts, [each for each in packages.released if each.recalled_at]),
    ]
    return [
        each
        for each in sorted(out, key=lambda each: (each.part.record_id, each.released_at))
        if query.released(each.released_at)
        and (
            after is None
            or (case.record_id, each.part.record_id) > (after.case_id, after.record_id)
        )
    ]


def _out(
    parts: Iterable[CollectedPart], packages: Iterable[BuiltPackage]
) -> Iterator[ReleasedPart]:
    """The records with something withheld that these packages have. Two packages may have the same
    hash: one that was recalled, built again with the same bytes, and recalled again. What went out
    last comes last in both."""
    by_hash: dict[str | None, list[BuiltPackage]] = {}
    for package in packages:
        by_hash.setdefault(package.sha256, []).append(package)
    had: Counter[tuple[str, str | None]] = Counter()
    for part in reversed([each for each in parts if each.withheld]):
        same = by_hash.get(part.released_in, [])
        went_out = had[part.record_id, part.released_in] + 1
        had[part.record_id, part.released_in] = went_out
        if went_out > len(same):
            continue
        package = same[-went_out]
        if package.released_at is not None:
            yield ReleasedPart(part, package.sha256, package.released_at, package.recalled_at)


def by_citation(rows: Iterable[WithheldRow]) -> Mapping[str, int]:
    """How many items are withheld by each law."""
    return dict(sorted(Counter(each.citation for each in rows).items()))
