"""Reads the words of the form."""

from pathlib import Path

from direct311.intake.legal_requests.domain import LegalForm, form_problems
from direct311.runtime.datafile import DataFile, load, packaged


def load_form(path: Path | None = None) -> DataFile[LegalForm]:
    """The county's own file at `path`, or the one packaged here. Raises `DataFileError`."""
    source = path or packaged("direct311.intake", "legal_requests.yaml")
    return load(LegalForm, source, form_problems)
