"""`make test`: parts side by side, one report, one exit code."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests import run
from tests.run import Report, counts_of, exit_code, in_words, join_junit, minutes, parts_for
from tests.support.parts import PARTS, TESTS, Part, parts_in

STAND_IN = """
import sys, time
part = next(each.removeprefix("--part=") for each in sys.argv if each.startswith("--part="))
wanted = sys.argv[sys.argv.index("-k") + 1]
print("=" * 20, "test session starts", "=" * 20)
try:
    print("collected 2 items", flush=True)
    time.sleep(600 if wanted == "long" else 0)
except KeyboardInterrupt:
    print("!!! KeyboardInterrupt !!!")
    print("=" * 20, "no tests ran in 0.10s", "=" * 20)
    sys.exit(2)
if wanted == "good" or part != "units":
    print("=" * 20, "short test summary info", "=" * 20)
    print(f"SKIPPED [1] {part}.py:1: no browser")
    print("=" * 20, "1 passed, 1 skipped in 0.10s", "=" * 20)
    sys.exit(0)
print("=" * 20, "FAILURES", "=" * 20)
print("E   assert False")
print("=" * 20, "short test summary info", "=" * 20)
print("FAILED units.py::test_it")
print("=" * 20, "1 failed, 1 passed in 0.10s", "=" * 20)
sys.exit(1)
"""
"""Takes the place of pytest."""


def started(folder: Path, wanted: str) -> subprocess.Popen[str]:
    stand_in = folder / "stand_in.py"
    stand_in.write_text(STAND_IN)
    program = (
        "import sys; from tests import run; "
        f"run.PYTEST = (sys.executable, {str(stand_in)!r}); sys.exit(run.main())"
    )
    return subprocess.Popen(
        [sys.executable, "-c", program, "-k", wanted],
        cwd=TESTS.parent,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_a_failure_of_one_part_fails_all_and_stands_at_the_end(tmp_path: Path) -> None:
    running = started(tmp_path, "bad")
    said, _ = running.communicate(timeout=300)
    assert running.returncode == pytest.ExitCode.TESTS_FAILED
    lines = said.splitlines()
    summary = next(place for place, line in enumerate(lines) if "short test summary" in line)
    before, after = lines[:summary], lines[summary + 1 :]
    for part in PARTS:
        assert f"{part:>7} | collected 2 items" in before
    assert "E   assert False" in before
    assert after[:3] == [
        "SKIPPED [1] county.py:1: no browser",
        "SKIPPED [1] servers.py:1: no browser",
        "FAILED units.py::test_it",
    ]
    assert " 1 failed, 3 passed, 2 skipped in " in after[-1]


def test_all_is_well_when_all_parts_are(tmp_path: Path) -> None:
    running = started(tmp_path, "good")
    said, _ = running.communicate(timeout=300)
    assert running.returncode == 0
    assert " 3 passed, 3 skipped in " in said.splitlines()[-1]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_who_stops_it_stops_all_parts(tmp_path: Path, number: signal.Signals) -> None:
    with started(tmp_path, "long") as running:
        assert running.stdout is not None
        begun = 0
        while begun < len(PARTS):
            begun += "collected" in next(running.stdout)
        running.send_signal(number)
        said, _ = running.communicate(timeout=300)
    assert running.returncode == pytest.ExitCode.INTERRUPTED
    assert said.count("!!! KeyboardInterrupt !!!") == len(PARTS)


class SignalledPart:
    """A part whose start brings a signal, and that counts what reaches it."""

    signal_at = PARTS[0]
    during_the_start = True
    made: list["SignalledPart"]

    def __init__(self, part: Part, _arguments: Sequence[str], _say: object) -> None:
        self.part = part
        self.report = Report(print)
        self.seconds = 0.0
        self.interrupts = 0
        self.made.append(self)
        if part == self.signal_at and self.during_the_start:
            signal.raise_signal(signal.SIGTERM)

    def interrupt(self) -> None:
        self.interrupts += 1

    def wait(self) -> int:
        if self.part == self.signal_at and not self.during_the_start:
            signal.raise_signal(signal.SIGTERM)
        return int(pytest.ExitCode.INTERRUPTED if self.interrupts else pytest.ExitCode.OK)


@pytest.mark.parametrize("during_the_start", [True, False])
@pytest.mark.parametrize("place", range(len(PARTS)))
def test_a_stop_reaches_each_part_once_also_the_one_that_is_starting(
    monkeypatch: pytest.MonkeyPatch, place: int, during_the_start: bool
) -> None:
    monkeypatch.setattr(run, "Running", SignalledPart)
    made: list[SignalledPart] = []
    monkeypatch.setattr(SignalledPart, "made", made, raising=False)
    monkeypatch.setattr(SignalledPart, "signal_at", PARTS[place])
    monkeypatch.setattr(SignalledPart, "during_the_start", during_the_start)
    assert run.run_parts(PARTS, []) == pytest.ExitCode.INTERRUPTED
    # Who was not started yet is not started.
    assert len(made) == (place + 1 if during_the_start else len(PARTS))
    assert [each.interrupts for each in made] == [1] * len(made)


def test_a_report_is_taken_apart() -> None:
    progress: list[str] = []
    report = Report(progress.append)
    for line in (
        "===== test session starts =====",
        "tests/a.py ..F",
        "",
        "\x1b[31m===== FAILURES =====\x1b[0m",
        "E   it failed",
        "===== short test summary info =====",
        "FAILED tests/a.py::test_it",
        "\x1b[31m===== \x1b[1m1 failed\x1b[0m, 2 passed, 4 warnings in 61s (0:01:01) =====\x1b[0m",
    ):
        report.line(line)
    assert progress == ["===== test session starts =====", "tests/a.py ..F", ""]
    assert report.findings[1:] == ["E   it failed"]
    assert report.summary == ["FAILED tests/a.py::test_it"]
    assert report.counts == {"failed": 1, "passed": 2, "warning": 4}


@pytest.mark.parametrize(
    ("line", "counts"),
    [
        ("1 passed in 0.03s", {"passed": 1}),
        ("3 failed, 2 errors in 3661.20s (1:01:01)", {"failed": 3, "error": 2}),
        ("no tests ran in 0.01s", {}),
        ("12 passed", None),
        ("it came in 3.00s", None),
        ("FAILURES", None),
    ],
)
def test_the_last_line_is_known(line: str, counts: dict[str, int] | None) -> None:
    assert counts_of(line) == counts


def test_counts_are_added() -> None:
    assert in_words([{"passed": 2, "error": 1}, {"passed": 3}]) == "1 error, 5 passed"
    assert in_words([{}, {}]) == "no tests ran"


@pytest.mark.parametrize(
    ("codes", "together"),
    [
        ([0, 0, 0], 0),
        ([0, 1, 5], 1),
        ([5, 0, 5], 0),
        ([5, 5, 5], 5),
        ([1, 4, 0], 4),
        ([2, 1, -9], 2),
        ([0, -9, 0], 3),
    ],
)
def test_the_exit_code_is_the_worst(codes: list[int], together: int) -> None:
    assert exit_code(codes) == together


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["-m", "not campaign"], PARTS),
        (["-k", "tests"], PARTS),
        (["tests"], PARTS),
        (["tests/unit/witness"], ("units",)),
        (["tests/unit/suite/test_run.py::test_counts_are_added"], ("units",)),
        (["tests/e2e", "--stack", "docs"], ("county", "servers")),
        (["tests/hostile", "-x"], ("county", "units")),
        (["tests/tampering", "tests/contract"], ("servers", "units")),
    ],
)
def test_a_path_picks_the_parts_that_have_tests_there(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], parts: tuple[str, ...]
) -> None:
    monkeypatch.chdir(TESTS.parent)
    assert parts_for(arguments) == parts


def test_every_folder_of_tests_is_in_a_part() -> None:
    folders = {file.relative_to(TESTS).parts[0] for file in TESTS.rglob("test_*.py")}
    assert {part for folder in folders for part in parts_in(TESTS / folder)} == set(PARTS)


def test_one_junit_document_has_the_tests_of_all_parts(tmp_path: Path) -> None:
    for name in ("one", "two"):
        case = f'<testcase name="{name}"/>'
        (tmp_path / name).write_text(
            f'<testsuites><testsuite tests="1">{case}</testsuite></testsuites>'
        )
    joined = tmp_path / "new" / "all.xml"
    join_junit([tmp_path / "one", tmp_path / "two", tmp_path / "none"], joined)
    names = [case.get("name") for case in ElementTree.parse(joined).iter("testcase")]
    assert names == ["one", "two"]


def test_a_time_is_said_in_minutes() -> None:
    assert (minutes(0.4), minutes(59), minutes(723.2)) == ("0 s", "59 s", "12 min 3 s")
