"""Builds the end of a job."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from direct311.routing.job import Job
from direct311.routing.lifecycle.handlers import remove
from direct311.routing.settings import RoutingSettings
from direct311.runtime.disposition import Destroyer
from direct311.runtime.loops import Loop
from direct311.runtime.messaging.records import EventProcessor
from direct311.runtime.process import AggregateStore, Resources


@dataclass(frozen=True, slots=True)
class Lifecycle:
    loops: Sequence[Loop]


def wire(
    settings: RoutingSettings,
    resources: Resources,
    aggregates: AggregateStore[Job],
    processor: EventProcessor[Job],
) -> Lifecycle:
    destroyer = Destroyer(
        holder="routing",
        processor=processor,
        destroying=aggregates.records.destroying,
        remove=remove,
        keys=None,
        clock=resources.clock,
        recoverable_for=settings.recoverable_for,
    )
    lease = resources.lease("destroy")
    return Lifecycle(
        [Loop("destroy", timedelta(seconds=1), destroyer.step, lease, resources.clock)]
    )
