"""Builds the search for overdue jobs."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from direct311.routing.deadlines.adapters import MongoLateJobs
from direct311.routing.deadlines.handlers import Deadlines
from direct311.routing.job import Job
from direct311.routing.settings import RoutingSettings
from direct311.routing.states import States
from direct311.runtime.loops import Loop
from direct311.runtime.messaging.records import EventProcessor
from direct311.runtime.process import AggregateStore, Resources


@dataclass(frozen=True, slots=True)
class Overdue:
    loops: Sequence[Loop]


def wire(
    settings: RoutingSettings,
    resources: Resources,
    aggregates: AggregateStore[Job],
    processor: EventProcessor[Job],
    states: States,
) -> Overdue:
    clock = resources.clock
    deadlines = Deadlines(MongoLateJobs(aggregates.records), processor, states, clock)
    lease = resources.lease("overdue", timedelta(minutes=15))
    return Overdue([Loop("overdue", settings.overdue_every, deadlines.step, lease, clock)])
