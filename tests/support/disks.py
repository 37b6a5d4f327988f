"""File systems of a known size, to be filled to the last byte."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

_FILLER = "filler"
_STEPS = (1 << 20, 1 << 12, 1)
"""How many bytes are written at a time: smaller pieces once larger ones no longer fit."""


@dataclass(frozen=True, slots=True)
class Disk:
    """A file system mounted at `folder`, which is a server's data folder."""

    folder: Path

    def fill(self) -> None:
        """Leave no byte."""
        with (self.folder / _FILLER).open("ab", buffering=0) as file:
            for size in _STEPS:
                piece = b"\1" * size
                try:
                    # Data that does not fit is written in part, or not at all.
                    while file.write(piece):
                        pass
                except OSError:
                    continue

    def free(self) -> None:
        (self.folder / _FILLER).unlink(missing_ok=True)


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Disk]:
    """A file system in memory, mounted at `folder`. Skips the test if none may be mounted."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    options = f"size={megabytes}m,mode=0700"
    words = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(words, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("no file system can be mounted here: there is no program for it")
    if mounted.returncode != 0:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
    try:
        yield Disk(folder)
    finally:
        # Unmounts at once for new readers, and completely once no file on it is open.
        subprocess.run(["umount", "-l", str(folder)], check=True)
