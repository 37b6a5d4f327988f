"""Builds the denials of cases."""

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from fastapi import APIRouter

from direct311.retention.api import CallerOf
from direct311.retention.cases.work import CaseWork
from direct311.retention.denials.api import requester_router, router
from direct311.retention.denials.handlers import Denying
from direct311.retention.denials.ports import CasesByToken
from direct311.retention.settings import RetentionSettings
from direct311.runtime.access.fresh_sign_in import Approvals
from direct311.runtime.process import Resources


@dataclass(frozen=True, slots=True)
class DenialsPart:
    """`requester_router`: what the gateway passes on."""

    router: APIRouter
    requester_router: APIRouter


def wire(
    settings: RetentionSettings,
    resources: Resources,
    caller_of: CallerOf,
    work: CaseWork,
    cases: CasesByToken,
) -> DenialsPart:
    """:raises DataFileError: the file of exemptions is invalid. :raises NotApprovedError: two
    people have not approved it. :raises ApprovalError: the principals file names a service as the
    client for approvals."""
    denying = Denying(
        work,
        resources.exemptions(),
        cases,
        Approvals.from_file(settings.principals_file, settings.issuer_url),
        resources.issuer,
        ZoneInfo(settings.timezone),
    )
    return DenialsPart(router(denying, work.rules, caller_of), requester_router(denying, caller_of))
