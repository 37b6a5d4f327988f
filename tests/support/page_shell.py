"""A shell in which the commands of a page are typed, one after the other, against one stack."""

import os
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self
from uuid import uuid4

from deploy.local.environment import FIXED_PORTS
from deploy.local.stack import Stack
from tests.support.conformance import ROOT

_ADDRESS = re.compile(r"\b(127\.0\.0\.1|localhost):(\d+)\b")


@dataclass(frozen=True, slots=True)
class Printed:
    """What a command printed, on both streams, and its exit code."""

    text: str
    code: int


class PageShell:
    """A shell in a folder that looks like a clone of the repository in which `make up` was run.

    Pages name the ports of the local stack; here they are replaced by those of the given stack, in
    both directions. Files that commands write stay in the folder.
    """

    def __init__(self, stack: Stack, folder: Path) -> None:
        self._stack = stack
        self._folder = folder
        self._ports = {str(FIXED_PORTS[name]): str(stack.place.ports[name]) for name in FIXED_PORTS}
        self._shell: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        _furnish(self._folder, self._stack.root)
        self._shell = subprocess.Popen(
            ["bash", "--norc"],
            cwd=self._folder,
            env=self._environ(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        shell = self._running()
        with suppress(ProcessLookupError):
            os.killpg(shell.pid, signal.SIGKILL)
        shell.communicate()

    def _environ(self) -> Mapping[str, str]:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return {
            **os.environ,
            "PATH": path,
            "DIRECT311_STACK": str(self._stack.root / "dev.json"),
            "DIRECT311_VENV": sys.prefix,
            "COLUMNS": "80",
            "TERM": "dumb",
            "NO_COLOR": "1",
            "no_proxy": "127.0.0.1,localhost",
        }

    def run(self, command: str, typed: Sequence[str] = (), *, seconds: float = 90.0) -> Printed:
        """Type a command, and wait until it has ended.

        :param typed: lines that it reads.
        :raises AssertionError: it did not end in time.
        """
        end = f"--- {uuid4().hex}"
        lines = self._folder / ".typed"
        lines.write_text("".join(f"{line}\n" for line in typed))
        here = _ADDRESS.sub(lambda found: self._port(found, self._ports), command)
        script = f"{{ {here}\n}} <.typed 2>&1\nprintf '\\n{end} %s\\n' $?\n"
        stdin = self._running().stdin
        assert stdin is not None
        stdin.write(script.encode())
        stdin.flush()
        text, code = self._read(end, command, seconds)
        back = {there: page for page, there in self._ports.items()}
        text = _ADDRESS.sub(lambda found: self._port(found, back), text)
        text = text.replace(str(self._stack.root), ".stack").replace(str(self._folder) + "/", "")
        return Printed(text, code)

    def _read(self, end: str, command: str, seconds: float) -> tuple[str, int]:
        stdout = self._running().stdout
        assert stdout is not None
        deadline = time.monotonic() + seconds
        found = b""
        marker = re.compile(rb"\n" + end.encode() + rb" (\d+)\n\Z")
        while not (ended := marker.search(found)):
            left = deadline - time.monotonic()
            ready, _, _ = select.select([stdout], [], [], max(0.0, left))
            piece = os.read(stdout.fileno(), 1 << 16) if ready else b""
            if not piece:
                why = "the shell ended" if ready else f"it has not ended in {seconds:.0f} s"
                raise AssertionError(f"{command}\n{why}:\n{found.decode(errors='replace')}")
            found += piece
        return found[: ended.start()].decode(errors="replace"), int(ended[1])

    @staticmethod
    def _port(found: re.Match[str], ports: Mapping[str, str]) -> str:
        return f"{found[1]}:{ports.get(found[2], found[2])}"

    def _running(self) -> "subprocess.Popen[bytes]":
        assert self._shell is not None
        return self._shell


def _furnish(folder: Path, stack: Path) -> None:
    """Everything in the repository except what belongs to the machine, and the stack as
    `.stack`."""
    for each in ROOT.iterdir():
        if not each.name.startswith((".", "__")):
            (folder / each.name).symlink_to(each)
    (folder / ".stack").symlink_to(stack)
    (folder / ".venv").symlink_to(sys.prefix)
    shutil.copy(ROOT / "libs/cli/src/direct311/cli/data/pothole.jpg", folder / "photo.jpg")
