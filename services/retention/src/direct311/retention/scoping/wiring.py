"""Builds scope, search log and timeline."""

from fastapi import APIRouter

from direct311.retention.api import CallerOf
from direct311.retention.cases.work import CaseWork
from direct311.retention.scoping.api import router
from direct311.retention.scoping.handlers import Scoping
from direct311.retention.scoping.ports import Bounding


def wire(work: CaseWork, bounding: Bounding, caller_of: CallerOf) -> APIRouter:
    """:param bounding: what an open case stops."""
    return router(Scoping(work, bounding), work.rules.desks, caller_of, work.clock)
