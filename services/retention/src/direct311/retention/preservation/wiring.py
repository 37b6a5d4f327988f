"""Builds what open cases preserve."""

from dataclasses import dataclass
from datetime import timedelta
from zoneinfo import ZoneInfo

from fastapi import APIRouter
from prometheus_client import Gauge

from direct311.retention.api import CallerOf
from direct311.retention.cases.domain import CaseFile, CaseRules
from direct311.retention.holds.ports import Holds
from direct311.retention.inventory.ports import Inventory
from direct311.retention.preservation.adapters import MongoPreservingCases, load_business_days
from direct311.retention.preservation.api import router
from direct311.retention.preservation.handlers import Preservation
from direct311.retention.preservation.ports import KnownNames, RealHolds
from direct311.retention.record import InventoryRecord
from direct311.retention.review.ports import Dispositions
from direct311.retention.settings import RetentionSettings
from direct311.runtime.loops import Loop, Step
from direct311.runtime.messaging.records import EventProcessor
from direct311.runtime.process import Resources
from direct311.runtime.storage.database import MongoRecords


@dataclass(frozen=True, slots=True)
class PreservationPart:
    preservation: Preservation
    router: APIRouter
    loop: Loop
    prepare: Step


def provisional_holds(records: MongoRecords[CaseFile]) -> MongoPreservingCases:
    """The provisional holds in the case files."""
    return MongoPreservingCases(records)


def wire(
    settings: RetentionSettings,
    resources: Resources,
    caller_of: CallerOf,
    rules: CaseRules,
    case_records: MongoRecords[CaseFile],
    case_processor: EventProcessor[CaseFile],
    files: MongoPreservingCases,
    inventory: Inventory,
    processor: EventProcessor[InventoryRecord],
    dispositions: Dispositions,
    holds: Holds,
    holding: RealHolds,
    names: KnownNames,
) -> PreservationPart:
    """:raises DataFileError: the file of business days is invalid."""
    clock = resources.clock
    preservation = Preservation(
        case_processor,
        files,
        rules,
        processor,
        inventory,
        dispositions,
        holds,
        holding,
        names,
        load_business_days(settings.business_days_file),
        ZoneInfo(settings.timezone),
        clock,
        resources.ids,
    )

    gauge = Gauge(
        "direct311_cases_without_bounds",
        "Cases that stop all destruction and should have had bounds by now",
        registry=resources.metrics.registry,
    )

    async def overdue() -> str | None:
        found = await preservation.alarming()
        if not found:
            return None
        return f"{len(found)} without bounds stop all destruction, the oldest is {found[0]}"

    async def step() -> None:
        await preservation.step()
        gauge.set(len(await preservation.alarming()))

    async def prepare() -> None:
        await case_records.prepare(MongoPreservingCases.INDEXES)

    resources.readiness.add("cases", overdue, required=False)
    return PreservationPart(
        preservation,
        router(preservation, rules.desks, caller_of),
        Loop(
            "preserve",
            timedelta(seconds=1),
            step,
            resources.lease("preserve"),
            clock,
        ),
        prepare,
    )
