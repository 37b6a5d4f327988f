"""The audit service, made of its capabilities."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from importlib.metadata import version

from fastapi import Depends, FastAPI

from direct311.audit.alarms.wiring import wire as wire_alarms
from direct311.audit.disposition.wiring import wire as wire_disposition
from direct311.audit.index.wiring import open_entries, wire_following
from direct311.audit.index.wiring import wire as wire_index
from direct311.audit.log.api.consumers import TOPICS, consuming
from direct311.audit.log.wiring import wire as wire_log
from direct311.audit.monitoring.wiring import wire as wire_monitoring
from direct311.audit.questions.wiring import wire as wire_questions
from direct311.audit.settings import AuditSettings
from direct311.runtime.http.api import LARGEST_BODY, Application, caller_of, install
from direct311.runtime.loops import Loop
from direct311.runtime.messaging.broker import EAGER
from direct311.runtime.messaging.signature_checks import SignatureChecks
from direct311.runtime.process import Resources, running
from direct311.runtime.storage.objects import ObjectStore


def create_app(settings: AuditSettings, resources: Resources, store: ObjectStore) -> FastAPI:
    """The service: consumer, sequencer, publisher, archive, reconciliation, disposition, HTTP."""
    policy = resources.access_policy()
    caller = caller_of(resources.authenticator)
    resident = caller_of(resources.authenticator, residents=True)
    alarms = wire_alarms(resources)
    raising = alarms.alarms
    entries = open_entries(resources)
    log = wire_log(
        settings, resources, store, policy, raising, lambda count: following.appended(count), caller
    )
    following = wire_following(resources, log, entries, raising)
    followed = following.followed
    monitoring = wire_monitoring(
        settings, resources, log, following.as_it_is, entries, raising, caller
    )
    index = wire_index(settings, resources, log, entries, monitoring.watch, raising, caller)
    disposition = wire_disposition(settings, resources, log, followed, entries, raising, caller)
    disclosures, prepare_disclosures = resources.disclosures()
    questions = wire_questions(
        settings,
        resources,
        policy,
        log,
        followed,
        entries,
        index.secrecy,
        caller,
        resident,
        disclosures,
    )

    async def measure() -> None:
        for step in (
            log.measure,
            index.measure,
            following.measure,
            monitoring.measure,
            log.publishing.measure,
        ):
            await step()

    loops = [
        log.sequencer,
        following.loop,
        log.archive,
        disposition.dispose,
        monitoring.reconcile,
        index.watch,
        index.rebuild,
        Loop("measure", timedelta(seconds=10), measure, None, resources.clock),
        *log.keys.rotation.loops(resources),
        *log.publishing.loops,
    ]
    prepare = [
        log.prepare,
        entries.prepare,
        index.prepare,
        *log.prepare_keys,
        *monitoring.prepare,
        alarms.prepare,
        disposition.prepare,
        prepare_disclosures,
        log.begin,
    ]
    process = consuming(
        log.receiving, disposition.disposition, index.secrecy, disposition.processor
    )
    signatures = SignatureChecks()
    resources.consumer(TOPICS, process, pace=EAGER, ahead=True, signatures=signatures)
    resources.readiness.add("sequencer", log.inbox_moves)
    resources.readiness.add("query index", index.whole, required=False)
    resources.readiness.add("object store", log.store_answers)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        relays = [alarms.relay, disposition.relay]
        async with running(resources, relays=relays, loops=loops, prepare=prepare):
            yield
        await signatures.aclose()
        store.close()

    app = Application(
        title="Direct311 audit",
        version=version("direct311-audit"),
        description="The tamper-evident log of every access to personal information.",
        lifespan=lifespan,
    )
    install(app, resources.readiness, resources.metrics, resources.ledger)
    asked = [Depends(index.answering)]
    for each in (questions.entries, monitoring.router, *questions.others, disposition.router):
        app.include_router(each, max_body_size=LARGEST_BODY, dependencies=asked)
    app.include_router(index.router)
    app.include_router(log.router)
    for each in questions.subject:
        app.include_router(each, max_body_size=LARGEST_BODY, dependencies=asked)
    for each in log.key_routers:
        app.include_router(each)
    return app
