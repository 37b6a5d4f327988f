"""The parameters of the public list."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from direct311.intake.open311.wire.queries import LONGEST_WINDOW, read_query
from direct311.runtime.parameters import read_instant

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
PARAMETERS = [
    "start_date",
    "end_date",
    "updated_after",
    "updated_before",
    "status",
    "bbox",
    "page",
    "page_size",
    "service_code",
    "service_request_id",
    "jurisdiction_id",
    "extensions",
]


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-02T07:00:00Z",
        "2026-03-02T02:00:00-05:00",
        "2026-03-02T07:00:00.000Z",
        "2026-03-02T07:00:00",
        "2026-03-02 07:00:00",
        "2026-03-02T09:00:00 02:00",
        "2026-03-02T09:00:00+02:00",
    ],
)
def test_times_are_read_in_every_form(text: str) -> None:
    assert read_instant(text) == datetime(2026, 3, 2, 7, tzinfo=UTC)


@given(st.text(max_size=40))
def test_what_is_no_time_is_none(text: str) -> None:
    found = read_instant(text)
    assert found is None or found.tzinfo is not None


def test_by_default_the_last_ninety_days() -> None:
    query, problems = read_query({}, NOW)
    assert problems == []
    assert (query.start, query.end) == (NOW - timedelta(days=90), NOW)
    assert (query.page, query.page_size) == (1, 50)


def test_a_start_alone_reaches_ninety_days_or_to_now() -> None:
    query, _ = read_query({"start_date": "2026-03-01T00:00:00Z"}, NOW)
    assert query.end == NOW
    query, _ = read_query({"start_date": "2020-01-01T00:00:00Z"}, NOW)
    assert query.start == datetime(2020, 1, 1, tzinfo=UTC)
    assert query.end == query.start + LONGEST_WINDOW


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ({"start_date": "2025-01-01T00:00:00Z", "end_date": "2026-01-01T00:00:00Z"}, "start_date"),
        ({"start_date": "2026-02-01T00:00:00Z", "end_date": "2026-01-01T00:00:00Z"}, "end_date"),
        ({"start_date": "soon"}, "start_date"),
        ({"updated_after": "9999-99-99"}, "updated_after"),
        ({"status": "pending"}, "status"),
        ({"page": "0"}, "page"),
        ({"page": "-1"}, "page"),
        ({"page": "٣"}, "page"),
        ({"page_size": "1001"}, "page_size"),
        ({"bbox": "1,2,3"}, "bbox"),
        ({"bbox": "-80,25,-81,26"}, "bbox"),
        ({"bbox": "nan,nan,nan,nan"}, "bbox"),
        ({"bbox": "-8_1,25,-80,26"}, "bbox"),
        ({"page": "1" + "0" * 5000}, "page"),
        ({"page": "1000001"}, "page"),
        ({"start_date": "9999-12-31"}, "start_date"),
        ({"end_date": "0001-01-02"}, "end_date"),
        ({"updated_before": "2026"}, "updated_before"),
        ({"jurisdiction_id": "elsewhere"}, "jurisdiction_id"),
        ({"service_request_id": ",".join(str(n) for n in range(1001))}, "service_request_id"),
    ],
)
def test_what_is_wrong_is_named(parameters: dict[str, str], named: str) -> None:
    _, problems = read_query(parameters, NOW)
    assert [problem.field for problem in problems] == [named]


def test_lists_are_by_comma_and_empty_means_not_sent() -> None:
    query, problems = read_query(
        {"service_code": "A, B,,A", "service_request_id": " ", "status": "open,closed", "page": ""},
        NOW,
    )
    assert problems == []
    assert query.service_codes == ("A", "B")
    assert query.ids == ()
    assert query.statuses == ()


def test_open_and_closed_are_extended_statuses() -> None:
    is_open, _ = read_query({"status": "open"}, NOW)
    closed, _ = read_query({"status": "closed"}, NOW)
    assert "in_progress" in is_open.statuses
    assert "fixed" in closed.statuses
    assert not set(is_open.statuses) & set(closed.statuses)


@given(
    st.dictionaries(
        st.sampled_from(PARAMETERS),
        st.text(max_size=20)
        | st.datetimes().map(str)
        | st.integers().map(str)
        | st.lists(st.floats().map(str), min_size=4, max_size=4).map(",".join),
    )
)
def test_any_parameters_are_read_or_refused_by_name(parameters: dict[str, str]) -> None:
    query, problems = read_query(parameters, NOW)
    assert {problem.field for problem in problems} <= set(parameters)
    if problems or query.ids:
        return
    first = query.start or query.updated_after
    last = query.end or query.updated_before
    assert first is not None
    assert last is not None
    assert timedelta(0) <= last - first <= LONGEST_WINDOW


def test_who_asks_for_what_changed_lately_gets_old_requests_too() -> None:
    query, problems = read_query({"updated_after": "2026-03-01T00:00:00Z"}, NOW)
    assert problems == []
    assert (query.start, query.end) == (None, None)
    assert query.updated_after == datetime(2026, 3, 1, tzinfo=UTC)
    assert query.updated_before == NOW
    query, _ = read_query({"updated_before": "2026-03-01T00:00:00Z"}, NOW)
    assert query.updated_after == datetime(2026, 3, 1, tzinfo=UTC) - LONGEST_WINDOW
    far = {"updated_after": "2025-01-01T00:00:00Z", "updated_before": "2026-01-01T00:00:00Z"}
    _, problems = read_query(far, NOW)
    assert [problem.field for problem in problems] == ["updated_after"]
    # With a window of receipt that one bounds the search, and updates may be of any time.
    query, problems = read_query({**far, "start_date": "2026-02-01T00:00:00Z"}, NOW)
    assert problems == []
    assert (query.start, query.end) == (datetime(2026, 2, 1, tzinfo=UTC), NOW)


def test_ids_override_all_filters_and_have_pages() -> None:
    filters = {
        "service_request_id": "b,a,b",
        "status": "neither",
        "start_date": "2020-01-01",
        "end_date": "2026-01-01",
        "updated_after": "soon",
        "bbox": "1",
        "service_code": "X",
    }
    query, problems = read_query(filters, NOW)
    assert problems == []
    assert query.ids == ("b", "a")
    assert (query.page, query.page_size) == (1, 1000)
    assert (query.service_codes, query.statuses, query.bbox) == ((), (), None)
    _, problems = read_query({**filters, "page": "0", "jurisdiction_id": "broward"}, NOW)
    assert {problem.field for problem in problems} == {"page", "jurisdiction_id"}
