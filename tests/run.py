"""All tests, in parts that run side by side.

Live tests wait for their servers most of the time and leave the processors to those that need
none. Each part is a pytest of its own (see tests/support/parts.py). Progress is shown as it comes;
failures, skipped tests with their reasons, and one count of all stand at the end. What is picked by
its path from one part alone runs as it would without this program.
"""

import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from xml.etree import ElementTree

import pytest

from tests.support.parts import PARTS, TESTS, Part, parts_in

PYTEST = (sys.executable, "-m", "pytest")
PRIORITY: Mapping[Part, int] = {"county": 0, "servers": 0, "units": 5}
"""Niceness. Live tests have deadlines; the units take what those leave."""

EPILOG = """\
All arguments go to pytest: -k name, a path, --stack DIR, --durations=20, -x (each part stops at its
own first failure). --junitxml=FILE holds all parts. With what needs the terminal or runs nothing
(-s, --pdb, --collect-only and the like) there is one pytest for all.
"""

_ONE_PYTEST = re.compile(
    r"-s|-V|--(pdb|trace|capture=no|co|collect-only|fixtures|fixtures-per-test|markers|setup-plan"
    r"|version|cache-show)(=.*)?"
)

# ---------------------------------------------------------------- what a part says

SUMMARY = "short test summary info"
_HEADING = re.compile(r"=+ (?P<title>[^=].*?) =+")
_COLOR = re.compile(r"\x1b\[[0-9;]*m")
_LAST = re.compile(
    r"(?P<counts>no tests ran|\d+ [a-z]+(, \d+ [a-z]+)*) in [\d.]+s( \([\d:]+\)| \(.*\))?"
)
_COUNT = re.compile(r"(?P<number>\d+) (?P<what>[a-z]+)")
_SINGULAR = {"errors": "error", "warnings": "warning"}
_ORDER = ("failed", "error", "passed", "skipped", "deselected", "xfailed", "xpassed", "warning")


@dataclass(slots=True)
class Report:
    """What a pytest prints, taken apart as it comes."""

    progress: Callable[[str], None]
    """Gets the lines before the findings."""
    findings: list[str] = field(default_factory=list)
    """Failures and warnings, with their headings."""
    summary: list[str] = field(default_factory=list)
    """A line for each test that failed or was skipped."""
    counts: Mapping[str, int] | None = None
    """None where pytest came to no end."""
    _tail: list[str] | None = None

    def line(self, line: str) -> None:
        """One more line, without its end."""
        plain = _COLOR.sub("", line)
        heading = _HEADING.fullmatch(plain)
        title = heading["title"] if heading else plain
        if (counts := counts_of(title)) is not None:
            self.counts = counts
        elif heading and title == SUMMARY:
            self._tail = self.summary
        elif heading and title != "test session starts":
            self._tail = self.findings
            self.findings.append(line)
        elif self._tail is not None:
            self._tail.append(line)
        else:
            self.progress(line)


def counts_of(title: str) -> Mapping[str, int] | None:
    """What pytest's last line counts (`2 failed, 31 passed in 3.10s`); None for any other line."""
    last = _LAST.fullmatch(title)
    if last is None:
        return None
    found = _COUNT.finditer(last["counts"])
    return {_SINGULAR.get(each["what"], each["what"]): int(each["number"]) for each in found}


def in_words(counts: Iterable[Mapping[str, int]]) -> str:
    """The counts of all parts in one phrase, failures first."""
    total: Counter[str] = Counter()
    for each in counts:
        total.update(each)
    return ", ".join(f"{total[what]} {what}" for what in _ORDER if total[what]) or "no tests ran"


def exit_code(codes: Iterable[int]) -> int:
    """The worst of pytest's exit codes. No tests is a code for all parts, not for one of them."""
    worst_first = (
        pytest.ExitCode.INTERRUPTED,
        pytest.ExitCode.INTERNAL_ERROR,
        pytest.ExitCode.USAGE_ERROR,
        pytest.ExitCode.TESTS_FAILED,
        pytest.ExitCode.OK,
        pytest.ExitCode.NO_TESTS_COLLECTED,
    )
    # A process that a signal ended has no such code.
    known = [code if code in worst_first else pytest.ExitCode.INTERNAL_ERROR for code in codes]
    return int(min(known, key=lambda code: worst_first.index(pytest.ExitCode(code))))


# ---------------------------------------------------------------- the parts


class Running:
    """A part that runs. It has a process group of its own: it gets those signals that we send."""

    def __init__(self, part: Part, arguments: Sequence[str], say: Callable[[str], None]) -> None:
        self.part = part
        self.report = Report(lambda line: say(f"{part:>7} | {line}" if line else ""))
        self.seconds = 0.0
        self._started = time.monotonic()
        self._ended: float | None = None
        self._process = subprocess.Popen(
            [*PYTEST, f"--part={part}", *arguments],
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            process_group=0,
        )
        os.setpriority(os.PRIO_PROCESS, self._process.pid, PRIORITY[part])
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.report.line(line.rstrip("\n"))
        # Whoever waits for the parts one after the other waits for this one later.
        self._ended = time.monotonic()

    def wait(self) -> int:
        """Its exit code, once it has ended."""
        code = self._process.wait()
        # A program that it started and left may hold the other end.
        self._reader.join(30)
        self.seconds = (self._ended or time.monotonic()) - self._started
        return code

    def interrupt(self) -> None:
        """As by Ctrl-C: it stops what it started and reports what it has."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)


class Stop:
    """Whoever stops us stops all parts, which then end in good order. A stop is remembered: no part
    starts after it, and one that was about to start gets it too. A signal reaches each part once.
    """

    def __init__(self) -> None:
        self.asked = False
        self.running: list[Running] = []
        self._told: list[Running] = []

    @contextmanager
    def on_signals(self) -> Iterator[None]:
        numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        before = {number: signal.signal(number, self._forward) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def add(self, each: Running) -> None:
        """One more part that runs. A signal may come before, between, and after these lines."""
        self.running.append(each)
        if self.asked and each not in self._told:
            self._tell(each)

    def _forward(self, _number: int, _frame: FrameType | None) -> None:
        self.asked = True
        for each in self.running:
            self._tell(each)

    def _tell(self, each: Running) -> None:
        self._told.append(each)
        each.interrupt()


def run_parts(parts: Sequence[Part], arguments: Sequence[str], junit: Path | None = None) -> int:
    """All of them side by side; pytest's exit code for them together."""
    speaking = threading.Lock()

    def say(line: str) -> None:
        with speaking:
            print(line, flush=True)  # noqa: T201

    started = time.monotonic()
    stop = Stop()
    running = stop.running
    with tempfile.TemporaryDirectory() as folder, stop.on_signals():
        for part in parts:
            if stop.asked:
                break
            own = [f"--junitxml={folder}/{part}.xml"] if junit else []
            stop.add(Running(part, [*arguments, *own], say))
        codes = [each.wait() for each in running]
        if junit:
            join_junit([Path(folder) / f"{part}.xml" for part in parts], junit)
    for line in summary(running, codes, time.monotonic() - started):
        say(line)
    if len(running) < len(parts):
        return int(pytest.ExitCode.INTERRUPTED)
    return exit_code(codes)


def summary(running: Sequence[Running], codes: Sequence[int], seconds: float) -> Iterator[str]:
    """The lines at the end: findings of all parts, then a line for each test, then the counts."""
    for each in running:
        if each.report.findings:
            yield from ("", *each.report.findings)
    yield f" {SUMMARY} ".center(80, "=")
    for each in running:
        yield from each.report.summary
    for each, code in zip(running, codes, strict=True):
        counts = each.report.counts
        said = f"ended with {code}, without a report" if counts is None else in_words([counts])
        yield f"{each.part:>7} | {said} in {minutes(each.seconds)}"
    everything = in_words(each.report.counts or {} for each in running)
    yield f" {everything} in {minutes(seconds)} ".center(80, "=")


def minutes(seconds: float) -> str:
    """As people say it: `12 min 3 s`."""
    whole = round(seconds)
    return f"{whole // 60} min {whole % 60} s" if whole >= 60 else f"{whole} s"


def join_junit(files: Iterable[Path], into: Path) -> None:
    """One JUnit document of those that there are."""
    joined = ElementTree.Element("testsuites", name="pytest tests")
    for file in files:
        if file.exists():
            joined.extend(ElementTree.parse(file).getroot())
    into.parent.mkdir(parents=True, exist_ok=True)
    ElementTree.ElementTree(joined).write(into, encoding="utf-8", xml_declaration=True)


# ---------------------------------------------------------------- the command


def parts_for(arguments: Iterable[str]) -> tuple[Part, ...]:
    """The parts that can have what is picked; all where no path of a test is given."""
    paths = [Path(each.partition("::")[0]).resolve() for each in arguments]
    tests = [path for path in paths if path.is_relative_to(TESTS) and path.exists()]
    found = {part for path in tests for part in parts_in(path)}
    return tuple(part for part in PARTS if part in found) or PARTS


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.run",
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        usage="%(prog)s [what pytest takes]",
        allow_abbrev=False,
    )
    parser.add_argument("--junitxml", "--junit-xml", type=Path, help=argparse.SUPPRESS)
    known, rest = parser.parse_known_args(arguments)
    junit: Path | None = known.junitxml and known.junitxml.resolve()
    parts = parts_for(rest)
    if len(parts) == 1 or any(_ONE_PYTEST.fullmatch(each) for each in rest):
        own = [f"--junitxml={junit}"] if junit else []
        # It gets the terminal and its signals.
        os.execv(PYTEST[0], [*PYTEST, *rest, *own])  # noqa: S606
    if sys.stdout.isatty() and "NO_COLOR" not in os.environ:
        rest = ["--color=yes", *rest]
    return run_parts(parts, rest, junit)


if __name__ == "__main__":
    sys.exit(main())
