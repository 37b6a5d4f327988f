"""Builds the deliveries of the case desk."""

from direct311.intake.deliveries.adapters import RetentionDeliveries
from direct311.intake.deliveries.handlers import Deliveries
from direct311.intake.settings import IntakeSettings
from direct311.runtime.process import Resources


def wire(settings: IntakeSettings, resources: Resources) -> Deliveries:
    """:raises ServicesError: the principals file does not list retention."""
    return Deliveries(RetentionDeliveries(resources.peer("retention", settings.retention_url)))
