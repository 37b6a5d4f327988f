"""Reads the catalogue, its translations, the policies and the words of danger."""

from collections.abc import Mapping
from importlib.resources.abc import Traversable
from pathlib import Path

from direct311.intake.catalogue.domain import emergency, policy, translation
from direct311.intake.catalogue.domain import types as catalogue
from direct311.intake.catalogue.domain.emergency import Emergencies
from direct311.intake.catalogue.domain.policy import PrivacyPolicies
from direct311.intake.catalogue.domain.translation import Translation, translated
from direct311.intake.catalogue.domain.types import Catalogue
from direct311.intake.language import Language
from direct311.runtime.datafile import DataFile, DataFileError, load, packaged

TRANSLATIONS: tuple[Language, ...] = ("es", "ht")


def load_catalogue(path: Path | None = None) -> DataFile[Catalogue]:
    """The county's own file at `path`, or the one packaged here. Raises `DataFileError`."""
    source = path or packaged("direct311.intake", "catalogue.yaml")
    return load(Catalogue, source, catalogue.problems)


def load_catalogues(path: Path | None = None) -> Mapping[Language, Catalogue]:
    """The catalogue in every language: `catalogue.yaml` and, next to it, `catalogue.es.yaml` and
    `catalogue.ht.yaml`, whatever name the county's own file has. Raises `DataFileError`."""
    english = load_catalogue(path).content
    found: dict[Language, Catalogue] = {"en": english}
    for language in TRANSLATIONS:
        source = _beside(path, language)
        words = load(Translation, source, lambda each: translation.problems(english, each)).content
        if words.language != language:
            raise DataFileError(source.name, [("", "language", f"is not {language}")])
        found[language] = translated(english, words)
    return found


def _beside(path: Path | None, language: Language) -> Path | Traversable:
    if path is None:
        return packaged("direct311.intake", f"catalogue.{language}.yaml")
    return path.with_name(f"{path.stem}.{language}{path.suffix}")


def load_policies(path: Path | None = None) -> DataFile[PrivacyPolicies]:
    """The county's own file at `path`, or the one packaged here. Raises `DataFileError`."""
    source = path or packaged("direct311.intake", "policies.yaml")
    return load(PrivacyPolicies, source, policy.problems)


def load_emergencies(path: Path | None = None) -> DataFile[Emergencies]:
    """The county's own file at `path`, or the one packaged here. Raises `DataFileError`."""
    source = path or packaged("direct311.intake", "emergencies.yaml")
    return load(Emergencies, source, emergency.problems)
