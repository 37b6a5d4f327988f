"""Reads the texts of the e-mails that reporters get."""

from pathlib import Path

from direct311.intake.reporter.domain import messages
from direct311.intake.reporter.domain.messages import Messages
from direct311.runtime.datafile import DataFile, load, packaged


def load_messages(path: Path | None = None) -> DataFile[Messages]:
    """The county's own file at `path`, or the one packaged here. Raises `DataFileError`."""
    source = path or packaged("direct311.intake", "messages.yaml")
    return load(Messages, source, messages.problems)
