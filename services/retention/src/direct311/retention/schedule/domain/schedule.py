"""The retention schedule and what is kept under which of its items."""

from collections import Counter
from collections.abc import Collection, Iterator
from datetime import date
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Literal

from direct311.schemas import Model

Kind = Literal[
    "anniversary_years",
    "fiscal_years",
    "calendar_years",
    "days",
    "until_obsolete",
    "as_related",
    "permanent",
]
Trigger = Literal[
    "resolved",
    "case_closed",
    "completed",
    "incident",
    "created",
    "superseded",
    "complied",
    "obsolete",
    "related_disposed",
]

_COUNTED: frozenset[Kind] = frozenset(
    {"anniversary_years", "fiscal_years", "calendar_years", "days"}
)


class FiscalYear(Model, extra="forbid"):
    """The day on which a fiscal year begins; for the county 1 October."""

    month: int
    day: int


class Item(Model, extra="forbid"):
    """One series of the schedule. `worded` is the retention in the schedule's own words.

    `verify`: not yet checked in a primary source, and so disabled.
    """

    item: int
    title: str
    worded: str
    kind: Kind
    count: int | None = None
    trigger: Trigger | None = None
    note: str = ""
    verify: bool = False
    enabled: bool = True


class Schedule(Model, extra="forbid"):
    """One edition of a schedule. `schedule` is its number on a disposition certificate."""

    schedule: str
    edition: str
    version: str
    citation: str
    effective_from: date
    effective_until: date | None = None
    fiscal_year_begins: FiscalYear
    items: tuple[Item, ...]

    @cached_property
    def _by_number(self) -> dict[int, Item]:
        return {item.item: item for item in self.items}

    def by_number(self, number: int) -> Item | None:
        """The item, if it exists and is enabled."""
        item = self._by_number.get(number)
        return item if item is not None and item.enabled else None


class Assignment(Model, extra="forbid"):
    """Items for the types whose code matches; a star stands for any rest of a code."""

    assignment: str
    service_codes: tuple[str, ...]
    items: tuple[int, ...]


class OutcomeItems(Model, extra="forbid"):
    """Items that an outcome of the work adds."""

    outcome: str
    items: tuple[int, ...]


class Series(Model, extra="forbid"):
    """The item of a kind of record that is not a request."""

    series: str
    item: int


class Assignments(Model, extra="forbid"):
    """Which records are kept under which items of `schedule`."""

    assignments_of: str
    schedule: str
    version: str
    citation: str
    effective_from: date
    effective_until: date | None = None
    default: tuple[int, ...]
    assignments: tuple[Assignment, ...]
    outcomes: tuple[OutcomeItems, ...] = ()
    series: tuple[Series, ...] = ()

    def items_for(self, service_code: str, outcomes: Collection[str] = ()) -> tuple[int, ...]:
        """The item numbers of a request of this type, its usual ones first.

        An outcome that the file does not know adds nothing.
        """
        added = (
            number for each in self.outcomes if each.outcome in outcomes for number in each.items
        )
        return tuple(dict.fromkeys((*self.items_of_type(service_code), *added)))

    def items_of_type(self, service_code: str) -> tuple[int, ...]:
        """The item numbers of a request of this type, whatever the outcome of the work."""
        fitting = (
            each.items
            for each in self.assignments
            if any(fnmatchcase(service_code, pattern) for pattern in each.service_codes)
        )
        return tuple(dict.fromkeys(next(fitting, self.default)))

    def items_of_series(self, *series: str) -> tuple[int, ...]:
        """The item numbers of these kinds of records, without the kinds that the file lacks."""
        return tuple(each.item for each in self.series if each.series in series)

    def items_of_outcome(self, outcome: str) -> tuple[int, ...]:
        """The item numbers that an outcome adds; none if the file does not know it."""
        return next((each.items for each in self.outcomes if each.outcome == outcome), ())


def schedule_problems(schedule: Schedule) -> Iterator[tuple[str, str, str]]:
    """What is wrong with a schedule: item number, field and reason."""
    begins = schedule.fiscal_year_begins
    try:
        date(2001, begins.month, begins.day)
    except ValueError:
        yield "", "fiscal_year_begins", "is not a day of every year"
    numbers = Counter(item.item for item in schedule.items)
    for item in schedule.items:
        entry = str(item.item)
        if numbers[item.item] > 1:
            yield entry, "item", "listed more than once"
        for field in ("title", "worded"):
            if not getattr(item, field).strip():
                yield entry, field, "is empty"
        if item.kind in _COUNTED and item.count is None:
            yield entry, "count", f"{item.kind} need a number"
        if item.kind not in _COUNTED and item.count is not None:
            yield entry, "count", f"{item.kind} has no number"
        if (item.count or 0) < 0:
            yield entry, "count", "is negative"
        if (item.trigger is None) != (item.kind == "permanent"):
            yield entry, "trigger", "everything but permanent starts after an event"
        if item.verify and item.enabled:
            yield entry, "enabled", "an item that is not verified must be disabled"


def assignment_problems(
    assignments: Assignments, schedule: Schedule
) -> Iterator[tuple[str, str, str]]:
    """What is wrong with assignments to this schedule: entry, field and reason."""
    if assignments.schedule != schedule.schedule:
        yield "", "schedule", f"is not {schedule.schedule}"
    uses: list[tuple[str, str, tuple[int, ...]]] = [("", "default", assignments.default)]
    uses += [(each.assignment, "items", each.items) for each in assignments.assignments]
    uses += [(each.outcome, "items", each.items) for each in assignments.outcomes]
    uses += [(each.series, "item", (each.item,)) for each in assignments.series]
    names = Counter(entry for entry, _, _ in uses)
    for entry, field, items in uses:
        if names[entry] > 1:
            yield entry, field, "this name is used more than once"
        if not items:
            yield entry, field, "is empty"
        for number in items:
            if schedule.by_number(number) is None:
                yield entry, field, f"item {number} is not in the schedule, or is disabled"
