"""The parts of the suite that may run side by side, each in a pytest of its own.

`units` and `attacks` (those of `tests/hostile` that need no server) keep a processor busy each;
`live` tests have servers of their own and wait for them most of the time.
"""

import fcntl
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import pytest

TESTS = Path(__file__).parents[1]

Part = Literal["live", "attacks", "units"]
PARTS: tuple[Part, ...] = ("live", "attacks", "units")

_UNITS = frozenset({"unit", "redaction", "tampering"})
_ATTACKS = "hostile"
_OF_SERVERS = frozenset({"wire", "e2e", "faults"})
"""The markers of tests that need servers."""

_FAILED = "cache/lastfailed"


def parts_in(path: Path) -> tuple[Part, ...]:
    """The parts that have tests in a file or folder."""
    if path == TESTS or not path.is_relative_to(TESTS):
        return PARTS
    folder = path.relative_to(TESTS).parts[0]
    if folder == _ATTACKS:
        return ("live", "attacks")
    # Of the redaction's tests, those through a gateway are live.
    if folder == "redaction":
        return ("live", "units")
    return ("units",) if folder in _UNITS else ("live",)


def part_of(item: pytest.Item) -> Part:
    """The one part that a test belongs to."""
    found = parts_in(item.path)
    if len(found) == 1:
        return found[0]
    live = any(mark.name in _OF_SERVERS for mark in item.iter_markers())
    return "live" if live or len(found) == len(PARTS) else found[-1]


class OnePart:
    """A pytest plugin: collects one part, and says nothing of the others."""

    def __init__(self, part: Part, config: pytest.Config) -> None:
        self._part = part
        self._config = config
        self._mine: set[str] = set()

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

    @pytest.hookimpl(wrapper=True)
    def pytest_sessionfinish(self) -> Generator[None]:
        """The parts keep one cache: each writes down what it knows, when no other does."""
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
