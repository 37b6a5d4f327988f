"""The process that reads documents which others made. It is started by `confined`.

It reads questions from its input and answers on its output, as `extraction` says.
"""

import sys
from typing import BinaryIO, Final

from direct311.runtime.confinement import allow_cpu, confine
from direct311.runtime.extraction.documents import extracted_here
from direct311.runtime.extraction.pieces import (
    DONE,
    FAILED,
    LENGTHS,
    NOTHING,
    TEXT,
    TEXT_LENGTHS,
    Extracted,
    NotExtractableError,
)

MEMORY: Final = 2 * 1024**3
"""Of address space; most of it is libraries."""
CPU_SECONDS: Final = 60
"""For one document."""


def main(asked: BinaryIO, answers: BinaryIO) -> None:
    confine(MEMORY)
    while lengths := asked.read(LENGTHS.size):
        name_length, length = LENGTHS.unpack(lengths)
        allow_cpu(CPU_SECONDS)
        name = asked.read(name_length).decode()
        try:
            for piece in extracted_here(name, asked.read(length)):
                answers.write(TEXT + _packed(piece))
            answers.write(DONE)
        except (NotExtractableError, MemoryError):
            answers.write(FAILED)
        answers.flush()


def _packed(piece: Extracted) -> bytes:
    # A text that is no text anywhere else, such as half of a pair, has no withheld value.
    members = [
        None if each is None else each.encode("utf-8", "replace")
        for each in (piece.entry, piece.text, piece.record_id)
    ]
    members.append(piece.sha256)
    lengths = (NOTHING if each is None else len(each) for each in members)
    return TEXT_LENGTHS.pack(*lengths) + b"".join(each or b"" for each in members)


if __name__ == "__main__":
    main(sys.stdin.buffer, sys.stdout.buffer)
