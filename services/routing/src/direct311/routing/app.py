"""The service, put together from its capabilities."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI

from direct311.routing.assignment import consumers as request_events
from direct311.routing.assignment import wiring as assignment
from direct311.routing.deadlines import wiring as deadlines
from direct311.routing.deadlines.adapters import MongoLateJobs, watched
from direct311.routing.job import Job
from direct311.routing.lifecycle import wiring as lifecycle
from direct311.routing.settings import RoutingSettings
from direct311.routing.work import consumers as updates
from direct311.routing.work import wiring as work
from direct311.routing.work.adapters.mongo import MongoJobs, waiting
from direct311.runtime.http.api import LARGEST_BODY, Application, caller_of, install
from direct311.runtime.messaging.records import hold_handlers
from direct311.runtime.process import Resources, running
from direct311.runtime.storage.database import Document


def stored_besides(job: Job) -> Document:
    """What is stored about a job besides its state, to find it."""
    return {**watched(job), **waiting(job)}


def create_app(settings: RoutingSettings, resources: Resources) -> FastAPI:
    """The whole service; nothing runs until the application starts."""
    caller = caller_of(resources.authenticator)
    systems = caller_of(resources.authenticator, systems=True)
    aggregates = resources.aggregate_store(resources.database["jobs"], Job, stored_besides)
    assigning = assignment.wire(settings, resources, caller)
    rulebook, states = assigning.rulebook, assigning.states
    in_force = work.InForce(
        rulebook.departments,
        frozenset(rulebook.public_telephones),
        states,
        assigning.steps,
        assigning.handed_over,
    )
    working = work.wire(settings, resources, caller, systems, aggregates, in_force)
    processor = resources.processor(
        aggregates,
        lambda record_id: Job(record_id=record_id),
        {**hold_handlers(), **assigning.handlers, **working.handlers},
    )
    process = working.process(processor)
    resources.consumer((*request_events.TOPICS, "disposition"), process)
    # Updates wait while intake cannot seal their notes. Requests are assigned meanwhile.
    foreign = updates.topics(rulebook.departments)
    resources.consumer(foreign, process, group=updates.GROUP, foreign=foreign, tell=working.tell)
    ending = lifecycle.wire(settings, resources, aggregates, processor)
    overdue = deadlines.wire(settings, resources, aggregates, processor, states)
    indexes = (*MongoJobs.INDEXES, *MongoLateJobs.INDEXES)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with running(
            resources,
            relays=[aggregates.relay, working.relay],
            loops=[*ending.loops, *overdue.loops, *working.loops],
            prepare=[lambda: aggregates.records.prepare(indexes), working.prepare],
        ):
            yield

    app = Application(
        title="Direct311 routing",
        version=version("direct311-routing"),
        summary="Which department, by when",
        lifespan=lifespan,
    )
    install(app, resources.readiness, resources.metrics, resources.ledger)
    for_systems = working.systems_router(processor)
    for router in (working.router, for_systems, assigning.router, working.counts_router):
        app.include_router(router, max_body_size=LARGEST_BODY)
    return app
