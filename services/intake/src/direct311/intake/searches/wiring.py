"""Builds the searches for cases."""

from direct311.intake.lifecycle.wiring import Lifecycle
from direct311.intake.sealing import Sealing
from direct311.intake.searches.adapters import MongoCandidates
from direct311.intake.searches.handlers import SearchForCase
from direct311.intake.settings import IntakeSettings
from direct311.intake.staff.handlers.contact import Contact
from direct311.runtime.access.disclosures import Disclosures
from direct311.runtime.process import Resources


def wire(
    settings: IntakeSettings,
    resources: Resources,
    sealing: Sealing,
    lifecycle: Lifecycle,
    contact: Contact,
    disclosures: Disclosures,
) -> SearchForCase:
    return SearchForCase(
        contact=contact,
        candidates=MongoCandidates(lifecycle.aggregates.records.collection),
        vault=sealing.vault,
        indexes=sealing.indexes,
        disclosures=disclosures,
        clock=resources.clock,
        most_candidates=settings.most_searched,
    )
