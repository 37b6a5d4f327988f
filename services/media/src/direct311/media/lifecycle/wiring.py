"""Builds the end of a record's files, and the sweep."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from direct311.media.lifecycle.adapters import MongoHoldings
from direct311.media.lifecycle.handlers import DestroyMedia, Sweep, shard_of_the_minute
from direct311.media.ports import Buckets
from direct311.media.record import RecordMedia
from direct311.media.settings import MediaSettings
from direct311.runtime.disposition import Destroyer
from direct311.runtime.loops import Loop
from direct311.runtime.messaging.records import EventProcessor
from direct311.runtime.process import AggregateStore, Resources
from direct311.runtime.vault.keystore import MongoKeys


@dataclass(frozen=True, slots=True)
class Lifecycle:
    loops: Sequence[Loop]


def wire(
    settings: MediaSettings,
    resources: Resources,
    buckets: Buckets,
    keys: MongoKeys,
    aggregates: AggregateStore[RecordMedia],
    processor: EventProcessor[RecordMedia],
) -> Lifecycle:
    clock, records = resources.clock, aggregates.records
    destroyer = Destroyer(
        holder="media",
        processor=processor,
        destroying=records.destroying,
        remove=DestroyMedia(buckets.originals, buckets.copies, buckets.tokens),
        keys=keys,
        clock=clock,
        recoverable_for=settings.recoverable_for,
    )
    sweep = Sweep(
        incoming=buckets.incoming,
        originals=buckets.originals,
        copies=buckets.copies,
        holdings=MongoHoldings(records.collection),
        clock=clock,
        abandoned_after=settings.abandoned_after,
    )

    async def tidy() -> None:
        await sweep.waiting()
        await sweep.shard(shard_of_the_minute(clock.now()))
        await keys.forget_unused(clock.now() - timedelta(days=1), records.collection)

    return Lifecycle(
        (
            Loop(
                "destroy", timedelta(seconds=1), destroyer.step, resources.lease("destroy"), clock
            ),
            Loop("tidy", timedelta(minutes=1), tidy, resources.lease("tidy"), clock),
        )
    )
