"""Reads the words of the letter."""

from pathlib import Path

from direct311.retention.packages.domain.letter import ReleaseLetter, letter_problems
from direct311.runtime.datafile import load, packaged


def load_release_letter(path: Path | None = None) -> ReleaseLetter:
    """The county's own file at `path`, or the packaged one.

    :raises DataFileError: the file is invalid.
    """
    source = path or packaged("direct311.retention", "release_letter.yaml")
    return load(ReleaseLetter, source, letter_problems).content
