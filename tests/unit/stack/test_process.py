"""Processes that outlive who started them."""

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local import process
from deploy.local.process import Process

STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print(child.pid, flush=True)
time.sleep(60)
"""


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator[Process]:
    started = process.spawn(
        [sys.executable, "-c", "import time; time.sleep(60)"],
        {},
        tmp_path / "log",
        tmp_path / "pid",
    )
    yield started
    started.signal(signal.SIGKILL)
    assert started.gone_within(5)


def _line(log: Path) -> str:
    deadline = time.monotonic() + 10
    while not (log.exists() and log.read_text().endswith("\n")):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return log.read_text().strip()


def test_a_process_is_found_again_by_its_pid_file(tmp_path: Path, sleeper: Process) -> None:
    assert process.find(tmp_path / "pid") == sleeper


def test_a_process_that_was_killed_is_not_found(tmp_path: Path, sleeper: Process) -> None:
    sleeper.signal(signal.SIGKILL)
    assert sleeper.gone_within(5)
    assert process.find(tmp_path / "pid") is None


def test_a_pid_that_was_given_to_another_process_is_not_ours(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    file.write_text(json.dumps({"pid": os.getpid(), "born": "1"}))
    assert process.find(file) is None


def test_no_pid_file_and_a_torn_one_mean_nothing_runs(tmp_path: Path) -> None:
    assert process.find(tmp_path / "none") is None
    (tmp_path / "torn").write_text('{"pid": 1')
    assert process.find(tmp_path / "torn") is None


def test_killing_takes_the_children_along(tmp_path: Path) -> None:
    parent = process.spawn([sys.executable, "-c", STUBBORN], {}, tmp_path / "log", tmp_path / "pid")
    child = int(_line(tmp_path / "log"))
    parent.signal(signal.SIGTERM)
    assert not parent.gone_within(0.2)
    parent.signal(signal.SIGKILL)
    assert parent.gone_within(5)
    deadline = time.monotonic() + 5
    # Its new parent collects it, in its own time.
    while Path(f"/proc/{child}").exists() and time.monotonic() < deadline:
        if Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
            break
        time.sleep(0.01)
    else:
        assert not Path(f"/proc/{child}").exists()


def test_output_goes_to_a_log_that_only_the_owner_reads(tmp_path: Path) -> None:
    log = tmp_path / "log"
    started = process.spawn(
        [sys.executable, "-c", "import os; print(os.environ['WORD'])"],
        {"WORD": "hello"},
        log,
        tmp_path / "pid",
    )
    assert started.gone_within(10)
    assert log.read_text() == "hello\n"
    assert log.stat().st_mode & 0o777 == 0o600


def test_a_long_log_is_set_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "LOG_LIMIT", 10)
    log = tmp_path / "part.log"
    log.write_text("x" * 11)
    started = process.spawn([sys.executable, "-c", "print(1)"], {}, log, tmp_path / "pid")
    assert started.gone_within(10)
    assert log.read_text() == "1\n"
    assert (tmp_path / "part.log.1").read_text() == "x" * 11


def test_a_program_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        process.spawn(["no-such-program"], {}, tmp_path / "log", tmp_path / "pid")


def test_what_gives_way_has_a_lower_priority(tmp_path: Path) -> None:
    gives_way = process.spawn(
        [sys.executable, "-c", "import time; time.sleep(60)"],
        {},
        tmp_path / "log",
        tmp_path / "pid",
        niceness=7,
    )
    try:
        assert os.getpriority(os.PRIO_PROCESS, gives_way.pid) == 7
        group = Path(f"/proc/{gives_way.pid}/autogroup")
        assert not group.exists() or group.read_text().endswith("nice 7\n")
    finally:
        gives_way.signal(signal.SIGKILL)
        assert gives_way.gone_within(5)
