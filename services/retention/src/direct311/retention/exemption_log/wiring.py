"""Builds the exemption log across cases."""

from fastapi import APIRouter

from direct311.retention.api import CallerOf
from direct311.retention.cases.ports import SealedDocuments
from direct311.retention.cases.work import CaseWork
from direct311.retention.exemption_log.api import router
from direct311.retention.exemption_log.handlers import ExemptionLog
from direct311.retention.exemption_log.ports import ReleasedCases


def wire(
    work: CaseWork, cases: ReleasedCases, sealed: SealedDocuments, caller_of: CallerOf
) -> APIRouter:
    """:param cases: the case files."""
    return router(ExemptionLog(work, cases, sealed), caller_of)
