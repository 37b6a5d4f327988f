"""Reads from its file what volume of reading is unusual."""

from pathlib import Path

from direct311.audit.monitoring.domain.volume import VolumeRules, volume_problems
from direct311.runtime.datafile import DataFile, load, packaged


def load_volume_rules(path: Path | None = None) -> DataFile[VolumeRules]:
    """The county's own file, or the one packaged here. Raises `DataFileError`."""
    return load(VolumeRules, path or packaged("direct311.audit", "volume.yaml"), volume_problems)
