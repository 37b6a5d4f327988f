"""Builds the inventory."""

from collections.abc import Callable
from dataclasses import dataclass

from fastapi import APIRouter

from direct311.retention.api import CallerOf
from direct311.retention.holds.ports import Holds
from direct311.retention.inventory.adapters import MongoInventory
from direct311.retention.inventory.api import router
from direct311.retention.inventory.consumers import inventorying
from direct311.retention.inventory.domain import RetentionRules
from direct311.retention.inventory.handlers import CaseFiles, Inventorying, Outcomes
from direct311.retention.record import InventoryRecord
from direct311.runtime.loops import Step
from direct311.runtime.messaging.broker import Process
from direct311.runtime.messaging.records import EventProcessor
from direct311.runtime.messaging.relay import Relay
from direct311.runtime.process import Resources, processing


@dataclass(frozen=True, slots=True)
class InventoryPart:
    """`process`: handles events; it is given a function to call when holders have answered."""

    inventory: MongoInventory
    processor: EventProcessor[InventoryRecord]
    process: Callable[[Callable[[], None]], Process]
    case_files: CaseFiles
    router: APIRouter
    prepare: Step
    relay: Relay


def wire(
    resources: Resources, caller_of: CallerOf, rules: RetentionRules, holds: Holds
) -> InventoryPart:
    clock = resources.clock
    records = resources.aggregate_store(resources.database["records"], InventoryRecord)
    inventory = MongoInventory(records.records)
    entries = Inventorying(rules, holds, clock)
    processor = resources.processor(
        records,
        lambda record_id: InventoryRecord(record_id=record_id),
        entries.handlers(),
    )

    def process(answered: Callable[[], None]) -> Process:
        return inventorying(processing(processor), answered)

    async def prepare() -> None:
        await records.records.prepare(MongoInventory.INDEXES)

    outcomes = Outcomes(processor, rules, clock)
    return InventoryPart(
        inventory,
        processor,
        process,
        CaseFiles(processor, entries, resources.ids),
        router(inventory, outcomes, rules, resources.ids, caller_of),
        prepare,
        records.relay,
    )
