"""The county's working days: weekends, holidays by rule, closures."""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import date, datetime, time, timedelta
from types import MappingProxyType
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from direct311.schemas import Model

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]

_NUMBERS: Mapping[Weekday, int] = MappingProxyType(
    {
        "monday": 0,
        "tuesday": 1,
        "wednesday": 2,
        "thursday": 3,
        "friday": 4,
        "saturday": 5,
        "sunday": 6,
    }
)
_DAY = timedelta(days=1)


class FixedDay(Model, extra="forbid"):
    """The same day every year."""

    kind: Literal["fixed"]
    month: int
    day: int


class NthWeekday(Model, extra="forbid"):
    """The nth weekday of a month, counted from its end if `nth` is negative."""

    kind: Literal["weekday"]
    month: int
    weekday: Weekday
    nth: int
    days_later: int = 0


class Holiday(Model, extra="forbid"):
    """One holiday. `verify`: not yet checked in a primary source, and so disabled."""

    holiday: str
    name: str
    rule: FixedDay | NthWeekday
    weekend_rule: Literal["nearest", "next", "none"] = "none"
    from_year: int | None = None
    until_year: int | None = None
    verify: bool = False
    enabled: bool = True

    def observed(self, year: int) -> date | None:
        """The day on which this year's holiday is observed, which may be in the previous year."""
        if not self.enabled or year < (self.from_year or year) or year > (self.until_year or year):
            return None
        if isinstance(self.rule, NthWeekday):
            return _nth_weekday(self.rule, year)
        day = date(year, self.rule.month, self.rule.day)
        if self.weekend_rule == "none" or day.weekday() < 5:
            return day
        if self.weekend_rule == "nearest" and day.weekday() == 5:
            return day - _DAY
        return day + timedelta(days=7 - day.weekday())


class Closure(Model, extra="forbid"):
    """A day on which the county was closed, and why."""

    day: date
    reason: str


class CalendarRules(Model, extra="forbid"):
    """The whole file. `opens` and `closes` are local times, HH:MM."""

    calendar_of: str
    version: str
    citation: str
    effective_from: date
    effective_until: date | None = None
    planned_until: date
    time_zone: str
    opens: time
    closes: time
    weekend: tuple[Weekday, ...]
    holidays: tuple[Holiday, ...]
    closures: tuple[Closure, ...] = ()


class WorkingCalendar:
    """Answers for single days. The holidays of a year are computed once, when first needed."""

    def __init__(self, rules: CalendarRules) -> None:
        self.version = rules.version
        self.closes = rules.closes
        self._zone = ZoneInfo(rules.time_zone)
        self._weekend = frozenset(_NUMBERS[name] for name in rules.weekend)
        self._holidays = rules.holidays
        self._closures = frozenset(closure.day for closure in rules.closures)
        self._by_year: dict[int, frozenset[date]] = {}

    def holidays(self, year: int) -> frozenset[date]:
        """The days of this year on which a holiday is observed."""
        if year not in self._by_year:
            # New Year's Day on a Saturday is observed on the last day of the previous year.
            kept = (each.observed(of) for of in (year, year + 1) for each in self._holidays)
            self._by_year[year] = frozenset(day for day in kept if day and day.year == year)
        return self._by_year[year]

    def is_working(self, day: date) -> bool:
        return (
            day.weekday() not in self._weekend
            and day not in self._closures
            and day not in self.holidays(day.year)
        )

    def next_working(self, day: date) -> date:
        """`day` itself if it is a working day, otherwise the first working day after it."""
        while not self.is_working(day):
            day += _DAY
        return day

    def starts_on(self, received_at: datetime) -> date:
        """The working day on which the clock of a request starts.

        A request that arrives while the county is closed counts as arriving at the next opening.
        """
        local = received_at.astimezone(self._zone)
        day = local.date()
        if self.is_working(day) and local.time() >= self.closes:
            day += _DAY
        return self.next_working(day)


def working_days(calendar: WorkingCalendar, start: date, n: int) -> date:
    """The n-th working day after `start`; for 0, `start` itself or the first working day after it.

    :raises ValueError: `n` is negative.
    """
    if n < 0:
        raise ValueError("working days are counted forward")
    day = calendar.next_working(start)
    for _ in range(n):
        day = calendar.next_working(day + _DAY)
    return day


def problems(rules: CalendarRules) -> Iterator[tuple[str, str, str]]:
    """What is wrong with a calendar: holiday, field and reason."""
    try:
        ZoneInfo(rules.time_zone)
    except (ZoneInfoNotFoundError, ValueError):
        yield "", "time_zone", "is unknown"
    if rules.opens >= rules.closes:
        yield "", "closes", "must be after opens"
    if len(set(rules.weekend)) == len(_NUMBERS):
        yield "", "weekend", "leaves no working day"
    names = Counter(each.holiday for each in rules.holidays)
    for each in rules.holidays:
        if names[each.holiday] > 1:
            yield each.holiday, "holiday", "named more than once"
        if each.verify and each.enabled:
            yield each.holiday, "enabled", "an item that is not verified must be disabled"
        yield from ((each.holiday, field, reason) for field, reason in _rule_problems(each.rule))


def _rule_problems(rule: FixedDay | NthWeekday) -> Iterator[tuple[str, str]]:
    if not 1 <= rule.month <= 12:
        yield "rule.month", "is not a month"
    elif isinstance(rule, NthWeekday):
        if rule.nth == 0 or not -4 <= rule.nth <= 4:
            yield "rule.nth", "must be 1 to 4, or -1 to -4 from the end"
    else:
        try:
            date(2001, rule.month, rule.day)
        except ValueError:
            yield "rule.day", "is not a day of every year"


def _nth_weekday(rule: NthWeekday, year: int) -> date:
    wanted = _NUMBERS[rule.weekday]
    if rule.nth > 0:
        first = date(year, rule.month, 1)
        day = first + timedelta(days=(wanted - first.weekday()) % 7 + 7 * (rule.nth - 1))
    else:
        last = (date(year, rule.month, 28) + timedelta(days=4)).replace(day=1) - _DAY
        day = last - timedelta(days=(last.weekday() - wanted) % 7 - 7 * (rule.nth + 1))
    return day + timedelta(days=rule.days_later)
