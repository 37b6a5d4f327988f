"""Reads audit's own law from its files."""

from pathlib import Path

from direct311.audit.domain.breach import BreachRules, breach_problems
from direct311.audit.domain.months import MonthKeyRules, month_key_problems
from direct311.audit.domain.volume import VolumeRules, volume_problems
from direct311.runtime.datafile import DataFile, load, packaged

_PACKAGE = "direct311.audit"


def load_breach_rules(path: Path | None = None) -> DataFile[BreachRules]:
    """The county's own file, or the one packaged here. Raises `DataFileError`."""
    return load(BreachRules, path or packaged(_PACKAGE, "breach.yaml"), breach_problems)


def load_month_key_rules(path: Path | None = None) -> DataFile[MonthKeyRules]:
    """The county's own file, or the one packaged here. Raises `DataFileError`."""
    return load(MonthKeyRules, path or packaged(_PACKAGE, "month_keys.yaml"), month_key_problems)


def load_volume_rules(path: Path | None = None) -> DataFile[VolumeRules]:
    """The county's own file, or the one packaged here. Raises `DataFileError`."""
    return load(VolumeRules, path or packaged(_PACKAGE, "volume.yaml"), volume_problems)
