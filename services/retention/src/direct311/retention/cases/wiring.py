"""Builds the case desk."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from fastapi import APIRouter

from direct311.retention.api import CallerOf
from direct311.retention.cases.adapters import (
    BUCKET,
    MongoCases,
    StoreDocuments,
    awaited,
    load_case_rules,
)
from direct311.retention.cases.api import public_router, router
from direct311.retention.cases.domain import CaseFile, CaseRules
from direct311.retention.cases.handlers import (
    CaseDesk,
    DestroyCase,
    Filing,
    PublicSubmissions,
    disposition_handlers,
)
from direct311.retention.cases.ports import Preserving, Shelf
from direct311.retention.cases.work import CaseWork
from direct311.retention.sealing import Sealing
from direct311.retention.settings import RetentionSettings
from direct311.runtime.disposition import Destroyer
from direct311.runtime.loops import Loop, Step
from direct311.runtime.messaging.broker import Process
from direct311.runtime.messaging.records import EventProcessor
from direct311.runtime.messaging.relay import Relay
from direct311.runtime.process import AggregateStore, Resources, processing
from direct311.runtime.storage.objects import ObjectStore


@dataclass(frozen=True, slots=True)
class CasesPart:
    """`process`: handles orders and holds about case files. `store_answers`: what is wrong with the
    store, for readiness. `work`, `cases`, `documents`: for the capabilities that stand on it."""

    process: Process
    desk: CaseDesk
    work: CaseWork
    cases: MongoCases
    router: APIRouter
    public_router: APIRouter
    loops: Sequence[Loop]
    prepare: Step
    relay: Relay
    store_answers: Step
    documents: StoreDocuments


@dataclass(frozen=True, slots=True)
class CaseFiles:
    """Where case files are, and how they change."""

    rules: CaseRules
    aggregates: AggregateStore[CaseFile]
    processor: EventProcessor[CaseFile]


def case_files(settings: RetentionSettings, resources: Resources) -> CaseFiles:
    """:raises DataFileError: the file of kinds is invalid."""
    aggregates = resources.aggregate_store(resources.database["cases"], CaseFile, awaited)
    processor = resources.processor(
        aggregates, lambda case_id: CaseFile(record_id=case_id), disposition_handlers()
    )
    return CaseFiles(load_case_rules(settings.cases_file), aggregates, processor)


def case_work(resources: Resources, sealing: Sealing, files: CaseFiles) -> CaseWork:
    """What every use case of the desk does, for all who build one."""
    return CaseWork(files.processor, sealing.vault, files.rules, resources.clock, resources.ids)


def wire(
    settings: RetentionSettings,
    resources: Resources,
    caller_of: CallerOf,
    store: ObjectStore,
    sealing: Sealing,
    shelf: Shelf,
    files: CaseFiles,
    preserving: Preserving,
) -> CasesPart:
    """:param preserving: what opening a case stops."""
    work = case_work(resources, sealing, files)
    clock = resources.clock
    processor, records = files.processor, files.aggregates.records
    cases, documents = MongoCases(records), StoreDocuments(store)
    filing = Filing(work, cases, shelf)
    file = Loop(
        "file cases", timedelta(seconds=1), filing.step, resources.lease("file-cases"), clock
    )
    desk = CaseDesk(work, cases, documents, file.wake, preserving, filing)
    destroyer = Destroyer(
        holder="retention",
        processor=processor,
        destroying=records.destroying,
        remove=DestroyCase(documents, shelf),
        keys=sealing.keys,
        clock=clock,
        recoverable_for=settings.recoverable_for,
    )

    async def tidy() -> None:
        await sealing.keys.forget_unused(clock.now() - timedelta(days=1), records.collection)

    async def prepare() -> None:
        await records.prepare(MongoCases.INDEXES)

    async def store_answers() -> None:
        await store.ping(BUCKET)

    return CasesPart(
        processing(processor),
        desk,
        work,
        cases,
        router(desk, files.rules.desks, caller_of),
        public_router(PublicSubmissions(desk, cases, processor, clock, resources.ids), caller_of),
        (
            file,
            Loop(
                "destroy", timedelta(seconds=1), destroyer.step, resources.lease("destroy"), clock
            ),
            Loop("tidy", timedelta(minutes=1), tidy, resources.lease("tidy"), clock),
        ),
        prepare,
        files.aggregates.relay,
        store_answers,
        documents,
    )
