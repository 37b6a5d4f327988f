"""Builds the public's way to ask for records."""

from dataclasses import dataclass

from direct311.intake.clients.handlers.reads import ReadLimits
from direct311.intake.clients.wiring import Clients
from direct311.intake.records_requests.adapters.estimates import RetentionEstimates
from direct311.intake.records_requests.adapters.notices import load_notices
from direct311.intake.records_requests.adapters.retention import RetentionCases
from direct311.intake.records_requests.domain import RecordsRequestNotices
from direct311.intake.records_requests.handlers import (
    AddressLimit,
    AskForRecords,
    FollowCase,
    ReadStatements,
    SeeEstimate,
)
from direct311.intake.settings import IntakeSettings
from direct311.runtime.process import Resources

AN_HOUR = 3600
"""In seconds."""


@dataclass(frozen=True, slots=True)
class RecordsRequests:
    """`notices`: what a requester reads. `limit`: its counts are exchanged every second, and those
    of `message_limit` with them."""

    ask: AskForRecords
    follow: FollowCase
    estimate: SeeEstimate
    statements: ReadStatements
    notices: RecordsRequestNotices
    limit: AddressLimit
    message_limit: AddressLimit


def wire(settings: IntakeSettings, resources: Resources, clients: Clients) -> RecordsRequests:
    """:raises DataFileError: the file of texts lacks one."""
    retention = resources.peer("retention", settings.retention_url)
    desk = RetentionCases(retention)
    # So few are allowed that every one matters to the other copies.
    limits = ReadLimits(clients.counts, resources.clock, worth=1, seconds=AN_HOUR)
    limit = AddressLimit(limits, clients.names, settings.records_requests_per_hour)
    return RecordsRequests(
        AskForRecords(desk, limit),
        FollowCase(desk),
        SeeEstimate(RetentionEstimates(retention)),
        ReadStatements(RetentionEstimates(retention)),
        load_notices(settings.records_requests_file).content,
        limit,
        AddressLimit(limits, clients.names, settings.records_requests_per_hour, of="messages"),
    )
