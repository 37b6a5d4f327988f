"""Builds the grants of cases."""

from fastapi import APIRouter

from direct311.retention.api import CallerOf
from direct311.retention.cases.domain import CaseFile, CaseRules
from direct311.retention.grants.api import router
from direct311.retention.grants.handlers import Granting
from direct311.retention.legal_process.domain import LegalDoor
from direct311.retention.settings import RetentionSettings
from direct311.runtime.access.fresh_sign_in import Approvals
from direct311.runtime.messaging.records import EventProcessor
from direct311.runtime.process import Resources


def wire(
    settings: RetentionSettings,
    resources: Resources,
    caller_of: CallerOf,
    processor: EventProcessor[CaseFile],
    rules: CaseRules,
    door: LegalDoor,
) -> APIRouter:
    """:raises ApprovalError: the principals file names a service as the client for approvals."""
    approvals = Approvals.from_file(settings.principals_file, settings.issuer_url)
    fields = [each.field for each in resources.access_policy().rules.fields]
    granting = Granting(
        processor, rules, fields, approvals, resources.issuer, resources.clock, resources.ids, door
    )
    return router(granting, rules.desks, door.all_approvers(rules), caller_of)
