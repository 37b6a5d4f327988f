"""The county's working days."""

from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from direct311.routing.assignment.adapters import load_rules
from direct311.routing.deadlines.domain import working_days
from direct311.runtime.datafile import DataFileError, packaged
from tests.support.data_files import changed, entry

CALENDAR = load_rules().rulebook.calendar
SOURCE = packaged("direct311.routing", "calendar.yaml")

days = st.dates(date(2013, 1, 1), date(2032, 12, 31))


# As the county observed them, from its own lists. (Its list for 2015 gives Thanksgiving as
# 28 November, which was a Saturday; the fourth Thursday is used.)
OBSERVED = {
    2013: "01-01 01-21 02-18 05-27 07-04 09-02 10-14 11-11 11-28 11-29 12-25",
    2014: "01-01 01-20 02-17 05-26 07-04 09-01 10-13 11-11 11-27 11-28 12-25",
    2015: "01-01 01-19 02-16 05-25 07-03 09-07 10-12 11-11 11-26 11-27 12-25",
    2024: "01-01 01-15 02-19 05-27 06-19 07-04 09-02 10-14 11-11 11-28 11-29 12-25",
}


@pytest.mark.parametrize("year", OBSERVED)
def test_holidays_are_kept_on_the_days_the_county_published(year: int) -> None:
    expected = {date.fromisoformat(f"{year}-{day}") for day in OBSERVED[year].split()}
    assert CALENDAR.holidays(year) == expected


def test_new_year_on_a_saturday_is_kept_in_the_year_before() -> None:
    assert date(2021, 12, 31) in CALENDAR.holidays(2021)
    assert date(2022, 1, 1) not in CALENDAR.holidays(2022)
    assert not CALENDAR.is_working(date(2021, 12, 31))


def test_juneteenth_began_in_2021_and_moves_forward() -> None:
    assert CALENDAR.is_working(date(2020, 6, 19))
    assert not CALENDAR.is_working(date(2021, 6, 21))
    assert CALENDAR.is_working(date(2021, 6, 18))


def test_a_holiday_still_to_be_verified_is_a_working_day() -> None:
    assert CALENDAR.is_working(date(2024, 5, 10))


@pytest.mark.parametrize(
    ("received", "starts"),
    [
        # Local times; Florida is five hours behind UTC in winter and four in summer.
        ("2014-01-16T17:40-05:00", "2014-01-17"),
        ("2014-01-16T16:59-05:00", "2014-01-16"),
        ("2014-01-16T06:00-05:00", "2014-01-16"),
        ("2014-01-17T17:00-05:00", "2014-01-21"),  # Friday evening, then a holiday Monday
        ("2017-02-18T10:03-05:00", "2017-02-21"),  # Saturday before Presidents' Day
        ("2015-07-03T12:00-04:00", "2015-07-06"),
        ("2016-07-06T02:00+00:00", "2016-07-06"),  # 22:00 on the 5th in Miami: after closing
        ("2016-07-05T20:30+00:00", "2016-07-05"),  # 16:30 in Miami
    ],
)
def test_what_comes_while_the_county_is_closed_counts_from_the_next_opening(
    received: str, starts: str
) -> None:
    assert CALENDAR.starts_on(datetime.fromisoformat(received)) == date.fromisoformat(starts)


@given(days, st.integers(0, 60))
def test_the_nth_working_day_is_working_and_has_n_of_them_before_it(start: date, n: int) -> None:
    due = working_days(CALENDAR, start, n)
    assert CALENDAR.is_working(due)
    first = CALENDAR.next_working(start)
    between = [first + timedelta(days=i) for i in range(1, (due - first).days + 1)]
    assert sum(CALENDAR.is_working(day) for day in between) == n


@given(days, st.integers(0, 30), st.integers(0, 30))
def test_counting_in_two_steps_is_counting_in_one(start: date, a: int, b: int) -> None:
    assert working_days(CALENDAR, working_days(CALENDAR, start, a), b) == working_days(
        CALENDAR, start, a + b
    )


@given(days, days, st.integers(0, 30))
def test_who_comes_later_is_not_due_earlier(one: date, other: date, n: int) -> None:
    early, late = sorted((one, other))
    assert working_days(CALENDAR, early, n) <= working_days(CALENDAR, late, n)


@given(days)
def test_no_more_than_four_days_in_a_row_are_free(day: date) -> None:
    assert any(CALENDAR.is_working(day + timedelta(days=i)) for i in range(5))


@given(days, st.times())
def test_the_clock_starts_on_a_working_day_not_before_receipt(day: date, at: time) -> None:
    received = datetime.combine(day, at, UTC)
    starts = CALENDAR.starts_on(received)
    assert CALENDAR.is_working(starts)
    assert starts >= received.date() - timedelta(days=1)


def test_days_are_not_counted_backwards() -> None:
    with pytest.raises(ValueError, match="forward"):
        working_days(CALENDAR, date(2026, 1, 5), -1)


def test_a_closure_is_no_working_day(tmp_path: Path) -> None:
    def close(tree: dict[str, Any]) -> None:
        tree["closures"] = [{"day": date(2026, 9, 10), "reason": "hurricane"}]

    changed(SOURCE, tmp_path, close)
    calendar = load_rules(tmp_path).rulebook.calendar
    assert not calendar.is_working(date(2026, 9, 10))
    assert working_days(calendar, date(2026, 9, 9), 1) == date(2026, 9, 11)


def verify_on(tree: dict[str, Any]) -> None:
    entry(tree, "holidays", "holiday", "law_enforcement_appreciation")["enabled"] = True


def thirtieth_of_february(tree: dict[str, Any]) -> None:
    entry(tree, "holidays", "holiday", "juneteenth")["rule"].update(month=2, day=30)


def fifth_monday(tree: dict[str, Any]) -> None:
    entry(tree, "holidays", "holiday", "labor_day")["rule"]["nth"] = 5


def elsewhere(tree: dict[str, Any]) -> None:
    tree["time_zone"] = "America/Miami"


def always_shut(tree: dict[str, Any]) -> None:
    tree["closes"] = "08:00"


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (verify_on, ("law_enforcement_appreciation", "enabled")),
        (thirtieth_of_february, ("juneteenth", "rule.day")),
        (fifth_monday, ("labor_day", "rule.nth")),
        (elsewhere, ("", "time_zone")),
        (always_shut, ("", "closes")),
    ],
)
def test_a_bad_calendar_is_refused_by_holiday_and_field(
    tmp_path: Path, change: Any, problem: tuple[str, str]
) -> None:
    changed(SOURCE, tmp_path, change)
    with pytest.raises(DataFileError) as refused:
        load_rules(tmp_path)
    assert problem in [each[:2] for each in refused.value.problems]
