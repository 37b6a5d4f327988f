"""Routing, wired."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from importlib.metadata import version
from zoneinfo import ZoneInfo

from fastapi import FastAPI

from direct311.redaction import redact
from direct311.routing.assignment.adapters import load_rules
from direct311.routing.assignment.handlers import Routing
from direct311.routing.deadlines.adapters import watched
from direct311.routing.job import Job
from direct311.routing.settings import RoutingSettings
from direct311.routing.work.adapters import MongoJobs, forget
from direct311.routing.work.api import router
from direct311.routing.work.consumers import process, topics
from direct311.routing.work.domain import Refusal
from direct311.routing.work.handlers import refuse_unknown
from direct311.runtime.disposition import Destroyed, Destroyer
from direct311.runtime.http.api import LARGEST_BODY, Application, caller_of, install
from direct311.runtime.loops import Loop
from direct311.runtime.messaging.records import hold_handlers, on
from direct311.runtime.process import Resources, running
from direct311.schemas import derived_id, updates_topic
from direct311.schemas import events as ev

REFUSALS_KEPT = timedelta(days=30)
"""So long it is known what was refused: twice as long as topics keep an update."""


def create_app(settings: RoutingSettings, resources: Resources) -> FastAPI:
    """The whole service; nothing runs until the application starts."""
    files = load_rules(settings.rules_folder)
    public = files.rulebook.public_telephones
    routing = Routing(
        files.rulebook, files.states, lambda text: redact(text, public).text, resources.clock
    )
    line = resources.outgoing(resources.database["jobs"], Job, watched)
    folder = resources.folder(
        line, lambda record_id: Job(record_id=record_id), {**hold_handlers(), **routing.handlers()}
    )
    refusals = resources.outgoing(resources.database["refusals"], Refusal)
    refusing = resources.folder(
        refusals,
        lambda update_id: Refusal(record_id=update_id),
        dict([on(ev.DepartmentUpdate, refuse_unknown)]),
    )
    jobs = MongoJobs(line.records)
    departments = list(files.rulebook.departments)
    resources.consumer(
        topics(departments),
        process(folder, refusing, line.records, refusals.records),
        foreign=[updates_topic(department) for department in departments],
    )

    async def remove(job: Job) -> Destroyed:
        # All that routing has of a record is the document that becomes the tombstone.
        return Destroyed(documents=1 if job.asked or job.located else 0)

    destroyer = Destroyer(
        holder="routing",
        folder=folder,
        destroying=line.records.destroying,
        remove=remove,
        keys=None,
        clock=resources.clock,
        recoverable_for=settings.recoverable_for,
    )

    async def overdue() -> None:
        today = resources.clock.now().astimezone(ZoneInfo("America/New_York")).date()
        while late := await jobs.late(today, 200):
            for record_id in late:
                cause = derived_id(_DUE_NAMESPACE, f"{record_id}:{today}")
                await folder.change(record_id, cause, lambda job: routing.overdue(job, today))

    async def forget_refusals() -> None:
        await forget(refusals.records, resources.clock.now() - REFUSALS_KEPT)

    loops = [
        Loop(
            "destroy",
            timedelta(seconds=1),
            destroyer.step,
            resources.lease("destroy"),
            resources.clock,
        ),
        Loop(
            "overdue",
            settings.overdue_every,
            overdue,
            resources.lease("overdue", timedelta(minutes=15)),
            resources.clock,
        ),
        Loop(
            "forget",
            timedelta(hours=1),
            forget_refusals,
            resources.lease("forget"),
            resources.clock,
        ),
    ]

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with running(
            resources,
            relays=[line.relay, refusals.relay],
            loops=loops,
            prepare=[lambda: line.records.prepare(MongoJobs.INDEXES), refusals.records.prepare],
        ):
            yield

    app = Application(
        title="Direct311 routing",
        version=version("direct311-routing"),
        summary="Which department, by when",
        lifespan=lifespan,
    )
    install(app, resources.readiness, resources.metrics, resources.ledger)
    app.include_router(
        router(jobs, files.rulebook, caller_of(resources.authenticator)),
        max_body_size=LARGEST_BODY,
    )
    return app


_DUE_NAMESPACE = "5d9d6f0e-3f63-5a0a-9d0e-1f9d3f3f7a10"
