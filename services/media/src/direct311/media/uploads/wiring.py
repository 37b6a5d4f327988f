"""Builds the acceptance of uploads."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from fastapi import APIRouter
from prometheus_client import Counter

from direct311.media.pictures import Limits
from direct311.media.ports import Buckets
from direct311.media.record import RecordMedia
from direct311.media.settings import MediaSettings
from direct311.media.uploads.adapters.picture_worker import WorkerLimits
from direct311.media.uploads.adapters.seals import VaultSeals
from direct311.media.uploads.adapters.workers import CleanerProcesses
from direct311.media.uploads.api import tickets_router
from direct311.media.uploads.consumers import handlers, taking
from direct311.media.uploads.handlers import TakeUploads
from direct311.runtime.messaging.broker import Pace, Process
from direct311.runtime.messaging.records import EventProcessor, Handler
from direct311.runtime.process import Resources
from direct311.runtime.vault.vault import Vault
from direct311.schemas.model import Model

PACE = Pace(records=50, most=0.25)


@dataclass(frozen=True, slots=True)
class Uploads:
    """`process`: applies batches through a processor of records. `close`: ends the workers."""

    handlers: Mapping[type[Model], Handler[RecordMedia]]
    process: Callable[[EventProcessor[RecordMedia]], Process]
    router: APIRouter
    close: Callable[[], Awaitable[None]]


def wire(settings: MediaSettings, resources: Resources, buckets: Buckets, vault: Vault) -> Uploads:
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
        incoming=buckets.incoming,
        cleaner=cleaner,
        seals=VaultSeals(vault, f"svc:{resources.service}"),
        originals=buckets.originals,
        copies=buckets.copies,
        tokens=buckets.tokens,
        clock=resources.clock,
        public_url=settings.copies_url,
        max_bytes=settings.max_bytes,
        count=count,
    )

    def process(processor: EventProcessor[RecordMedia]) -> Process:
        # Twice as many records in progress as are decoded, so that the store's time is not idle
        # time.
        return taking(processor, take.discard, 2 * settings.cleaners)

    router = tickets_router(
        resources.authenticator,
        buckets.incoming,
        resources.ids,
        resources.clock,
        expires=settings.ticket_expires,
        max_bytes=settings.max_bytes,
    )
    return Uploads(handlers(take), process, router, cleaner.aclose)
