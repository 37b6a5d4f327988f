"""Which entries are withheld, counts from the query index, and the progress of rebuilding and
comparing it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from direct311.audit.entry import Facts
from direct311.schemas import Instant, Model, replaced
from direct311.schemas.secrecy import DelayedNotice


class CaseExemption(Model):
    """What a disclosure case has said last about its own exemption from inspection.

    `version`: the case's count of what it says. `exempt_until`: the end of the exemption, or `None`
    if the case is not exempt. `notice`: the document that delays the notice to the subject, if the
    exemption rests on one. `tag` vouches for all of this.
    """

    case_id: str
    version: int
    exempt_until: Instant | None = None
    notice: DelayedNotice | None = None
    tag: bytes = b""

    def tagged(self, tag: bytes) -> "CaseExemption":
        """A copy with this tag."""
        return replaced(self, tag=tag)


@dataclass(frozen=True, slots=True)
class Cases:
    """Until when the entries of each known case are exempt; `None`: they are not."""

    ends: Mapping[str, datetime | None] = field(default_factory=dict)

    def know(self, facts: Facts) -> bool:
        return facts.case_id in self.ends

    def exempt_until(self, facts: Facts) -> datetime | None:
        """Until when an entry is exempt: as its case has said last, or else as its own event said
        when the access happened."""
        if facts.case_id is not None and facts.case_id in self.ends:
            return self.ends[facts.case_id]
        return facts.exempt_until

    def exempt_at(self, at: datetime) -> list[str]:
        """The cases that are exempt at that time, in order."""
        return sorted(case_id for case_id, end in self.ends.items() if end is not None and end > at)


@dataclass(frozen=True, slots=True)
class Exempt:
    """How to treat entries that are withheld at an instant, as far as the `cases` are known: leave
    them out, or find `only` them."""

    at: datetime
    only: bool = False
    cases: Cases = Cases()

    @property
    def withheld_only(self) -> "Exempt":
        """The same, to find only what is withheld."""
        return Exempt(self.at, only=True, cases=self.cases)

    def withholds(self, facts: Facts) -> bool:
        """Whether the entry is exempt from inspection."""
        until = self.cases.exempt_until(facts)
        return until is not None and until > self.at

    def takes(self, facts: Facts | None) -> bool:
        """Whether a question that treats exempt entries in this way finds the entry."""
        return (facts is not None and self.withholds(facts)) is self.only


Dimension = Literal[
    "actor",
    "purpose",
    "department",
    "day",
    "hour",
    "action",
    "outcome",
    "record",
    "service",
    "instance",
    "case",
    "fields",
]
"""What entries are counted by. `day` and `hour` are in UTC, such as `2026-03-02` and
`2026-03-02T14`. `fields`: the names of an entry's fields, separated by commas. An entry about
several records counts for each of them, and an entry without a record counts for `None`."""


@dataclass(frozen=True, slots=True)
class Group:
    """Entries that agree in each dimension: the `key` in the requested order, how many entries,
    when the first and the last of them occurred, and how many times they stand for."""

    key: tuple[str | None, ...]
    count: int
    first: datetime
    last: datetime
    times: int

    def joined(self, other: "Group | None") -> "Group":
        """Both together."""
        if other is None:
            return self
        return Group(
            self.key,
            self.count + other.count,
            min(self.first, other.first),
            max(self.last, other.last),
            self.times + other.times,
        )


class Rebuild(Model):
    """A rebuild of the query index. `next` and `frontier`: how far the tree was verified, and its
    hashes there; `mended`: entries that were missing or wrong in the index; `unnamed`: those of
    them whose event id is no longer known; `problem`: why it failed, in words.

    `step` counts the writes, so that if two processes continue from the same place, one is refused.
    """

    state: Literal["running", "done", "failed"] = "running"
    step: int = 0
    reference: str
    started_by: str
    started_at: Instant
    finished_at: Instant | None = None
    size: int = 0
    next: int = 0
    frontier: tuple[bytes, ...] = ()
    mended: int = 0
    unnamed: int = 0
    problem: str | None = None

    def sized(self, size: int) -> "Rebuild":
        """A copy that has begun, for a log of this size."""
        return replaced(self, size=size)

    def advanced(
        self, to: int, frontier: tuple[bytes, ...], *, mended: int, unnamed: int
    ) -> "Rebuild":
        """A copy verified up to here, with this many more entries repaired and unnamed."""
        return replaced(
            self,
            next=to,
            frontier=frontier,
            mended=self.mended + mended,
            unnamed=self.unnamed + unnamed,
        )

    def done(self) -> "Rebuild":
        """At its end."""
        return replaced(self, state="done")

    def failed(self, problem: str) -> "Rebuild":
        """A copy given up for this reason."""
        return replaced(self, state="failed", problem=problem)

    def finished(self, at: datetime) -> "Rebuild":
        """A copy that ended at this time."""
        return replaced(self, finished_at=at)

    def counted(self, step: int) -> "Rebuild":
        """A copy with this write counted."""
        return replaced(self, step=step)


class IndexWalk(Model):
    """The position of the endless walk over the index: the next entry, the last checkpoint
    compared, and how many mismatches this walk and the previous one found."""

    next: int = 0
    checkpoint: str = ""
    found: int = 0
    found_before: int = 0

    def advanced(self, to: int, checkpoint: str, found: int) -> "IndexWalk":
        """A copy that has walked on to an entry, with the mismatches found on the way."""
        return replaced(self, next=to, checkpoint=checkpoint, found=self.found + found)

    def ended(self, checkpoint: str, found: int) -> "IndexWalk":
        """A copy at the end of the log, so that the next walk begins."""
        return replaced(
            self, next=0, checkpoint=checkpoint, found=0, found_before=self.found + found
        )


def unnamed(index: int) -> str:
    """Stands for the id of an event that is unknown or has an earlier entry."""
    return f"entry:{index}"
