"""Builds the list of approvals."""

from dataclasses import dataclass

from fastapi import APIRouter

from direct311.retention.api import CallerOf
from direct311.retention.approvals.adapters import MongoOpenCases
from direct311.retention.approvals.api import router
from direct311.retention.approvals.handlers import WaitingApprovals
from direct311.retention.cases.domain import CaseFile
from direct311.retention.cases.work import CaseWork
from direct311.retention.holds.ports import Holds
from direct311.retention.legal_process.domain import LegalDoor
from direct311.runtime.loops import Step
from direct311.runtime.storage.database import MongoRecords


@dataclass(frozen=True, slots=True)
class ApprovalsPart:
    router: APIRouter
    prepare: Step


def wire(
    work: CaseWork,
    records: MongoRecords[CaseFile],
    holds: Holds,
    door: LegalDoor,
    caller_of: CallerOf,
) -> ApprovalsPart:
    async def prepare() -> None:
        await records.prepare(MongoOpenCases.INDEXES)

    waiting = WaitingApprovals(work, MongoOpenCases(records), holds, door)
    return ApprovalsPart(router(waiting, caller_of), prepare)
