"""When a record becomes eligible for disposition."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from direct311.retention.schedule.adapters import load_retention
from direct311.retention.schedule.domain.clocks import (
    Component,
    eligible_on,
    longest,
    request_dates,
)
from direct311.retention.schedule.domain.schedule import FiscalYear, Item, Kind, Trigger
from tests.support.schedule import eligibility

SCHEDULE = load_retention().schedule
OCTOBER = SCHEDULE.fiscal_year_begins

days = st.dates(date(1990, 1, 1), date(2090, 12, 31))
counts = st.integers(0, 75)
counted_kinds: st.SearchStrategy[Kind] = st.sampled_from(
    ["anniversary_years", "fiscal_years", "calendar_years", "days"]
)
fiscal_years = st.builds(FiscalYear, month=st.integers(1, 12), day=st.integers(1, 28))


def item(kind: Kind, count: int | None = None, trigger: Trigger | None = "resolved") -> Item:
    return Item(item=1, title="SERIES", worded="As said.", kind=kind, count=count, trigger=trigger)


counted_items = st.builds(item, counted_kinds, counts)


@pytest.mark.parametrize(
    ("kind", "count", "trigger_on", "eligible"),
    [
        ("fiscal_years", 3, "2024-11-15", "2028-10-01"),
        ("fiscal_years", 3, "2024-09-30", "2027-10-01"),
        ("fiscal_years", 3, "2024-10-01", "2028-10-01"),
        ("fiscal_years", 1, "2024-02-29", "2025-10-01"),
        ("fiscal_years", 5, "2025-09-30", "2030-10-01"),
        ("anniversary_years", 1, "2024-11-15", "2025-11-15"),
        ("anniversary_years", 4, "2024-02-29", "2028-02-29"),
        ("anniversary_years", 1, "2024-02-29", "2025-03-01"),
        ("anniversary_years", 1, "2023-02-28", "2024-02-28"),
        ("calendar_years", 4, "2024-01-01", "2029-01-01"),
        ("calendar_years", 4, "2024-12-31", "2029-01-01"),
        ("days", 30, "2024-02-01", "2024-03-02"),
        ("days", 0, "2024-02-01", "2024-02-01"),
    ],
)
def test_clocks(kind: Kind, count: int, trigger_on: str, eligible: str) -> None:
    started = date.fromisoformat(trigger_on)
    assert eligible_on(item(kind, count), started, OCTOBER) == date.fromisoformat(eligible)


def test_permanent_never_comes_and_what_waits_has_no_date() -> None:
    assert eligible_on(item("permanent", trigger=None), date(2024, 1, 1), OCTOBER) is None
    assert eligible_on(item("fiscal_years", 3), None, OCTOBER) is None
    assert eligible_on(item("until_obsolete"), None, OCTOBER) is None


def test_obsolete_and_related_records_go_with_their_event() -> None:
    day = date(2026, 5, 4)
    assert eligible_on(item("until_obsolete", trigger="obsolete"), day, OCTOBER) == day
    assert eligible_on(item("as_related", trigger="related_disposed"), day, OCTOBER) == day


@given(counted_items, days, fiscal_years)
def test_nothing_is_eligible_before_its_clock_started(
    of: Item, started: date, fiscal_year: FiscalYear
) -> None:
    on = eligible_on(of, started, fiscal_year)
    assert on is not None
    assert on >= started


@given(counted_items, days, days, fiscal_years)
def test_a_later_event_never_makes_eligible_earlier(
    of: Item, one: date, other: date, fiscal_year: FiscalYear
) -> None:
    early, late = (eligible_on(of, day, fiscal_year) for day in sorted((one, other)))
    assert early is not None
    assert late is not None
    assert early <= late


@given(counted_kinds, counts, days, fiscal_years)
def test_a_longer_retention_never_ends_earlier(
    kind: Kind, count: int, started: date, fiscal_year: FiscalYear
) -> None:
    shorter = eligible_on(item(kind, count), started, fiscal_year)
    longer = eligible_on(item(kind, count + 1), started, fiscal_year)
    assert shorter is not None
    assert longer is not None
    assert shorter < longer


@given(counts, days, fiscal_years)
def test_fiscal_years_end_with_a_fiscal_year_and_are_full(
    count: int, started: date, fiscal_year: FiscalYear
) -> None:
    on = eligible_on(item("fiscal_years", count), started, fiscal_year)
    assert on is not None
    assert (on.month, on.day) == (fiscal_year.month, fiscal_year.day)
    anniversary = eligible_on(item("anniversary_years", count), started, fiscal_year)
    next_one = eligible_on(item("anniversary_years", count + 1), started, fiscal_year)
    assert anniversary is not None
    assert next_one is not None
    assert anniversary < on <= next_one


@given(counts, days)
def test_a_fiscal_year_that_begins_with_the_year_is_a_calendar_year(
    count: int, started: date
) -> None:
    january = FiscalYear(month=1, day=1)
    assert eligible_on(item("fiscal_years", count), started, january) == eligible_on(
        item("calendar_years", count), started, january
    )


@given(st.integers(1, 75), days)
def test_an_anniversary_is_the_same_day_or_the_first_of_march(count: int, started: date) -> None:
    on = eligible_on(item("anniversary_years", count), started, OCTOBER)
    assert on is not None
    assert on.year == started.year + count
    if (on.month, on.day) != (started.month, started.day):
        assert (started.month, started.day) == (2, 29)
        assert on - timedelta(days=1) == date(on.year, 2, 28)


components = st.lists(
    st.builds(
        Component,
        name=st.sampled_from(["request", "media", "work order"]),
        item=st.one_of(st.none(), counted_items, st.just(item("permanent", trigger=None))),
        trigger_on=st.one_of(st.none(), days),
    ),
    min_size=1,
    max_size=5,
)


@given(components, components)
def test_adding_a_component_never_frees_a_record_earlier(
    some: list[Component], more: list[Component]
) -> None:
    order = {"dated": 0, "waiting": 1, "permanent": 2}
    before, after = longest(some, OCTOBER), longest([*some, *more], OCTOBER)
    assert order[after.state] >= order[before.state]
    if before.on and after.on:
        assert after.on >= before.on


@given(components)
def test_the_deciding_component_is_one_of_them_and_says_why(some: list[Component]) -> None:
    found = longest(some, OCTOBER)
    assert found.component in {each.name for each in some}
    assert (found.on is not None) == (found.state == "dated")
    assert found.reason


def test_a_record_needs_a_component() -> None:
    with pytest.raises(ValueError, match="at least one"):
        longest([], OCTOBER)


def test_the_longest_kept_item_decides_and_is_named() -> None:
    found = eligibility((94, 141), request_dates(date(2024, 11, 1), date(2024, 11, 15)), SCHEDULE)
    assert (found.state, found.on, found.item) == ("dated", date(2028, 10, 1), 141)
    assert (found.trigger, found.trigger_on) == ("completed", date(2024, 11, 15))
    assert found.reason == "Item 141: 3 fiscal years."


def test_an_open_request_waits_even_where_an_incident_has_its_date() -> None:
    found = eligibility((94, 241), request_dates(date(2024, 11, 1), None), SCHEDULE)
    assert (found.state, found.on, found.item) == ("waiting", None, 94)


def test_reopening_and_closing_again_restarts_the_clock() -> None:
    received = date(2024, 1, 2)
    first = eligibility((94,), request_dates(received, date(2024, 2, 1)), SCHEDULE)
    again = eligibility((94,), request_dates(received, date(2024, 6, 1)), SCHEDULE)
    assert (first.on, again.on) == (date(2025, 2, 1), date(2025, 6, 1))


def test_a_series_without_a_schedule_is_permanent() -> None:
    found = eligibility((94, 9999), request_dates(date(2024, 1, 2), date(2024, 2, 1)), SCHEDULE)
    assert (found.state, found.on, found.item) == ("permanent", None, None)


def test_certificates_are_permanent_and_audit_entries_go_with_their_record() -> None:
    assert eligibility((45,), {}, SCHEDULE).state == "permanent"
    assert eligibility((393,), {}, SCHEDULE).state == "waiting"
    gone = eligibility((393,), {"related_disposed": date(2030, 1, 2)}, SCHEDULE)
    assert gone.on == date(2030, 1, 2)
