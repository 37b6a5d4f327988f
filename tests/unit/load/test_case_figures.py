"""The bench's own arithmetic about disclosure cases."""

import pytest

from tests.load.cases.beside import RENDERED, SEARCHED, Turns, Work, counted
from tests.load.cases.collecting import Collection
from tests.load.cases.grants import Effective
from tests.load.cases.orders import Approvals, added
from tests.load.cases.table import (
    beside_lines,
    collection_lines,
    grant_lines,
    order_lines,
    percentile,
)
from tests.load.generators import Burst


@pytest.mark.parametrize(
    ("count", "percent", "found"),
    [(1, 99, 1), (2, 50, 1), (100, 50, 50), (100, 99, 99), (101, 99, 100), (50, 99, 50)],
)
def test_a_percentile_is_a_value_that_was_measured(count: int, percent: int, found: float) -> None:
    assert percentile([float(each) for each in range(count, 0, -1)], percent) == found


def test_open_cases_add_what_the_median_approval_takes_longer() -> None:
    took = {0: [10.0, 11.0, 90.0], 100: [10.5, 11.5, 12.0], 1_000: [9.0, 10.0, 10.5]}
    assert added(took) == {0: 0.0, 100: 0.5, 1_000: -1.0}


def test_the_ratio_is_that_of_the_middle_turn_to_the_gateways_own_rate() -> None:
    found = Turns(
        alone=[_burst(100), _burst(200), _burst(400)],
        beside=[_burst(90), _burst(100), _burst(400)],
    )
    assert (found.ratios, found.ratio) == ([0.9, 0.5, 1.0], 0.9)


def test_each_line_says_what_is_wanted() -> None:
    grants = Effective(
        floor=[20.0], granted=[100.0, 1_900.0], revoked=[50.0, 60.0], granted_at={"media": [100.0]}
    )
    told = list(grant_lines(grants))
    assert told[0] == (
        "a grant is effective at all owners",
        "p50 100 ms, p99 1,900 ms",
        "of 2 grants; wanted: p99 below 2,000 ms",
    )
    assert [each[0] for each in told[1:]] == [
        "  at media",
        "a grant is over at all owners",
        "  floor: all four asked once under a grant in force",
    ]

    whole = list(collection_lines(Collection(1_000, 500, 10.0, 20.0, 5.5, 2_000_000)))
    assert whole[0][1:] == ("25.5 s", "wanted: 60 s for 1,000; 500 items withheld, 2.0 MB")
    assert whole[-1][1] == "2.0"

    orders = Approvals(quiet={0: [10.0], 1_000: [10.4]}, fresh={0: [12.0], 1_000: [15.0]})
    notes = [note for *_, note in order_lines(orders)]
    assert notes == [
        "1 orders; the floor",
        "1 orders; +0.40 ms; wanted: below 1 ms",
        "1 orders; the floor",
        "1 orders; +3.00 ms",
    ]


def test_the_work_beside_the_gateway_is_told_a_second() -> None:
    found = Turns(
        floor=[_burst(500)] * 2,
        alone=[_burst(100)] * 2,
        beside=[_burst(95)] * 2,
        work=Work(rendered=100, searched=3),
        quiet=Work(rendered=300, searched=2),
    )
    lines = {what.strip(): (value, note) for what, value, note in beside_lines(found, 10)}
    assert lines["ratio to its own rate"] == ("0.95", "in turns: 0.95, 0.95; wanted: 0.9")
    assert lines["collected and rendered meanwhile"][0] == "5.0 records/s"
    assert lines["the same without a burst"][0] == "30.0 records/s"


def test_the_work_is_counted_by_what_intake_answered() -> None:
    metrics = """
# HELP direct311_http_seconds Time of a request
direct311_http_seconds_count{route="/internal/cases/{case_id}/leaks",status="2xx"} 4.0
direct311_http_seconds_count{route="/internal/cases/{case_id}/leaks",status="4xx"} 9.0
direct311_http_seconds_sum{route="/internal/cases/{case_id}/leaks",status="2xx"} 0.7
direct311_http_seconds_count{route="/internal/{case_id}/{record_id}/rendering",status="2xx"} 120.0
direct311_http_seconds_count{route="/open311/v2/requests.json",status="2xx"} 900.0
"""
    after = counted(metrics)
    assert after == {RENDERED: 120, SEARCHED: 4}
    work = Work(rendered=5)
    work.more({RENDERED: 20, SEARCHED: 3}, after)
    assert (work.rendered, work.searched) == (105, 1)


def _burst(rate: float) -> Burst:
    return Burst(rate, 1.0, 2.0, 0)
