"""The service, put together from its capabilities."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Final

from fastapi import FastAPI

from direct311.media.files import wiring as files
from direct311.media.lifecycle import consumers as lifecycle_events
from direct311.media.lifecycle import wiring as lifecycle
from direct311.media.lifecycle.adapters import INDEXES
from direct311.media.ports import Buckets
from direct311.media.record import RecordMedia
from direct311.media.review import wiring as review
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
from direct311.media.uploads import consumers as upload_events
from direct311.media.uploads import wiring as uploads
from direct311.runtime.access.rules import AccessPolicy
from direct311.runtime.http.api import Application, caller_of, install
from direct311.runtime.http.key_routes import key_fetches_router, keys_router
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
    database = resources.database
    aggregates = resources.aggregate_store(database["records"], RecordMedia)
    keys = MongoKeys(database["keys"])
    vault = Vault(keys, provider, resources.ledger, policy, resources.clock)
    rotation = KeyRotation(keys, provider, vault, database, resources.clock)
    buckets = Buckets(
        StoreIncoming(store),
        StoreOriginals(store),
        StoreCopies(store),
        SecretTokens(database["secrets"]),
    )
    taking = uploads.wire(settings, resources, buckets, vault)
    processor = resources.processor(
        aggregates,
        lambda record_id: RecordMedia(record_id=record_id),
        {**taking.handlers, **lifecycle_events.handlers()},
    )
    topics = (*upload_events.TOPICS, *lifecycle_events.TOPICS)
    resources.consumer(topics, taking.process(processor), pace=uploads.PACE)
    ending = lifecycle.wire(settings, resources, buckets, keys, aggregates, processor)
    disclosures, prepare_disclosures = resources.disclosures()
    reading = files.wire(
        settings, resources, aggregates.records, buckets.originals, vault, disclosures
    )
    reviewing = review.wire(
        settings, resources, aggregates, processor, buckets.originals, vault, disclosures
    )
    loops = [*ending.loops, *rotation.loops(resources)]

    async def stores_answer() -> str | None:
        for bucket in (INCOMING, SEALED, PUBLIC):
            await store.ping(bucket)
        return None

    resources.readiness.add("store", stores_answer)

    async def indexes() -> None:
        await aggregates.records.prepare(INDEXES)
        await keys.prepare()
        await rotation.checks.check()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        try:
            async with running(
                resources,
                relays=[aggregates.relay],
                loops=loops,
                prepare=[indexes, prepare_disclosures],
            ):
                yield
        finally:
            await taking.close()
            await reviewing.close()
            store.close()

    app = Application(
        title="Direct311 media",
        description="Uploads: verified, sealed, and published as clean copies.",
        version=version("direct311-media"),
        lifespan=lifespan,
    )
    install(app, resources.readiness, resources.metrics, resources.ledger)
    app.include_router(taking.router)
    app.include_router(reading.router)
    for router in reviewing.routers:
        app.include_router(router)
    caller = caller_of(resources.authenticator)
    app.include_router(key_fetches_router(keys, resources.producers, caller))
    app.include_router(keys_router(rotation, caller))
    return app
