"""Builds expiry and the review by two people."""

from dataclasses import dataclass
from datetime import timedelta

from fastapi import APIRouter

from direct311.retention.api import CallerOf
from direct311.retention.holds.ports import Holds
from direct311.retention.inventory.domain import RetentionRules
from direct311.retention.inventory.ports import Inventory
from direct311.retention.record import InventoryRecord
from direct311.retention.review.adapters import MongoDispositions
from direct311.retention.review.api import dispositions_router, router
from direct311.retention.review.handlers.expiry import Expiry
from direct311.retention.review.handlers.review import Review
from direct311.retention.review.ports import Dispositions
from direct311.retention.settings import RetentionSettings
from direct311.runtime.loops import Loop, Step
from direct311.runtime.messaging.records import EventProcessor
from direct311.runtime.messaging.relay import Relay
from direct311.runtime.messaging.state import RecordState
from direct311.runtime.process import Resources


@dataclass(frozen=True, slots=True)
class ReviewPart:
    dispositions: Dispositions
    router: APIRouter
    dispositions_router: APIRouter
    prepare: Step
    relay: Relay
    expire: Loop
    review: Loop


def wire(
    settings: RetentionSettings,
    resources: Resources,
    caller_of: CallerOf,
    rules: RetentionRules,
    holds: Holds,
    inventory: Inventory,
    processor: EventProcessor[InventoryRecord],
) -> ReviewPart:
    clock, ids = resources.clock, resources.ids
    ahead = settings.environment in ("local", "test")
    store = resources.aggregate_store(resources.database["dispositions"], RecordState)
    dispositions = MongoDispositions(store, clock)
    expiry = Expiry(processor, inventory, holds, rules, clock, ids, ahead=ahead)

    def stopped() -> bool:
        return any(each.stopped_because for each in resources.consumers)

    review = Review(
        processor, inventory, holds, dispositions, rules, clock, ids, ahead=ahead, stopped=stopped
    )
    return ReviewPart(
        dispositions,
        router(expiry, inventory, rules, caller_of),
        dispositions_router(review, dispositions, caller_of),
        dispositions.prepare,
        store.relay,
        Loop("expire", settings.expire_every, expiry.step, resources.lease("expire"), clock),
        Loop("review", timedelta(seconds=2), review.step, resources.lease("review"), clock),
    )
