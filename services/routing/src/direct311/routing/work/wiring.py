"""Builds the handling of the departments' updates, and their queues."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from fastapi import APIRouter
from prometheus_client import Gauge

from direct311.redaction import redact
from direct311.routing.api import CallerOf
from direct311.routing.job import Job
from direct311.routing.settings import RoutingSettings
from direct311.routing.states import States
from direct311.routing.steps import Steps
from direct311.routing.work.adapters.intake import IntakeWorkNotes
from direct311.routing.work.adapters.kafka import KafkaRoutedPages
from direct311.routing.work.adapters.mongo import MongoJobs, forget
from direct311.routing.work.api import counts_router, router
from direct311.routing.work.api import departments as department_systems
from direct311.routing.work.consumers import process, telling
from direct311.routing.work.domain import Refusal
from direct311.routing.work.handlers import Answers, refuse_unknown
from direct311.routing.work.handlers.history import JobHistories
from direct311.routing.work.handlers.pulled import Pulled
from direct311.routing.work.handlers.reported import Reported, refuse_unknown_step
from direct311.routing.work.handlers.shares import Shares
from direct311.routing.work.handlers.taken import Updates
from direct311.routing.work.handlers.unread import AnswerUnread
from direct311.routing.work.ports import HandOver
from direct311.runtime.loops import Loop, Step
from direct311.runtime.messaging.broker import Process, Tell
from direct311.runtime.messaging.pages import TopicPages
from direct311.runtime.messaging.records import EventProcessor, Handler, on
from direct311.runtime.messaging.relay import Relay
from direct311.runtime.process import AggregateStore, Resources
from direct311.runtime.vault.vault import Door
from direct311.schemas import events as ev
from direct311.schemas.model import Model

REFUSALS_KEPT = timedelta(days=30)
"""How long refusals are remembered: twice as long as topics keep an update."""

PULLS_A_MINUTE, REPORTS_AT_ONCE, REPORTS_A_MINUTE = 240, 4, 600
"""Each department's share over HTTP, in each copy of the service. It pulls one page at a time."""

DELIVERIES_COUNTED = timedelta(seconds=30)
"""How often the jobs that no department has acknowledged are counted."""


@dataclass(frozen=True, slots=True)
class InForce:
    """What is in force. `departments`: their codes. `public_telephones`: numbers that stay in a
    note. `hand_over`: gives a job to another department."""

    departments: Collection[str]
    public_telephones: frozenset[str]
    states: States
    steps: Steps
    hand_over: HandOver


@dataclass(frozen=True, slots=True)
class Work:
    """`process`: applies batches through a processor of jobs. `systems_router`: the same for
    departments' systems over HTTP. `tell`: answers a message that could
    not be handled."""

    handlers: Mapping[type[Model], Handler[Any]]
    tell: Tell
    process: Callable[[EventProcessor[Job]], Process]
    systems_router: Callable[[EventProcessor[Job]], APIRouter]
    router: APIRouter
    counts_router: APIRouter
    prepare: Step
    relay: Relay
    loops: Sequence[Loop]


def wire(
    settings: RoutingSettings,
    resources: Resources,
    caller_of: CallerOf,
    systems: CallerOf,
    aggregates: AggregateStore[Job],
    in_force: InForce,
) -> Work:
    """`systems`: the caller, who may be a department's system."""
    clock, public = resources.clock, in_force.public_telephones

    def redacted(text: str) -> str:
        return redact(text, public).text

    jobs = MongoJobs(aggregates.records)
    notes = IntakeWorkNotes(resources.peer("intake", settings.intake_url))
    states = in_force.states
    answers = Answers(states, redacted, notes, jobs.get, clock)
    reported = Reported(
        in_force.steps,
        states,
        in_force.departments,
        redacted,
        notes,
        jobs.get,
        in_force.hand_over,
        clock,
    )
    refusals = resources.aggregate_store(resources.database["refusals"], Refusal)
    refusing = resources.processor(
        refusals,
        lambda update_id: Refusal(record_id=update_id),
        dict(
            (
                on(ev.DepartmentUpdate, refuse_unknown),
                on(ev.DepartmentUpdateV2, refuse_unknown_step),
            )
        ),
    )

    def processing(processor: EventProcessor[Job]) -> Process:
        return process(processor, updates(processor))

    def updates(processor: EventProcessor[Job]) -> Updates:
        return Updates(processor, refusing, aggregates.records, refusals.records)

    def for_systems(processor: EventProcessor[Job]) -> APIRouter:
        return department_systems.router(
            Pulled(KafkaRoutedPages(TopicPages(settings, resources.instance))),
            updates(processor),
            in_force.departments,
            systems,
            clock,
            Shares(1, PULLS_A_MINUTE),
            Shares(REPORTS_AT_ONCE, REPORTS_A_MINUTE),
        )

    async def forget_refusals() -> None:
        await forget(refusals.records, clock.now() - REFUSALS_KEPT)

    disclosures, prepare_disclosures = resources.disclosures()
    door = Door(resources.ledger, resources.access_policy(), clock)

    gauge = Gauge(
        "direct311_unacknowledged_jobs",
        "Jobs that a department has not acknowledged yet: sent, or late",
        ("department", "state"),
        registry=resources.metrics.registry,
    )

    async def count_deliveries() -> None:
        found = await jobs.unacknowledged(clock.now() - settings.acknowledge_within)
        for department in in_force.departments:
            for state, late in (("sent", False), ("late", True)):
                gauge.labels(department, state).set(found.get((department, late), 0))

    async def prepare() -> None:
        await refusals.records.prepare()
        await prepare_disclosures()

    return Work(
        {**answers.handlers(), **reported.handlers()},
        telling(AnswerUnread(refusing)),
        processing,
        for_systems,
        router(
            jobs,
            JobHistories(jobs, disclosures, door),
            caller_of,
            systems,
            clock,
            settings.acknowledge_within,
        ),
        counts_router(jobs, caller_of),
        prepare,
        refusals.relay,
        [
            Loop("forget", timedelta(hours=1), forget_refusals, resources.lease("forget"), clock),
            # Every copy of the service shows the figure.
            Loop("deliveries", DELIVERIES_COUNTED, count_deliveries, None, clock),
        ],
    )
