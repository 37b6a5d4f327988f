"""What was measured of disclosure cases, as lines of the table, with what is wanted."""

import statistics
from collections.abc import Iterator, Sequence

from tests.load.cases.beside import Turns, Work
from tests.load.cases.collecting import Collection
from tests.load.cases.grants import Effective
from tests.load.cases.orders import Approvals
from tests.load.generators import Burst

Line = tuple[str, str, str]

GRANT_SECONDS = 2.0
COLLECTION_RECORDS, COLLECTION_SECONDS = 1_000, 60.0
ORDER_MILLISECONDS = 1.0
GATEWAY_RATIO = 0.9
"""What is wanted."""


def percentile(values: Sequence[float], percent: int) -> float:
    """The value that so many in a hundred do not exceed; the largest if there are few."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


def grant_lines(found: Effective) -> Iterator[Line]:
    """Until a grant is effective everywhere, and until its end is."""
    whole = (
        ("effective", found.granted, found.granted_at),
        ("over", found.revoked, found.revoked_at),
    )
    for what, everywhere, owners in whole:
        yield (
            f"a grant is {what} at all owners",
            f"p50 {percentile(everywhere, 50):,.0f} ms, p99 {percentile(everywhere, 99):,.0f} ms",
            f"of {len(everywhere)} grants; wanted: p99 below {GRANT_SECONDS * 1000:,.0f} ms",
        )
        for name, took in owners.items():
            yield (
                f"  at {name}",
                f"p50 {percentile(took, 50):,.0f} ms, p99 {percentile(took, 99):,.0f} ms",
                "",
            )
    yield (
        "  floor: all four asked once under a grant in force",
        f"p50 {percentile(found.floor, 50):,.0f} ms, p99 {percentile(found.floor, 99):,.0f} ms",
        "",
    )


def collection_lines(found: Collection) -> Iterator[Line]:
    """Until a case's records are collected and packaged."""
    both = found.collected + found.built
    wanted = f"wanted: {COLLECTION_SECONDS:.0f} s for {COLLECTION_RECORDS:,}"
    yield (
        f"{found.records:,} records collected, rendered and packaged",
        f"{both:.1f} s",
        f"{wanted}; {found.withheld:,} items withheld, {found.size / 1e6:.1f} MB",
    )
    yield (
        "  collected and rendered",
        f"{found.collected:.1f} s",
        f"{found.collected / found.records * 1000:.1f} ms a record",
    )
    yield "  packaged, and searched for leaks", f"{found.built:.1f} s", ""
    yield (
        "  floor: one field of each opened",
        f"{found.floor:.1f} s",
        "each opening in the log first",
    )
    yield "  times the floor", f"{found.collected / found.floor:.1f}", "collected and rendered"


def order_lines(found: Approvals) -> Iterator[Line]:
    """What open cases add to the approval of an order."""
    wanted = f"wanted: below {ORDER_MILLISECONDS:.0f} ms"
    of_all = (
        ("what an approval asks of {} open cases, by itself", found.question, wanted),
        ("  the same, another one just opened", found.fresh_question, wanted),
        ("  the same, everything read again", found.all_again, "once a process starts"),
        ("approval of an order beside {} open cases", found.quiet, wanted),
        ("  the same, another one just opened", found.fresh, wanted),
    )
    for number in sorted(found.quiet):
        for what, by_number, note in of_all:
            pairs = by_number[number]
            least, low, high = pairs.added
            yield (
                what.format(f"{number:,}"),
                f"{least:+.2f} ms ({low:+.2f} to {high:+.2f})",
                f"{len(pairs.without)} pairs, p50 {percentile(pairs.with_cases, 50):.2f} with and"
                f" {percentile(pairs.without, 50):.2f} ms without; {note}",
            )


def beside_lines(found: Turns, seconds: int) -> Iterator[Line]:
    """The gateway beside the work of a case."""

    def middle(bursts: Sequence[Burst]) -> str:
        return f"{statistics.median(each.per_second for each in bursts):,.0f}/s"

    def work(done: Work, length: int) -> str:
        return f"{done.rendered / length:,.1f} records/s"

    turns = ", ".join(f"{each:.2f}" for each in found.ratios)
    length = seconds * len(found.beside)
    yield "floor, all services running", middle(found.floor), "in the same turns"
    yield "gateway without cases", middle(found.alone), ""
    yield "gateway beside collecting and packaging", middle(found.beside), ""
    yield (
        "  ratio to its own rate",
        f"{found.ratio:.2f}",
        f"in turns: {turns}; wanted: {GATEWAY_RATIO}",
    )
    yield (
        "  collected and rendered meanwhile",
        work(found.work, length),
        f"{found.work.searched} questions for what to look for in packages, in {length} s",
    )
    yield (
        "  the same without a burst",
        work(found.quiet, seconds),
        f"{found.quiet.searched} questions in {seconds} s",
    )
    if cost := found.cost_of_the_work:
        most = sorted(cost, key=lambda name: -cost[name])
        yield (
            "  processor that the work took for each accepted request",
            f"{sum(cost.values()):.2f} ms",
            ", ".join(f"{name} {cost[name]:.2f}" for name in most),
        )
