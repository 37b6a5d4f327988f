"""Builds what staff do."""

from dataclasses import dataclass

from direct311.intake.catalogue.domain.types import Catalogue
from direct311.intake.lifecycle.wiring import Lifecycle
from direct311.intake.sealing import Sealing
from direct311.intake.settings import IntakeSettings
from direct311.intake.staff.adapters import MongoEndedSessions
from direct311.intake.staff.api.pages import StaffPages
from direct311.intake.staff.handlers.contact import Contact
from direct311.intake.staff.handlers.release import Release
from direct311.runtime.access.disclosures import Disclosures
from direct311.runtime.http.staff import StaffSignIn
from direct311.runtime.process import Resources


@dataclass(frozen=True, slots=True)
class Staff:
    contact: Contact
    release: Release
    ended_sessions: MongoEndedSessions
    pages: StaffPages


def wire(
    settings: IntakeSettings,
    resources: Resources,
    sealing: Sealing,
    catalogue: Catalogue,
    lifecycle: Lifecycle,
    disclosures: Disclosures,
) -> Staff:
    """The use cases and pages of staff."""
    clock, vault = resources.clock, sealing.vault
    ended = MongoEndedSessions(resources.database["ended_sessions"])
    sign_in = StaffSignIn(
        resources.issuer,
        settings.issuer_url,
        resources.http,
        resources.authenticator,
        services=resources.services,
        client_secret=settings.client_secret.get_secret_value(),
        redirect_url=f"{settings.public_url.rstrip('/')}/staff/callback",
        clock=clock,
        ended=ended,
    )
    return Staff(
        contact=Contact(lifecycle.requests, vault, sealing.indexes, disclosures),
        release=Release(lifecycle.processor, catalogue, vault, clock),
        ended_sessions=ended,
        pages=StaffPages(sign_in, lifecycle.requests),
    )
