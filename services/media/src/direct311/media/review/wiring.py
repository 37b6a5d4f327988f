"""Builds the review of files."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from fastapi import APIRouter

from direct311.media.ports import Originals
from direct311.media.record import RecordMedia
from direct311.media.review.adapters.files import MongoFilesById
from direct311.media.review.adapters.renderers import RendererProcesses
from direct311.media.review.adapters.rendering import RenderLimits
from direct311.media.review.api import rendering_router, review_router
from direct311.media.review.handlers import FileReviews
from direct311.media.settings import MediaSettings
from direct311.runtime.access.disclosures import Disclosures
from direct311.runtime.messaging.records import EventProcessor
from direct311.runtime.process import AggregateStore, Resources
from direct311.runtime.vault.vault import Vault


@dataclass(frozen=True, slots=True)
class Review:
    """`close`: ends the workers."""

    routers: Sequence[APIRouter]
    close: Callable[[], Awaitable[None]]


def wire(
    settings: MediaSettings,
    resources: Resources,
    aggregates: AggregateStore[RecordMedia],
    processor: EventProcessor[RecordMedia],
    originals: Originals,
    vault: Vault,
    disclosures: Disclosures,
) -> Review:
    limits = RenderLimits(max_pages=settings.review_pages, cpu_seconds=settings.review_cpu_seconds)
    renderer = RendererProcesses(processes=settings.reviewers, limits=limits)
    reviews = FileReviews(
        files=MongoFilesById(aggregates.records.collection),
        processor=processor,
        originals=originals,
        vault=vault,
        disclosures=disclosures,
        renderer=renderer,
        exemptions=resources.exemptions(),
        clock=resources.clock,
        ids=resources.ids,
        zone=ZoneInfo(settings.timezone),
    )
    authenticator = resources.authenticator
    return Review(
        (review_router(authenticator, reviews), rendering_router(authenticator, reviews)),
        renderer.aclose,
    )
