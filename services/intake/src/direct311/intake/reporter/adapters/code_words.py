"""Reads the words that reporters see in place of codes."""

from pathlib import Path

from direct311.intake.reporter.domain import code_words
from direct311.intake.reporter.domain.code_words import CodeWords
from direct311.runtime.datafile import DataFile, load, packaged


def load_code_words(path: Path | None = None) -> DataFile[CodeWords]:
    """The county's own file at `path`, or the one packaged here. Raises `DataFileError`."""
    source = path or packaged("direct311.intake", "code_words.yaml")
    return load(CodeWords, source, code_words.problems)
