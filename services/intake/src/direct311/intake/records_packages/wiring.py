"""Builds the download of released records."""

from direct311.intake.records_packages.adapters import RetentionPackages
from direct311.intake.records_packages.handlers import FetchRecords
from direct311.intake.settings import IntakeSettings
from direct311.runtime.process import Resources


def wire(settings: IntakeSettings, resources: Resources) -> FetchRecords:
    """:raises ServicesError: the principals file does not list retention."""
    return FetchRecords(RetentionPackages(resources.peer("retention", settings.retention_url)))
