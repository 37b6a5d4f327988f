"""Builds the placing and releasing of holds."""

from dataclasses import dataclass
from datetime import timedelta

from fastapi import APIRouter

from direct311.retention.api import CallerOf
from direct311.retention.holds.api import router
from direct311.retention.holds.handlers.holding import Holding
from direct311.retention.holds.handlers.scopes import Scopes
from direct311.retention.holds.ports import HoldableRecords, Holds
from direct311.retention.record import InventoryRecord
from direct311.retention.schedule.domain.schedule import Assignments
from direct311.retention.settings import RetentionSettings
from direct311.runtime.loops import Loop
from direct311.runtime.messaging.records import EventProcessor
from direct311.runtime.process import Resources


@dataclass(frozen=True, slots=True)
class HoldsPart:
    holding: Holding
    scopes: Scopes
    router: APIRouter
    loop: Loop


def wire(
    settings: RetentionSettings,
    resources: Resources,
    caller_of: CallerOf,
    assignments: Assignments,
    holds: Holds,
    records: HoldableRecords,
    processor: EventProcessor[InventoryRecord],
) -> HoldsPart:
    clock, ids = resources.clock, resources.ids
    holding = Holding(processor, records, holds, clock, ids, settings.settle_for)
    scopes = Scopes(records, assignments)
    return HoldsPart(
        holding,
        scopes,
        router(holding, scopes, holds, records, ids, clock, caller_of),
        Loop("hold", timedelta(seconds=1), holding.step, resources.lease("hold"), clock),
    )
