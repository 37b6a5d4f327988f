"""Reads the catalogue and the privacy policies from their files."""

from pathlib import Path

from direct311.intake.domain import catalogue, policy
from direct311.intake.domain.catalogue import Catalogue
from direct311.intake.domain.policy import PrivacyPolicies
from direct311.runtime.datafile import DataFile, load, packaged


def load_catalogue(path: Path | None = None) -> DataFile[Catalogue]:
    """The county's own file at `path`, or the one packaged here. Raises `DataFileError`."""
    source = path or packaged("direct311.intake", "catalogue.yaml")
    return load(Catalogue, source, catalogue.problems)


def load_policies(path: Path | None = None) -> DataFile[PrivacyPolicies]:
    """The county's own file at `path`, or the one packaged here. Raises `DataFileError`."""
    source = path or packaged("direct311.intake", "policies.yaml")
    return load(PrivacyPolicies, source, policy.problems)
