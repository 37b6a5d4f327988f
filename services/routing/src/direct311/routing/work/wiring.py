"""Builds the handling of the departments' updates, and their queues."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from fastapi import APIRouter

from direct311.redaction import redact
from direct311.routing.api import CallerOf
from direct311.routing.job import Job
from direct311.routing.settings import RoutingSettings
from direct311.routing.states import States
from direct311.routing.work.adapters.intake import IntakeWorkNotes
from direct311.routing.work.adapters.mongo import MongoJobs, forget
from direct311.routing.work.api import counts_router, router
from direct311.routing.work.consumers import process
from direct311.routing.work.domain import Refusal
from direct311.routing.work.handlers import Answers, refuse_unknown
from direct311.routing.work.handlers.history import JobHistories
from direct311.runtime.loops import Loop, Step
from direct311.runtime.messaging.broker import Process
from direct311.runtime.messaging.records import EventProcessor, Handler, on
from direct311.runtime.messaging.relay import Relay
from direct311.runtime.process import AggregateStore, Resources
from direct311.runtime.vault.vault import Door
from direct311.schemas import events as ev
from direct311.schemas.model import Model

REFUSALS_KEPT = timedelta(days=30)
"""How long refusals are remembered: twice as long as topics keep an update."""


@dataclass(frozen=True, slots=True)
class Work:
    """`process`: applies batches through a processor of jobs."""

    handlers: Mapping[type[Model], Handler[Any]]
    process: Callable[[EventProcessor[Job]], Process]
    router: APIRouter
    counts_router: APIRouter
    prepare: Step
    relay: Relay
    loops: Sequence[Loop]


def wire(
    settings: RoutingSettings,
    resources: Resources,
    caller_of: CallerOf,
    aggregates: AggregateStore[Job],
    states: States,
    public_telephones: Iterable[str],
) -> Work:
    """`public_telephones`: numbers that stay in a note."""
    clock, public = resources.clock, frozenset(public_telephones)
    notes = IntakeWorkNotes(resources.peer("intake", settings.intake_url))
    answers = Answers(states, lambda text: redact(text, public).text, notes, clock)
    refusals = resources.aggregate_store(resources.database["refusals"], Refusal)

    def processing(processor: EventProcessor[Job]) -> Process:
        refusing = resources.processor(
            refusals,
            lambda update_id: Refusal(record_id=update_id),
            dict([on(ev.DepartmentUpdate, refuse_unknown)]),
        )
        return process(processor, refusing, aggregates.records, refusals.records)

    async def forget_refusals() -> None:
        await forget(refusals.records, clock.now() - REFUSALS_KEPT)

    jobs = MongoJobs(aggregates.records)
    disclosures, prepare_disclosures = resources.disclosures()
    door = Door(resources.ledger, resources.access_policy(), clock)

    async def prepare() -> None:
        await refusals.records.prepare()
        await prepare_disclosures()

    return Work(
        answers.handlers(),
        processing,
        router(jobs, JobHistories(jobs, disclosures, door), caller_of),
        counts_router(jobs, caller_of),
        prepare,
        refusals.relay,
        [Loop("forget", timedelta(hours=1), forget_refusals, resources.lease("forget"), clock)],
    )
