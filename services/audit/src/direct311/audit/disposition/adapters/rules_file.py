"""Reads from its file how long the keys of months are kept."""

from pathlib import Path

from direct311.audit.disposition.domain.months import MonthKeyRules, month_key_problems
from direct311.runtime.datafile import DataFile, load, packaged


def load_month_key_rules(path: Path | None = None) -> DataFile[MonthKeyRules]:
    """The county's own file, or the one packaged here. Raises `DataFileError`."""
    return load(
        MonthKeyRules, path or packaged("direct311.audit", "month_keys.yaml"), month_key_problems
    )
