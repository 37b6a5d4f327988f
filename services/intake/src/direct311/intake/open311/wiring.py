"""Builds GeoReport v2 and the feeds."""

from dataclasses import dataclass

from direct311.intake.catalogue.wiring import CatalogueData
from direct311.intake.clients.wiring import Clients
from direct311.intake.lifecycle.wiring import Lifecycle
from direct311.intake.open311.adapters.listing import listed_fields
from direct311.intake.open311.adapters.requests import MongoPublicRequests
from direct311.intake.open311.adapters.updates import MongoUpdates, noted_fields
from direct311.intake.open311.api.georeport import GeoReport
from direct311.intake.open311.api.read_limits import Callers
from direct311.intake.reporter.wiring import Reporters
from direct311.intake.request import ServiceRequest
from direct311.intake.settings import IntakeSettings
from direct311.intake.submission.wiring import Submissions
from direct311.runtime.process import Resources
from direct311.runtime.storage.database import Document

INDEXES = (*MongoPublicRequests.INDEXES, *MongoUpdates.INDEXES)
"""Indexes of the collection of requests, for the public lists."""


@dataclass(frozen=True, slots=True)
class Open311:
    requests: MongoPublicRequests
    callers: Callers
    georeport: GeoReport


def found_by(request: ServiceRequest) -> Document:
    """The fields of a stored request by which the public lists find it."""
    return listed_fields(request) | noted_fields(request)


def wire(
    settings: IntakeSettings,
    resources: Resources,
    catalogue: CatalogueData,
    clients: Clients,
    lifecycle: Lifecycle,
    submissions: Submissions,
    reporters: Reporters,
) -> Open311:
    """The public API."""
    records, clock = lifecycle.aggregates.records, resources.clock
    requests = MongoPublicRequests(records, clock)
    reader = clients.admission.reader
    callers = Callers(clients.reads, clients.names, reader, settings.reads_per_minute)
    georeport = GeoReport(
        settings=settings,
        catalogues=catalogue.by_language,
        agreement=submissions.agreement,
        admission=clients.admission,
        failed_keys=clients.failed_keys,
        callers=callers,
        accept=submissions.accept,
        requests=requests,
        updates=MongoUpdates(records.collection),
        add_comment=reporters.add_comment,
        clock=clock,
    )
    return Open311(requests, callers, georeport)
