"""The parts of the suite that may run in parallel, each in its own pytest process.

`county`: tests of the whole shared stack, and the search for canaries, whose own stack starts when
that one has stopped. `servers`: live tests with their own stacks, with the one that they may harm,
or with only the servers. `units`: everything that needs no server. The first two wait most of the
time, and take about as long as each other. No part has two whole stacks up at a time: one that
nobody uses still takes a quarter of a processor from those that are used.
"""

import fcntl
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import pytest

TESTS = Path(__file__).parents[1]

Part = Literal["county", "servers", "units"]
PARTS: tuple[Part, ...] = ("county", "servers", "units")

PORTS: Mapping[Part, range] = {
    "county": range(20_000, 24_000),
    "servers": range(24_000, 28_000),
    "units": range(28_000, 32_000),
}
"""The ports of each part's stacks, so that nobody else takes the port of a briefly stopped
stack."""

_FOLDERS: Mapping[str, tuple[Part, ...]] = {
    "unit": ("units",),
    "tampering": ("units",),
    "contract": ("servers",),
    "privacy": ("county",),
    "e2e": ("county", "servers"),
    "fuzz": ("county",),
    "hostile": ("county", "units"),
    "protection": ("county", "servers"),
    "redaction": ("servers", "units"),
    "wire": ("servers", "county"),
    "faults": ("servers", "county"),
}
"""The folders of each part's tests; the first part gets tests whose fixtures and markers say
nothing."""
_NEED_SERVERS = frozenset({"wire", "e2e", "faults"})
"""Markers."""

_FAILED = "cache/lastfailed"


def parts_in(path: Path) -> tuple[Part, ...]:
    """The parts that have tests in a file or folder."""
    if path == TESTS or not path.is_relative_to(TESTS):
        return PARTS
    return _FOLDERS.get(path.relative_to(TESTS).parts[0], ("servers", "county"))


def part_of(item: pytest.Item) -> Part:
    """The part that a test belongs to."""
    possible = parts_in(item.path)
    if len(possible) == 1:
        return possible[0]
    taken = getattr(item, "fixturenames", ())
    if takes_shared_stack(item):
        return "county"
    if "disposable" in taken:
        return "servers"
    live = any(mark.name in _NEED_SERVERS for mark in item.iter_markers())
    return "units" if "units" in possible and not live else possible[0]


def takes_shared_stack(item: pytest.Item) -> bool:
    """Some modules have their own stack with that name."""
    return "stack" in getattr(item, "fixturenames", ()) and not (
        isinstance(item, pytest.Function) and hasattr(item.module, "stack")
    )


ORDER = ("unit", "tampering", "contract", "wire", "e2e", "hostile", "fuzz", "privacy", "faults")
"""Fast tests first, and last those that wear the machine out."""


def kind_of(item: pytest.Item) -> str:
    """The folder of tests that it lies in."""
    return item.path.relative_to(TESTS).parts[0] if item.path.is_relative_to(TESTS) else ""


def in_order(items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """Files that share a stack follow each other, so that it is up for no others: first what has
    its own or needs none, then the disposable stack, then the shared one, then late tests."""
    shared = {item.path for item in items if takes_shared_stack(item)}
    disposable = {item.path for item in items if "disposable" in getattr(item, "fixturenames", ())}
    late = ORDER.index("privacy")

    def place(item: pytest.Item) -> tuple[int, int]:
        kind = kind_of(item)
        folder = ORDER.index(kind) if kind in ORDER else len(ORDER)
        if item.path in shared:
            return 2, folder
        if item.path in disposable:
            return 1, folder
        return (3 if folder >= late else 0), folder

    return sorted(items, key=place)


LONGEST = 5
"""So many files of a part are named at the end, with what they took."""


class OnePart:
    """A pytest plugin that collects one part, reports nothing about the others, and says which of
    its files took longest."""

    def __init__(self, part: Part, config: pytest.Config) -> None:
        self._part = part
        self._config = config
        self._mine: set[str] = set()
        self._seconds: dict[str, float] = {}

    def pytest_ignore_collect(self, collection_path: Path) -> bool | None:
        return None if self._part in parts_in(collection_path) else True

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(
        self,
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        report = yield
        report.result = [each for each in report.result or () if self._takes(each)]
        self._mine |= {each.nodeid for each in report.result}
        return report

    def _takes(self, node: pytest.Item | pytest.Collector) -> bool:
        return not isinstance(node, pytest.Item) or part_of(node) == self._part

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A test's set-up counts too: the first that takes a stack starts it."""
        file = report.nodeid.partition("::")[0]
        self._seconds[file] = self._seconds.get(file, 0.0) + report.duration

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        terminalreporter.section(f"{self._part}: longest files")
        longest = sorted(self._seconds, key=lambda file: -self._seconds[file])
        for file in longest[:LONGEST]:
            terminalreporter.write_line(f"{self._seconds[file]:6.0f} s  {file}")

    @pytest.hookimpl(wrapper=True)
    def pytest_sessionfinish(self) -> Generator[None]:
        """The parts share one cache: each writes to it while no other does."""
        cache: pytest.Cache | None = getattr(self._config, "cache", None)
        if cache is None:
            yield
            return
        with _alone(cache.mkdir("parts") / "lock"):
            before: dict[str, bool] = cache.get(_FAILED, {})
            yield
            after: dict[str, bool] = cache.get(_FAILED, {})
            kept = {test: True for test in before if test not in self._mine}
            found = {test: True for test in after if test in self._mine}
            if kept | found != after:
                cache.set(_FAILED, kept | found)


@contextmanager
def _alone(file: Path) -> Iterator[None]:
    with file.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
