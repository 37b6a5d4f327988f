"""Wiring of disposition: records, months of entries without a record, and holds."""

import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from fastapi import APIRouter, Request

from direct311.audit.alarms.ports import Alarms
from direct311.audit.disposition.adapters.mongo_holds import MongoBeingDestroyed, MongoLogHolds
from direct311.audit.disposition.adapters.records import DueRecords
from direct311.audit.disposition.adapters.rules_file import load_month_key_rules
from direct311.audit.disposition.api import holds_router
from direct311.audit.disposition.domain.records import AuditedRecord
from direct311.audit.disposition.handlers.dispose import Disposition, note_order
from direct311.audit.disposition.handlers.holds import Held, LogHolding
from direct311.audit.disposition.handlers.months import MonthDisposition
from direct311.audit.index.ports import Entries
from direct311.audit.log.ports.log import Followed, IndexBehindError, IndexLostError
from direct311.audit.log.wiring import LogCapability
from direct311.audit.settings import AuditSettings
from direct311.runtime.access.rules import Caller
from direct311.runtime.disposition import Destroyer
from direct311.runtime.loops import Loop, Step
from direct311.runtime.messaging.records import EventProcessor, hold_handlers, on
from direct311.runtime.messaging.relay import Relay
from direct311.runtime.process import Resources
from direct311.schemas import events as ev


@dataclass(frozen=True)
class DispositionCapability:
    """The parts of disposition that the process uses. `disposition` receives certificates,
    `processor` receives holds; `relay` publishes receipts."""

    disposition: Disposition
    processor: EventProcessor[AuditedRecord]
    relay: Relay
    prepare: Step
    dispose: Loop
    router: APIRouter


def wire(
    settings: AuditSettings,
    resources: Resources,
    log: LogCapability,
    followed: Followed,
    entries: Entries,
    alarms: Alarms,
    caller: Callable[[Request], Awaitable[Caller]],
) -> DispositionCapability:
    """How entries of `log` end. :raises DataFileError: the rules for months are invalid."""
    clock, keys = resources.clock, log.keys
    aggregates = resources.aggregate_store(resources.database["records"], AuditedRecord)
    handlers = hold_handlers() | dict((on(ev.DispositionOrdered, note_order),))
    processor = resources.processor(
        aggregates, lambda record_id: AuditedRecord(record_id=record_id), handlers
    )
    due = DueRecords(aggregates.records, clock)
    holds = MongoLogHolds(resources.database)
    held = Held(holds, entries, followed)
    disposition = Disposition(
        processor,
        log.log,
        followed,
        entries,
        keys.ring,
        keys.tags,
        due.due,
        clock,
        settings.destroy_after,
        held=held,
        holds=holds,
        under_hold=due.under_hold,
        alarms=alarms,
    )

    async def destroying(limit: int) -> Sequence[AuditedRecord]:
        return await disposition.unheld(await aggregates.records.destroying(limit))

    destroyer = Destroyer(
        holder="audit",
        processor=processor,
        destroying=destroying,
        remove=disposition.remove,
        keys=keys.stored,
        clock=clock,
        recoverable_for=settings.recoverable_for,
    )
    being_destroyed = MongoBeingDestroyed(aggregates.records, keys.stored)
    holding = LogHolding(holds, held, being_destroyed, keys.vault, clock, resources.ids)
    rules = load_month_key_rules(settings.month_keys_file).content
    months = MonthDisposition(
        keys.stored, entries, followed, held, keys.tags, keys.vault, alarms, rules, clock
    )

    async def dispose() -> None:
        with contextlib.suppress(IndexLostError, IndexBehindError):
            await disposition.clear()
            await disposition.begin()
            await destroyer.step()
            await months.step()

    return DispositionCapability(
        disposition=disposition,
        processor=processor,
        relay=aggregates.relay,
        prepare=due.prepare,
        dispose=Loop("dispose", timedelta(seconds=1), dispose, resources.lease("dispose"), clock),
        router=holds_router(holding, caller),
    )
