"""What the query index is asked in numbers, and how far it was made again and compared."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from direct311.audit.entry import Facts
from direct311.schemas import Instant, Model, replaced


@dataclass(frozen=True, slots=True)
class Exempt:
    """How entries that are withheld at an instant are met: left out, or `only` they."""

    at: datetime
    only: bool = False

    def takes(self, facts: Facts | None) -> bool:
        withheld = facts is not None and facts.withheld(self.at)
        return withheld is self.only


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
"""By what entries are counted. `day` and `hour` are of UTC, as `2026-03-02` and `2026-03-02T14`.
`fields`: the names of an entry's fields, with commas between. An entry about several records counts
for each of them, and one about none for `None`."""


@dataclass(frozen=True, slots=True)
class Group:
    """Entries that agree in each dimension: `key` in the order asked for, how many, when the first
    and the last of them occurred, and how many times they stand for."""

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
    """The query index made again. `next` and `frontier`: how far the tree was verified, and its
    hashes there; `mended`: entries that the index lacked or told otherwise; `unnamed`: those of
    them whose event's id nobody knows any more; `problem`: why it failed, in words.

    `step` counts the writes, so that of two who go on from the same place one is refused.
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
        """Begun, of a log of this size."""
        return replaced(self, size=size)

    def advanced(
        self, to: int, frontier: tuple[bytes, ...], *, mended: int, unnamed: int
    ) -> "Rebuild":
        """Verified up to here, with so many entries more that were mended and are unnamed."""
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
        """Given up, for this reason."""
        return replaced(self, state="failed", problem=problem)

    def finished(self, at: datetime) -> "Rebuild":
        """Over, since then."""
        return replaced(self, finished_at=at)

    def counted(self, step: int) -> "Rebuild":
        """The same as this write."""
        return replaced(self, step=step)


class IndexWalk(Model):
    """Where the endless walk over the index is: the next entry, the last checkpoint compared, and
    how many entries were found otherwise in this walk and in the one before."""

    next: int = 0
    checkpoint: str = ""
    found: int = 0
    found_before: int = 0

    def advanced(self, to: int, checkpoint: str, found: int) -> "IndexWalk":
        """Walked on to an entry, and what was found otherwise on the way."""
        return replaced(self, next=to, checkpoint=checkpoint, found=self.found + found)

    def ended(self, checkpoint: str, found: int) -> "IndexWalk":
        """At the end of the log, so that the next walk begins."""
        return replaced(
            self, next=0, checkpoint=checkpoint, found=0, found_before=self.found + found
        )


def unnamed(index: int) -> str:
    """What stands for the id of an event that is not known, or that has an earlier entry."""
    return f"entry:{index}"
