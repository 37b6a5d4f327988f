"""Wiring."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from importlib.metadata import version
from typing import Final
from zoneinfo import ZoneInfo

from fastapi import FastAPI

from direct311.retention.api import UseCases
from direct311.retention.certificates.adapters import MongoCertificates
from direct311.retention.certificates.domain import Certificate
from direct311.retention.certificates.handlers import Certification
from direct311.retention.holds.adapters import MongoHolds
from direct311.retention.holds.consumers import HOLD_TOPICS, hold_requests
from direct311.retention.holds.handlers.holding import Holding
from direct311.retention.holds.handlers.scopes import Scopes
from direct311.retention.inventory.adapters import MongoInventory
from direct311.retention.inventory.consumers import TOPICS, inventorying
from direct311.retention.inventory.domain import RetentionRules
from direct311.retention.inventory.handlers import Inventorying, Outcomes
from direct311.retention.record import InventoryRecord
from direct311.retention.review.adapters import MongoDispositions
from direct311.retention.review.handlers.expiry import Expiry
from direct311.retention.review.handlers.review import Review
from direct311.retention.routes import router
from direct311.retention.schedule.adapters import load_retention
from direct311.retention.settings import RetentionSettings
from direct311.runtime.http.api import Application, caller_of, install
from direct311.runtime.loops import Loop, Step
from direct311.runtime.messaging.broker import PATIENT
from direct311.runtime.process import Resources, folding, running

SERVICE: Final = "retention"


def create_app(settings: RetentionSettings, resources: Resources) -> FastAPI:
    """The service, not yet started: nothing is connected before the application's lifespan."""
    clock, ids, database = resources.clock, resources.ids, resources.database
    files = load_retention(settings.schedule_file, settings.assignments_file)
    rules = RetentionRules(files.schedule, files.assignments, ZoneInfo(settings.timezone))
    ahead = settings.environment in ("local", "test")

    records = resources.outgoing(database["records"], InventoryRecord)
    certificates = resources.outgoing(database["certificates"], Certificate)
    inventory = MongoInventory(records.records)
    holds = MongoHolds(database, clock)
    dispositions = MongoDispositions(database)
    kept = MongoCertificates(certificates.records)

    folder = resources.folder(
        records,
        lambda record_id: InventoryRecord(record_id=record_id),
        Inventorying(rules, holds, clock).handlers(),
    )
    certificate_folder = resources.folder(
        certificates, lambda certificate_id: Certificate(record_id=certificate_id), {}
    )
    expiry = Expiry(folder, inventory, holds, rules, clock, ids, ahead=ahead)
    holding = Holding(folder, inventory, holds, clock, ids, settings.settle_for)

    def stopped() -> bool:
        return any(each.stopped_because for each in resources.consumers)

    review = Review(
        folder, inventory, holds, dispositions, rules, clock, ids, ahead=ahead, stopped=stopped
    )
    certification = Certification(
        folder,
        certificate_folder,
        kept,
        inventory,
        dispositions,
        rules,
        clock,
        ids,
        settings.audit_after,
    )

    def loop(name: str, every: timedelta, step: Step) -> Loop:
        return Loop(name, every, step, resources.lease(name), clock)

    certify = loop("certify", timedelta(seconds=5), certification.step)
    loops = [
        loop("expire", settings.expire_every, expiry.step),
        loop("hold", timedelta(seconds=1), holding.step),
        loop("review", timedelta(seconds=2), review.step),
        certify,
    ]
    resources.consumer(TOPICS, inventorying(folding(folder), certify.wake), pace=PATIENT)
    resources.consumer(HOLD_TOPICS, hold_requests(holding), group=f"{SERVICE}.holds")

    async def prepare() -> None:
        await records.records.prepare(MongoInventory.INDEXES)
        await certificates.records.prepare(MongoCertificates.INDEXES)
        await holds.prepare()
        await dispositions.prepare()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        relays = [records.relay, certificates.relay]
        async with running(resources, relays=relays, loops=loops, prepare=[prepare]):
            yield

    app = Application(
        title="Direct311 retention",
        summary="Schedule, holds, review, disposition, certificates",
        version=version("direct311-retention"),
        lifespan=lifespan,
    )
    install(app, resources.readiness, resources.metrics, resources.ledger)
    app.include_router(
        router(
            UseCases(
                inventory=inventory,
                holds=holds,
                dispositions=dispositions,
                rules=rules,
                outcomes=Outcomes(folder, rules, clock),
                expiry=expiry,
                holding=holding,
                scopes=Scopes(inventory, rules.assignments),
                review=review,
                certification=certification,
                seal=resources.signer,
                ids=ids,
                clock=clock,
            ),
            caller_of(resources.authenticator),
        )
    )
    return app
