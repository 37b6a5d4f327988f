"""Builds the legal process of cases, and the alarm about what should have followed by now."""

from dataclasses import dataclass
from datetime import timedelta

from fastapi import APIRouter
from prometheus_client import Gauge

from direct311.retention.api import CallerOf
from direct311.retention.cases.domain import CaseFile
from direct311.retention.cases.work import CaseWork
from direct311.retention.holds.ports import Holds
from direct311.retention.inventory.ports import Inventory
from direct311.retention.legal_process.adapters import (
    MongoLegalCases,
    load_agencies,
    load_instruments,
)
from direct311.retention.legal_process.api import LegalUseCases, gateway_router, router
from direct311.retention.legal_process.domain import Agencies, LegalDoor
from direct311.retention.legal_process.handlers.custody import Custody
from direct311.retention.legal_process.handlers.desk import LegalDesk
from direct311.retention.legal_process.handlers.follow_ups import FollowUps
from direct311.retention.legal_process.handlers.oral import OralDisclosures
from direct311.retention.legal_process.handlers.referrals import Referrals
from direct311.retention.legal_process.handlers.scopes import Scopes
from direct311.retention.legal_process.handlers.secrecy import Secrecy
from direct311.retention.legal_process.handlers.submissions import LegalSubmissions
from direct311.retention.legal_process.handlers.verification import Verification
from direct311.retention.legal_process.ports import Opening, Submissions, Unbounded
from direct311.retention.settings import RetentionSettings
from direct311.runtime.loops import Loop, Step
from direct311.runtime.process import Resources
from direct311.runtime.storage.database import MongoRecords


@dataclass(frozen=True, slots=True)
class LegalPart:
    """`door`: what a grant of such a case may name. `agencies`: those in force here."""

    router: APIRouter
    gateway_router: APIRouter
    door: LegalDoor
    agencies: Agencies
    loop: Loop
    prepare: Step


def wire(
    settings: RetentionSettings,
    resources: Resources,
    caller_of: CallerOf,
    work: CaseWork,
    records: MongoRecords[CaseFile],
    opening: Opening,
    submissions: Submissions,
    inventory: Inventory,
    holds: Holds,
    unbounded: Unbounded,
) -> LegalPart:
    """:raises DataFileError: the file of instruments or of agencies is invalid."""
    local = settings.environment != "production"
    fields = [each.field for each in resources.access_policy().rules.fields]
    rules = load_instruments(settings.instruments_file, fields=fields, local=local)
    agencies = load_agencies(settings.agencies_file, local=local)
    door = LegalDoor(rules)
    desk = LegalDesk(work, rules, agencies, door)
    kind = work.rules.of("law_enforcement")
    cases = LegalUseCases(
        desk,
        Verification(desk),
        Scopes(desk),
        Secrecy(desk),
        Custody(desk),
        Referrals(desk, opening, inventory),
        OralDisclosures(desk, opening, inventory),
        kind.desks,
        door.all_approvers(work.rules),
    )
    follow_ups = FollowUps(MongoLegalCases(records), unbounded, holds, resources.clock)
    gauge = Gauge(
        "direct311_cases_followup_overdue",
        "Cases of any kind that wait for something that should have come by now",
        registry=resources.metrics.registry,
    )

    async def overdue() -> str | None:
        found = await follow_ups.overdue()
        return f"followup_overdue: {len(found)}, one is case {found[0]}" if found else None

    async def count() -> None:
        gauge.set(len(await follow_ups.overdue()))

    async def prepare() -> None:
        await records.prepare(MongoLegalCases.INDEXES)

    resources.readiness.add("follow-ups", overdue, required=False)
    return LegalPart(
        router(cases, caller_of),
        gateway_router(LegalSubmissions(desk, opening, submissions), caller_of),
        door,
        agencies,
        Loop(
            "follow up",
            timedelta(seconds=5),
            count,
            resources.lease("follow-up"),
            resources.clock,
        ),
        prepare,
    )
