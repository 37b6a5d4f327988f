"""Builds recalling."""

from fastapi import APIRouter

from direct311.retention.api import CallerOf
from direct311.retention.cases.work import CaseWork
from direct311.retention.recalls.api import router
from direct311.retention.recalls.handlers import Recalling


def wire(work: CaseWork, caller_of: CallerOf) -> APIRouter:
    return router(Recalling(work), work.rules, caller_of)
