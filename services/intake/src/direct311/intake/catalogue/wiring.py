"""Builds the catalogue."""

from collections.abc import Mapping
from dataclasses import dataclass

from direct311.intake.catalogue.adapters import load_catalogues, load_emergencies, load_policies
from direct311.intake.catalogue.domain.emergency import Emergencies
from direct311.intake.catalogue.domain.policy import PrivacyPolicies
from direct311.intake.catalogue.domain.types import Catalogue
from direct311.intake.language import Language
from direct311.intake.settings import IntakeSettings


@dataclass(frozen=True, slots=True)
class CatalogueData:
    """The county's data, by language if residents read it. English governs."""

    by_language: Mapping[Language, Catalogue]
    policies: PrivacyPolicies
    emergencies: Emergencies

    @property
    def english(self) -> Catalogue:
        return self.by_language["en"]


def wire(settings: IntakeSettings) -> CatalogueData:
    """:raises DataFileError: a file is missing or contradicts itself."""
    return CatalogueData(
        load_catalogues(settings.catalogue_file),
        load_policies(settings.policies_file).content,
        load_emergencies(settings.emergencies_file).content,
    )
