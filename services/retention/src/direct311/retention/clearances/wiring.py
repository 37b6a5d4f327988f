"""Builds the clearing of leaks."""

from fastapi import APIRouter

from direct311.retention.api import CallerOf
from direct311.retention.cases.work import CaseWork
from direct311.retention.clearances.api import router
from direct311.retention.clearances.handlers import Clearing
from direct311.retention.settings import RetentionSettings
from direct311.runtime.access.fresh_sign_in import Approvals
from direct311.runtime.process import Resources


def wire(
    settings: RetentionSettings, resources: Resources, caller_of: CallerOf, work: CaseWork
) -> APIRouter:
    """:raises ApprovalError: the principals file names a service as the client for approvals."""
    approvals = Approvals.from_file(settings.principals_file, settings.issuer_url)
    return router(Clearing(work, approvals, resources.issuer), work.rules, caller_of)
