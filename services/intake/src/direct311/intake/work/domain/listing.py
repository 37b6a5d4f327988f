"""What a list of requests is asked by, and where a page of it ends."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Literal, get_args

from direct311.intake.request import CLOSED
from direct311.schemas import events as ev

Sort = Literal["newest", "oldest"]
Flag = Literal["emergency", "marked", "protected", "unplaced", "overdue"]
"""What staff look for: somebody's life may be in danger; a likely repeat or one of a burst; a
protected place; a place that geo could not find in the county; the due date has passed."""

STATUSES: tuple[ev.RequestStatus, ...] = get_args(ev.RequestStatus)
OPEN: tuple[ev.RequestStatus, ...] = tuple(each for each in STATUSES if each not in CLOSED)
"""The statuses of a list that names none."""

INSTANT = timedelta(milliseconds=1)
"""The precision of stored times."""

AFTER_ALL_IDS = "~"
"""Sorts behind every record id."""


_LONG_AGO = datetime(1900, 1, 1, tzinfo=UTC)
_NEVER = datetime(9000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Position:
    """A row of a list, or a place between two rows: when it was received, and its id."""

    at: datetime
    record_id: str


@dataclass(frozen=True, slots=True)
class WorkQuery:
    """A list of requests. `department`: only those that it has now. `place`: a municipality, or
    `UNINCORPORATED`. Received at `received_from` or later, and before `received_before`.
    `after`: the end of the previous page.
    """

    statuses: tuple[ev.RequestStatus, ...] = OPEN
    types: tuple[str, ...] = ()
    department: str | None = None
    place: str | None = None
    received_from: datetime = _LONG_AGO
    received_before: datetime = _NEVER
    flags: frozenset[Flag] = frozenset()
    sort: Sort = "newest"
    limit: int = 50
    after: Position | None = None

    def without_withdrawn(self) -> "WorkQuery":
        """The same without requests that their reporters withdrew: no department has them."""
        return replace(self, statuses=tuple(e for e in self.statuses if e != "withdrawn"))
