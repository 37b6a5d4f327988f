"""Reads the breach-notice law from its file."""

from pathlib import Path

from direct311.audit.questions.domain.breach import BreachRules, breach_problems
from direct311.runtime.datafile import DataFile, load, packaged


def load_breach_rules(path: Path | None = None) -> DataFile[BreachRules]:
    """The county's own file, or the one packaged here. Raises `DataFileError`."""
    return load(BreachRules, path or packaged("direct311.audit", "breach.yaml"), breach_problems)
