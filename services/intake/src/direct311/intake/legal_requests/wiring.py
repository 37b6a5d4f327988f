"""Builds the form for legal process."""

from fastapi import APIRouter

from direct311.intake.legal_requests.adapters.form import load_form
from direct311.intake.legal_requests.adapters.retention import RetentionLegalDesk
from direct311.intake.legal_requests.api import legal_requests_router
from direct311.intake.legal_requests.handlers import SendLegalRequest
from direct311.intake.records_requests.wiring import RecordsRequests
from direct311.intake.settings import IntakeSettings
from direct311.runtime.process import Resources


def wire(
    settings: IntakeSettings, resources: Resources, records_requests: RecordsRequests
) -> APIRouter:
    """:param records_requests: whose limit this is too.

    :raises DataFileError: the file of words lacks one.
    """
    form = load_form(settings.legal_requests_file).content
    desk = RetentionLegalDesk(resources.peer("retention", settings.retention_url))
    return legal_requests_router(SendLegalRequest(desk, form, records_requests.limit), form)
