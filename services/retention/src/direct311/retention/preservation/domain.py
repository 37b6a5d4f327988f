"""When a case must have bounds: the county's business days."""

from calendar import monthrange
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Literal, get_args
from zoneinfo import ZoneInfo

from direct311.schemas import Instant, Model

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
_WEEKDAYS = get_args(Weekday)
_DAY = timedelta(days=1)


class DayOff(Model, extra="forbid"):
    """A holiday on the same `day` every year, which a weekend moves to Friday or Monday; or on the
    nth weekday of its month, counted from the end if `nth` is negative, `days_later`."""

    holiday: str
    month: int
    day: int | None = None
    weekday: Weekday | None = None
    nth: int | None = None
    days_later: int = 0

    def observed(self, year: int) -> date:
        """The day off for this year's holiday."""
        if self.day is not None:
            day = date(year, self.month, self.day)
            return day + {5: -_DAY, 6: _DAY}.get(day.weekday(), timedelta())
        nth, weekday = self.nth or 1, _WEEKDAYS.index(self.weekday or "monday")
        if nth > 0:
            first = date(year, self.month, 1)
            day = first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (nth - 1))
        else:
            last = date(year, self.month, monthrange(year, self.month)[1])
            day = last - timedelta(days=(last.weekday() - weekday) % 7 + 7 * (-nth - 1))
        return day + timedelta(days=self.days_later)


class BusinessDays(Model, extra="forbid"):
    """The days on which the county works: Monday to Friday, without holidays and closures."""

    business_days_of: str
    version: str
    citation: str
    effective_from: date
    effective_until: date | None = None
    holidays: tuple[DayOff, ...]
    closures: tuple[date, ...] = ()

    def works_on(self, day: date) -> bool:
        """Whether this is a business day."""
        # New Year's Day on a Saturday is observed on the last day of the year before.
        off = {each.observed(year) for year in (day.year, day.year + 1) for each in self.holidays}
        return day.weekday() < 5 and day not in off and day not in self.closures

    def end_of(self, days: int, after: datetime, zone: ZoneInfo) -> datetime:
        """When the last of so many business days after this instant's day has ended."""
        day = after.astimezone(zone).date()
        while days:
            day += _DAY
            days -= self.works_on(day)
        return datetime.combine(day + _DAY, time(), zone)


def calendar_problems(calendar: BusinessDays) -> Iterator[tuple[str, str, str]]:
    """What is wrong with a file of business days: entry, field and reason."""
    for each in calendar.holidays:
        if (each.day is None) == (each.weekday is None) or (each.weekday is None) != (
            each.nth is None
        ):
            yield each.holiday, "day", "give day, or weekday and nth"
            continue
        if each.nth is not None and each.nth not in (-1, 1, 2, 3, 4):
            yield each.holiday, "nth", "must be 1 to 4, or -1"
            continue
        try:
            each.observed(2026)
        except ValueError:
            yield each.holiday, "day", "is no such day"


class CaseTask(Model):
    """What somebody must do about what a case stops. `set_bounds`: it has none, so it stops all
    destruction. `release_hold`: its hold may be released now, by a person other than who placed it.
    `answer_message`: its requester wrote last. `answer_notice`: a suit, or a notice of one under
    section 119.12, F.S., has no answer yet."""

    case_id: str
    task: Literal["set_bounds", "release_hold", "answer_message", "answer_notice"]
    hold_id: str | None = None
    due_at: Instant
    overdue: bool
