"""Builds the following of requests, and the reading of address lines."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from fastapi import APIRouter

from direct311.geo.addresses.wiring import Addresses
from direct311.geo.api import CallerOf
from direct311.geo.boundaries.ports import Boundaries
from direct311.geo.places.adapters import MongoDifferences, MongoLocations, MongoStoredPlaces
from direct311.geo.places.api import counts_router, router
from direct311.geo.places.consumers import TOPICS, handlers
from direct311.geo.places.domain import LocatedRequest, Resolution
from direct311.geo.places.handlers.requests import LocateRequest
from direct311.geo.places.handlers.resolve import Resolver
from direct311.geo.places.ports import Differences, StoredPlaces
from direct311.geo.settings import GeoSettings
from direct311.runtime.disposition import Destroyed, Destroyer
from direct311.runtime.loops import Loop, Step
from direct311.runtime.messaging.relay import Relay
from direct311.runtime.process import Resources, processing
from direct311.schemas.events import LocationResolved

Again = Callable[[LocationResolved, Boundaries], Resolution | None]
Relocate = Callable[[Mapping[str, str]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Places:
    """`stored` and `differences`: the located requests, and what proposed boundaries would change.
    `again`: where a stored place is by other boundaries. `relocate`: say so of these requests
    (record id → cause)."""

    router: APIRouter
    counts_router: APIRouter
    prepare: Step
    relay: Relay
    loops: Sequence[Loop]
    stored: StoredPlaces
    differences: Differences
    again: Again
    relocate: Relocate


def wire(
    settings: GeoSettings,
    resources: Resources,
    caller_of: CallerOf,
    addresses: Addresses,
    boundaries: Callable[[], Boundaries],
) -> Places:
    """`boundaries` gives the sets in force."""
    clock = resources.clock
    resolver = Resolver(
        boundaries,
        addresses.gazetteer,
        addresses.grids,
        addresses.reader,
        addresses.gazette,
        addresses.readings,
        addresses.streets,
    )
    differences = MongoDifferences(resources.database["boundary_differences"])
    locate = LocateRequest(resolver, clock, differences.forget)
    aggregates = resources.aggregate_store(resources.database["records"], LocatedRequest)
    processor = resources.processor(
        aggregates,
        lambda record_id: LocatedRequest(record_id=record_id),
        handlers(locate),
    )
    resources.consumer(TOPICS, processing(processor))

    async def remove(state: LocatedRequest) -> Destroyed:
        # The document itself becomes the tombstone.
        others = await differences.forget(state.record_id)
        return Destroyed(documents=others + (1 if state.location else 0))

    async def relocate(causes: Mapping[str, str]) -> None:
        await processor.change_each(causes, locate.by_other_boundaries)

    destroyer = Destroyer(
        holder="geo",
        processor=processor,
        destroying=aggregates.records.destroying,
        remove=remove,
        keys=None,
        clock=clock,
        recoverable_for=settings.recoverable_for,
    )

    async def prepare() -> None:
        await aggregates.records.prepare(MongoLocations.INDEXES)
        await differences.prepare()

    return Places(
        router(resolver, caller_of),
        counts_router(MongoLocations(aggregates.records.collection), caller_of),
        prepare,
        aggregates.relay,
        [Loop("destroy", timedelta(seconds=1), destroyer.step, resources.lease("destroy"), clock)],
        MongoStoredPlaces(aggregates.records),
        differences,
        resolver.again,
        relocate,
    )
