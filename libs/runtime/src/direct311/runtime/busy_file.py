"""How the gateway tells the others on its machine that callers are waiting."""

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path

FRESH_SECONDS = 0.25
AGAIN_SECONDS = 0.05
"""How long a touch lasts, and how often the file is touched at most."""


class BusyFile:
    """An empty file whose modification time says when the gateway was last busy.

    Only processes that share a processor need to know, and these share a file system. Without a
    path nobody is told. A file that cannot be touched or read counts as not busy: the consumers
    then go on as usual.
    """

    def __init__(self, path: Path | None, now: Callable[[], float] = time.time) -> None:
        self._path = path
        self._now = now
        self._touched = 0.0

    def sooner(self) -> "BusyFile":
        """The file beside it, for work that takes minutes anyway. The gateway touches it as soon as
        some callers wait (decision 119)."""
        if self._path is None:
            return BusyFile(None, self._now)
        return BusyFile(self._path.with_name(f"{self._path.name}-soon"), self._now)

    def touch(self) -> None:
        """Say that the gateway is busy now."""
        now = self._now()
        if self._path is None or 0 <= now - self._touched < AGAIN_SECONDS:
            return
        self._touched = now
        with contextlib.suppress(OSError):
            self._path.touch(mode=0o600)
            os.utime(self._path, (now, now))

    @property
    def fresh(self) -> bool:
        """Whether the gateway was busy within the last quarter of a second."""
        if self._path is None:
            return False
        try:
            return abs(self._now() - self._path.stat().st_mtime) < FRESH_SECONDS
        except OSError:
            return False
