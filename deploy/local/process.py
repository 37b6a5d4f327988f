"""Processes that outlive the command that started them, found again by their pid files.

A pid file has the pid and the process's start time, so that a pid that the system has since given
to another process is never signaled.
"""

import contextlib
import json
import os
import shutil
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

LOG_LIMIT = 20_000_000
"""In bytes; a longer log is set aside at the next start."""


@dataclass(frozen=True, slots=True)
class Process:
    """A running process, which leads its own session."""

    pid: int
    born: str

    def alive(self) -> bool:
        # Collected here if it is our own child; otherwise the process that adopted it does.
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, os.WNOHANG)
        return _born(self.pid) == self.born

    def signal(self, number: signal.Signals) -> None:
        """Signals the process and its children; does nothing if it has ended."""
        if self.alive():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, number)

    def gone_within(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while self.alive():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True


def spawn(
    command: Sequence[str | Path],
    environ: Mapping[str, str],
    log: Path,
    pid_file: Path,
    niceness: int = 0,
) -> Process:
    """Starts a detached process; its output is appended to the log."""
    if log.exists() and log.stat().st_size > LOG_LIMIT:
        log.rename(log.with_suffix(log.suffix + ".1"))
    words = [str(word) for word in command]
    program = shutil.which(words[0])
    if program is None:
        raise FileNotFoundError(words[0])
    append = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    pid = os.posix_spawn(
        program,
        words,
        {**os.environ, **environ},
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log), append, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
    )
    if niceness:
        _give_way(pid, niceness)
    process = Process(pid, _born(pid))
    pid_file.write_text(json.dumps({"pid": pid, "born": process.born}))
    return process


def _give_way(pid: int, niceness: int) -> None:
    """If the processor is busy, the others go first."""
    with contextlib.suppress(ProcessLookupError):
        os.setpriority(os.PRIO_PROCESS, pid, niceness)
    # Linux groups processes by session, and then only the group's niceness counts.
    with contextlib.suppress(OSError):
        Path(f"/proc/{pid}/autogroup").write_text(str(niceness))


def find(pid_file: Path) -> Process | None:
    """The process of a pid file, or None when it does not run."""
    try:
        known = json.loads(pid_file.read_text())
        process = Process(known["pid"], known["born"])
    except (FileNotFoundError, ValueError, KeyError):
        return None
    return process if process.born and process.alive() else None


def _born(pid: int) -> str:
    """When a process started, in the kernel's ticks; empty when it is gone or only a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        # The first thread's state says Z while others still run, and hold files and ports.
        threads = len(os.listdir(f"/proc/{pid}/task"))
    except (FileNotFoundError, ProcessLookupError):
        return ""
    state, started = fields[0], fields[19]
    return "" if state in "ZX" and threads <= 1 else started
