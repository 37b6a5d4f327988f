"""The service, put together from its capabilities."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Final
from zoneinfo import ZoneInfo

from fastapi import FastAPI

from direct311.retention.approvals import wiring as approvals
from direct311.retention.breach_letters import wiring as breach_letters
from direct311.retention.cases import wiring as cases
from direct311.retention.cases.adapters import MongoCases
from direct311.retention.cases.consumers import TOPICS as CASE_TOPICS
from direct311.retention.certificates import wiring as certificates
from direct311.retention.charges import wiring as charges
from direct311.retention.clearances import wiring as clearances
from direct311.retention.correspondence import wiring as correspondence
from direct311.retention.deliveries import wiring as deliveries
from direct311.retention.denials import wiring as denials
from direct311.retention.exemption_log import wiring as exemption_log
from direct311.retention.grants import wiring as grants
from direct311.retention.holds import wiring as holds
from direct311.retention.holds.adapters import MongoHolds
from direct311.retention.inventory import wiring as inventory
from direct311.retention.inventory.consumers import TOPICS
from direct311.retention.inventory.domain import RetentionRules
from direct311.retention.legal_process import wiring as legal_process
from direct311.retention.packages import wiring as packages
from direct311.retention.preservation import wiring as preservation
from direct311.retention.recalls import wiring as recalls
from direct311.retention.review import wiring as review
from direct311.retention.schedule import wiring as schedule
from direct311.retention.scoping import wiring as scoping
from direct311.retention.sealing import wire as wire_sealing
from direct311.retention.settings import RetentionSettings
from direct311.runtime.http.api import LARGEST_BODY, Application, caller_of, install
from direct311.runtime.http.key_routes import key_fetches_router, keys_router
from direct311.runtime.messaging.broker import PATIENT
from direct311.runtime.messaging.state import RecordState
from direct311.runtime.process import Resources, running
from direct311.runtime.storage.objects import ObjectStore

SERVICE: Final = "retention"


def create_app(settings: RetentionSettings, resources: Resources, store: ObjectStore) -> FastAPI:
    """The service, not yet started: nothing is connected before the application's lifespan."""
    caller = caller_of(resources.authenticator)
    files = schedule.wire(settings)
    rules = RetentionRules(files.schedule, files.assignments, ZoneInfo(settings.timezone))
    sealing = wire_sealing(settings, resources)
    holds_store = resources.aggregate_store(resources.database["holds"], RecordState)
    files_of_cases = cases.case_files(settings, resources)
    case_records = files_of_cases.aggregates.records
    provisional = preservation.provisional_holds(case_records)
    all_holds = MongoHolds(holds_store, resources.database, provisional, resources.clock)
    kept = inventory.wire(resources, caller, rules, all_holds)
    held = holds.wire(
        settings, resources, caller, rules.assignments, all_holds, kept.inventory, kept.processor
    )
    reviewed = review.wire(
        settings, resources, caller, rules, all_holds, kept.inventory, kept.processor
    )
    all_cases = MongoCases(case_records)
    certified = certificates.wire(
        settings,
        resources,
        caller,
        rules,
        kept.inventory,
        reviewed.dispositions,
        kept.processor,
        all_cases,
    )
    preserved = preservation.wire(
        settings,
        resources,
        caller,
        files_of_cases.rules,
        case_records,
        files_of_cases.processor,
        provisional,
        kept.inventory,
        kept.processor,
        reviewed.dispositions,
        all_holds,
        held.holding,
        held.scopes,
    )
    desk = cases.wire(
        settings,
        resources,
        caller,
        store,
        sealing,
        kept.case_files,
        files_of_cases,
        preserved.preservation,
    )
    legal = legal_process.wire(
        settings,
        resources,
        caller,
        desk.work,
        case_records,
        desk.desk,
        desk.cases,
        kept.inventory,
        all_holds,
        preserved.preservation,
    )
    granted = grants.wire(
        settings, resources, caller, files_of_cases.processor, files_of_cases.rules, legal.door
    )
    work = cases.case_work(resources, sealing, files_of_cases)
    charged = charges.wire(settings, caller, work, all_cases)
    denied = denials.wire(settings, resources, caller, work, all_cases)
    corresponding = correspondence.wire(work, desk.cases, caller)
    scoped = scoping.wire(work, preserved.preservation, caller)
    clearing = clearances.wire(settings, resources, caller, work)
    packaged = packages.wire(
        settings, resources, caller, desk.work, desk.cases, all_holds, desk.documents
    )
    logged = exemption_log.wire(desk.work, desk.cases, desk.documents, caller)
    waiting = approvals.wire(desk.work, case_records, all_holds, legal.door, caller)
    delivered = deliveries.wire(caller, desk.work, case_records, desk.documents, legal.agencies)
    resources.consumer(TOPICS, kept.process(certified.loop.wake), pace=PATIENT)
    resources.consumer(CASE_TOPICS, desk.process, group=f"{SERVICE}.cases")
    resources.readiness.add("store", desk.store_answers)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with running(
            resources,
            relays=[kept.relay, all_holds.relay, reviewed.relay, certified.relay, desk.relay],
            loops=[
                reviewed.expire,
                held.loop,
                reviewed.review,
                certified.loop,
                preserved.loop,
                legal.loop,
                *desk.loops,
                packaged.loop,
                *sealing.rotation.loops(resources),
            ],
            prepare=[
                kept.prepare,
                certified.prepare,
                all_holds.prepare,
                reviewed.prepare,
                sealing.prepare,
                desk.prepare,
                preserved.prepare,
                legal.prepare,
                delivered.prepare,
                waiting.prepare,
            ],
        ):
            yield
        store.close()

    app = Application(
        title="Direct311 retention",
        summary="Schedule, holds, review, disposition, certificates, case files",
        version=version("direct311-retention"),
        lifespan=lifespan,
    )
    install(app, resources.readiness, resources.metrics, resources.ledger)
    app.include_router(kept.router)
    app.include_router(reviewed.router)
    app.include_router(reviewed.dispositions_router)
    app.include_router(held.router)
    app.include_router(certified.router)
    app.include_router(desk.router)
    app.include_router(desk.public_router, max_body_size=LARGEST_BODY)
    app.include_router(granted)
    app.include_router(legal.router)
    app.include_router(legal.gateway_router)
    app.include_router(preserved.router)
    app.include_router(charged.router)
    app.include_router(charged.requester_router, max_body_size=LARGEST_BODY)
    app.include_router(denied.router)
    app.include_router(denied.requester_router, max_body_size=LARGEST_BODY)
    app.include_router(corresponding.router)
    app.include_router(corresponding.own_router, max_body_size=LARGEST_BODY)
    app.include_router(scoped)
    app.include_router(packaged.router)
    app.include_router(clearing)
    app.include_router(packaged.public_router)
    app.include_router(logged)
    app.include_router(delivered.router)
    app.include_router(delivered.gateway_router, max_body_size=LARGEST_BODY)
    app.include_router(breach_letters.wire(settings, caller))
    app.include_router(recalls.wire(desk.work, caller))
    app.include_router(waiting.router)
    app.include_router(key_fetches_router(sealing.keys, resources.producers, caller))
    app.include_router(keys_router(sealing.rotation, caller))
    return app
