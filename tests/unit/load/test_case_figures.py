"""The bench's own arithmetic about disclosure cases."""

import random

import pytest

from tests.load.cases.beside import RENDERED, SEARCHED, Turns, Work, counted
from tests.load.cases.collecting import Collection
from tests.load.cases.grants import Effective
from tests.load.cases.orders import Approvals, Pairs, middle
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


def test_open_cases_add_the_middle_of_the_pairs_differences() -> None:
    pairs = Pairs(with_cases=[10.5, 80.0, 12.0], without=[10.0, 79.0, 90.0])
    assert pairs.added == (0.5, -78.0, 1.0)


def test_the_interval_has_the_true_middle_in_95_of_100_runs() -> None:
    chance = random.Random(4)
    found = [middle([chance.gauss(7.0, 3.0) for _ in range(60)]) for _ in range(1_000)]
    inside = sum(low <= 7.0 <= high for _, low, high in found)
    assert 930 <= inside <= 980
    assert all(low <= each <= high for each, low, high in found)
    assert middle([3.0]) == (3.0, 3.0, 3.0)


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

    pairs = {1_000: Pairs(with_cases=[10.4], without=[10.0])}
    orders = Approvals(pairs, pairs, pairs, pairs, pairs)
    lines = list(order_lines(orders))
    assert lines[0] == (
        "what an approval asks of 1,000 open cases, by itself",
        "+0.40 ms (+0.40 to +0.40)",
        "1 pairs, p50 10.40 with and 10.00 ms without; wanted: below 1 ms",
    )
    assert [what for what, *_ in lines[3:]] == [
        "approval of an order beside 1,000 open cases",
        "  the same, another one just opened",
    ]


def test_the_work_beside_the_gateway_is_told_a_second() -> None:
    found = Turns(
        floor=[_burst(500)] * 2,
        alone=[_burst(100)] * 2,
        beside=[_burst(95)] * 2,
        work=Work(rendered=100, searched=3),
        quiet=Work(rendered=300, searched=2),
        used_alone={"intake": 2.0, "database": 1.0},
        used_beside={"intake": 2.2, "database": 1.3},
    )
    lines = {what.strip(): (value, note) for what, value, note in beside_lines(found, 10)}
    assert lines["ratio to its own rate"] == ("0.95", "in turns: 0.95, 0.95; wanted: 0.9")
    assert lines["collected and rendered meanwhile"][0] == "5.0 records/s"
    assert lines["the same without a burst"][0] == "30.0 records/s"
    # Two bursts of a second: 2.2 s for 190 requests beside the work, 2 s for 200 without it.
    assert lines["processor that the work took for each accepted request"] == (
        "3.42 ms",
        "database 1.84, intake 1.58",
    )


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
