"""Builds the requester's way to write to the county, and to read."""

from fastapi import APIRouter

from direct311.intake.case_messages.adapters import RetentionMessages
from direct311.intake.case_messages.api import case_messages_router
from direct311.intake.case_messages.handlers import ReadMessages, WriteToTheCounty
from direct311.intake.clients.wiring import Clients
from direct311.intake.records_requests.wiring import RecordsRequests
from direct311.intake.settings import IntakeSettings
from direct311.runtime.process import Resources


def wire(
    settings: IntakeSettings,
    resources: Resources,
    clients: Clients,
    records_requests: RecordsRequests,
) -> APIRouter:
    """:param records_requests: whose texts and limit these are too."""
    desk = RetentionMessages(resources.peer("retention", settings.retention_url))
    return case_messages_router(
        WriteToTheCounty(desk, records_requests.message_limit),
        ReadMessages(desk),
        records_requests.notices,
        clients.failed_keys,
    )
