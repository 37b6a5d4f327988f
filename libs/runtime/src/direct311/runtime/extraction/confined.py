"""Extracts the text of a document that others made, in a process that can do no harm: it gains no
privileges, writes no file, and has little memory and time (decision 103)."""

import atexit
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import IO, Final

from direct311.runtime.extraction.pieces import (
    DONE,
    LENGTHS,
    NOTHING,
    TEXT,
    TEXT_LENGTHS,
    Extracted,
    NotExtractableError,
)

SECONDS: Final = 120
"""How long one document may take by the clock."""
LARGEST_TEXT: Final = 64 * 1024 * 1024
"""The most bytes of text of one document."""


class _Extractor:
    """One process at a time, which serves one document after the other. It is started when it is
    needed, and again when it has ended."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def extracted(self, name: str, content: bytes) -> Iterator[Extracted]:
        with self._turn:
            process = self._started()
            ending = threading.Timer(SECONDS, process.kill)
            ending.start()
            done = False
            try:
                yield from _asked(process, name, content)
                done = True
            except (OSError, EOFError):
                # It was ended: for its time, its memory, or by what it read.
                raise NotExtractableError("the document's process ended") from None
            finally:
                ending.cancel()
                if not done:
                    self._end(process)

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-m", "direct311.runtime.extraction.extractor"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={},
                cwd="/",
            )
        return self._process

    def close(self) -> None:
        """End the process, if there is one."""
        if self._process is not None:
            self._end(self._process)

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        """Whoever stopped hearing it in the middle of an answer gets no other one from it."""
        process.kill()
        process.communicate()
        self._process = None


_EXTRACTOR: Final = _Extractor()
atexit.register(_EXTRACTOR.close)


def extracted(name: str, content: bytes) -> Iterator[Extracted]:
    """All text of a document.

    :raises NotExtractableError: it cannot be extracted, or its process ended over it.
    """
    return _EXTRACTOR.extracted(name, content)


def _asked(process: subprocess.Popen[bytes], name: str, content: bytes) -> Iterator[Extracted]:
    if process.stdin is None or process.stdout is None:
        raise OSError("a process without pipes")
    encoded = name.encode()
    process.stdin.write(LENGTHS.pack(len(encoded), len(content)) + encoded)
    process.stdin.write(content)
    process.stdin.flush()
    left = LARGEST_TEXT
    while (said := _read(process.stdout, 1)) == TEXT:
        lengths = TEXT_LENGTHS.unpack(_read(process.stdout, TEXT_LENGTHS.size))
        left -= sum(each for each in lengths if each != NOTHING)
        if left < 0:
            raise NotExtractableError("too much text")
        *texts, sha256 = (
            None if each == NOTHING else _read(process.stdout, each) for each in lengths
        )
        entry, text, record_id = (None if each is None else each.decode() for each in texts)
        yield Extracted(entry or "", text or "", record_id, sha256)
    if said != DONE:
        raise NotExtractableError("not a document that can be searched")


def _read(file: IO[bytes], size: int) -> bytes:
    """:raises EOFError: it ends before."""
    found = file.read(size)
    if len(found) < size:
        raise EOFError
    return found
