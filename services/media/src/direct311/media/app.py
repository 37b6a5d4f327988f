"""Wiring."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from importlib.metadata import version
from typing import Final

from fastapi import FastAPI
from prometheus_client import Counter

from direct311.media.files.api import files_router
from direct311.media.lifecycle.adapters import INDEXES, MongoHoldings
from direct311.media.lifecycle.handlers import DestroyMedia, Sweep, shard_of_the_minute
from direct311.media.record import RecordMedia
from direct311.media.settings import MediaSettings
from direct311.media.storage import (
    INCOMING,
    PUBLIC,
    SEALED,
    StoreCopies,
    StoreIncoming,
    StoreOriginals,
)
from direct311.media.tokens import SecretTokens
from direct311.media.uploads.adapters.picture_worker import WorkerLimits
from direct311.media.uploads.adapters.pictures import Limits
from direct311.media.uploads.adapters.seals import VaultSeals
from direct311.media.uploads.adapters.workers import CleanerProcesses
from direct311.media.uploads.api import tickets_router
from direct311.media.uploads.consumers import TOPICS, handlers, taking
from direct311.media.uploads.handlers import TakeUploads
from direct311.runtime.access.rules import AccessPolicy
from direct311.runtime.disposition import Destroyer
from direct311.runtime.http.api import Application, caller_of, install
from direct311.runtime.http.key_routes import key_fetches_router, keys_router
from direct311.runtime.loops import Loop
from direct311.runtime.messaging.broker import Pace
from direct311.runtime.process import Resources, running
from direct311.runtime.storage.objects import ObjectStore
from direct311.runtime.vault.keys import KeyProvider
from direct311.runtime.vault.keystore import MongoKeys
from direct311.runtime.vault.rotation import KeyRotation
from direct311.runtime.vault.vault import Vault

SERVICE: Final = "media"


def create_app(
    settings: MediaSettings,
    resources: Resources,
    store: ObjectStore,
    provider: KeyProvider,
    policy: AccessPolicy,
) -> FastAPI:
    """The service, not yet started: nothing is connected before the application's lifespan."""
    clock, database = resources.clock, resources.database
    line = resources.outgoing(database["records"], RecordMedia)
    keys = MongoKeys(database["keys"])
    vault = Vault(keys, provider, resources.ledger, policy, clock)
    rotation = KeyRotation(keys, provider, vault, database, clock)
    incoming, originals, copies = StoreIncoming(store), StoreOriginals(store), StoreCopies(store)
    tokens = SecretTokens(database["secrets"])
    limits = Limits(max_pixels=settings.max_pixels, max_side=settings.max_side)
    cleaner = CleanerProcesses(processes=settings.cleaners, limits=WorkerLimits(pictures=limits))
    files = Counter(
        "direct311_media_files",
        "Uploads examined, by outcome",
        ["outcome"],
        registry=resources.metrics.registry,
    )

    def count(outcome: str) -> None:
        files.labels(outcome).inc()

    take = TakeUploads(
        incoming=incoming,
        cleaner=cleaner,
        seals=VaultSeals(vault, f"svc:{SERVICE}"),
        originals=originals,
        copies=copies,
        tokens=tokens,
        clock=clock,
        public_url=settings.copies_url,
        max_bytes=settings.max_bytes,
        count=count,
    )
    folder = resources.folder(
        line, lambda record_id: RecordMedia(record_id=record_id), handlers(take)
    )
    # Twice as many records in hand as are decoded, so that the store's time is not idle time.
    process = taking(folder, take.discard, 2 * settings.cleaners)
    resources.consumer(TOPICS, process, pace=Pace(records=50, most=0.25))
    destroyer = Destroyer(
        holder=SERVICE,
        folder=folder,
        destroying=line.records.destroying,
        remove=DestroyMedia(originals, copies, tokens),
        keys=keys,
        clock=clock,
        recoverable_for=settings.recoverable_for,
    )
    sweep = Sweep(
        incoming=incoming,
        originals=originals,
        copies=copies,
        holdings=MongoHoldings(line.records.collection),
        clock=clock,
        abandoned_after=settings.abandoned_after,
    )

    async def tidy() -> None:
        await sweep.waiting()
        await sweep.shard(shard_of_the_minute(clock.now()))
        await keys.forget_unused(clock.now() - timedelta(days=1), line.records.collection)

    loops = [
        Loop("destroy", timedelta(seconds=1), destroyer.step, resources.lease("destroy"), clock),
        Loop("tidy", timedelta(minutes=1), tidy, resources.lease("tidy"), clock),
        *rotation.loops(resources),
    ]

    async def buckets() -> str | None:
        for bucket in (INCOMING, SEALED, PUBLIC):
            await store.ping(bucket)
        return None

    resources.readiness.add("store", buckets)

    async def indexes() -> None:
        await line.records.prepare(INDEXES)
        await keys.prepare()
        await rotation.checks.check()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        try:
            async with running(resources, relays=[line.relay], loops=loops, prepare=[indexes]):
                yield
        finally:
            await cleaner.aclose()
            store.close()

    app = Application(
        title="Direct311 media",
        description="Uploads: verified, sealed, and published as clean copies.",
        version=version("direct311-media"),
        lifespan=lifespan,
    )
    install(app, resources.readiness, resources.metrics, resources.ledger)
    app.include_router(
        tickets_router(
            resources.authenticator,
            incoming,
            resources.ids,
            clock,
            expires=settings.ticket_expires,
            max_bytes=settings.max_bytes,
        )
    )
    app.include_router(
        files_router(resources.authenticator, line.records, originals, vault, settings.copies_url)
    )
    caller = caller_of(resources.authenticator)
    app.include_router(key_fetches_router(keys, resources.producers, caller))
    app.include_router(keys_router(rotation, caller))
    return app
