"""Builds what works with stored requests."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from direct311.intake.indexes.handlers.hits import Hits
from direct311.intake.indexes.ports import Protections
from direct311.intake.lifecycle.adapters import MongoRequests
from direct311.intake.lifecycle.handlers import Follow
from direct311.intake.request import ServiceRequest
from direct311.intake.sealing import Sealing
from direct311.intake.settings import IntakeSettings
from direct311.runtime.disposition import Destroyed, Destroyer
from direct311.runtime.messaging.records import EventProcessor, hold_handlers
from direct311.runtime.process import AggregateStore, Resources
from direct311.runtime.storage.database import Document

TOPICS = (
    "location.resolved",
    "media.stored",
    "request.routed",
    "request.recalled",
    "request.overdue",
    "work.updated",
    "disposition",
)


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """`aggregates`: the requests with their outbox; `processor`: changes a single request."""

    aggregates: AggregateStore[ServiceRequest]
    requests: MongoRequests
    hits: Hits
    follow: Follow
    processor: EventProcessor[ServiceRequest]


def wire(
    resources: Resources,
    sealing: Sealing,
    protections: Protections,
    found_by: Callable[[ServiceRequest], Document],
) -> Lifecycle:
    """:param found_by: the fields by which the public lists find a request."""
    aggregates = resources.aggregate_store(resources.database["requests"], ServiceRequest, found_by)
    hits = Hits()
    follow = Follow(protections, sealing.indexes.place, resources.clock, hits)
    processor = resources.processor(
        aggregates,
        lambda record_id: ServiceRequest(record_id=record_id),
        {**hold_handlers(), **follow.handlers()},
    )
    return Lifecycle(aggregates, MongoRequests(aggregates.records), hits, follow, processor)


def wire_destroyer(
    settings: IntakeSettings,
    resources: Resources,
    sealing: Sealing,
    lifecycle: Lifecycle,
    forget: Callable[[str], Awaitable[object]],
    forget_reviews: Callable[[str], Awaitable[int]],
) -> Destroyer[ServiceRequest]:
    """:param forget: removes what is stored about a request outside its document.
    :param forget_reviews: removes its reviews for disclosure cases, and returns how many documents
        there were, which the certificate counts.
    """

    async def remove(request: ServiceRequest) -> Destroyed:
        await forget(request.record_id)
        reviews = await forget_reviews(request.record_id)
        # Everything else except the key is in the document that becomes the tombstone.
        return Destroyed(
            documents=(1 if request.fingerprint else 0) + reviews,
            fields=len(request.sealed),
            bytes=sum(len(value) for value in request.sealed.values()),
        )

    return Destroyer(
        holder="intake",
        processor=lifecycle.processor,
        destroying=lifecycle.aggregates.records.destroying,
        remove=remove,
        keys=sealing.keys,
        clock=resources.clock,
        recoverable_for=settings.recoverable_for,
    )
