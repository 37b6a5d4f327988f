"""Wiring of the audit service."""

import contextlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from importlib.metadata import version

from fastapi import Depends, FastAPI
from prometheus_client import Counter, Gauge

from direct311.audit.alarms.adapters import OutboxAlarms
from direct311.audit.alarms.domain import Alarm
from direct311.audit.disposition.adapters.mongo_holds import MongoLeaving, MongoLogHolds
from direct311.audit.disposition.adapters.records import DueRecords
from direct311.audit.disposition.adapters.rules_file import load_month_key_rules
from direct311.audit.disposition.api import holds_router
from direct311.audit.disposition.domain.records import AuditedRecord
from direct311.audit.disposition.handlers.dispose import Disposition
from direct311.audit.disposition.handlers.holds import Held, LogHolding
from direct311.audit.disposition.handlers.months import MonthDisposition
from direct311.audit.index.adapters.mongo_index import MongoEntries
from direct311.audit.index.adapters.mongo_progress import MongoProgress
from direct311.audit.index.api import answering, index_router
from direct311.audit.index.handlers.rebuild import Rebuilding
from direct311.audit.index.handlers.watch_index import IndexWatch
from direct311.audit.log.adapters.log_keys import read_log_keys, read_policy
from direct311.audit.log.adapters.mongo_inbox import MongoInbox
from direct311.audit.log.adapters.mongo_keys import MongoBodyKeys
from direct311.audit.log.adapters.mongo_log import MongoLog
from direct311.audit.log.adapters.mongo_published import MongoPublications
from direct311.audit.log.adapters.storage import LockedObjects
from direct311.audit.log.adapters.witnesses import HttpWitness
from direct311.audit.log.api.consumers import TOPICS, consuming
from direct311.audit.log.api.files import log_router
from direct311.audit.log.handlers.archive import Archive
from direct311.audit.log.handlers.files import LogFiles
from direct311.audit.log.handlers.keyring import KeyRing
from direct311.audit.log.handlers.publish import Publisher, Unwitnessed, Witnessed
from direct311.audit.log.handlers.receive import Receiving
from direct311.audit.log.handlers.sequence import Sequencer
from direct311.audit.log.handlers.tags import Tags
from direct311.audit.log.ports.log import IndexLostError
from direct311.audit.log.ports.publication import Published
from direct311.audit.monitoring.adapters.fetches import OwnFetches, PeerFetches
from direct311.audit.monitoring.adapters.mongo_watch import MongoNumbers, MongoWatch
from direct311.audit.monitoring.adapters.rules_file import load_volume_rules
from direct311.audit.monitoring.api import reconciliation_router
from direct311.audit.monitoring.handlers.numbers import Numbering
from direct311.audit.monitoring.handlers.reconcile import Reconciler
from direct311.audit.monitoring.handlers.rounds import Rounds
from direct311.audit.monitoring.handlers.volume import Volume
from direct311.audit.monitoring.handlers.walk import Walk
from direct311.audit.monitoring.ports import KeyFetches
from direct311.audit.questions.adapters.intake import IntakePeople
from direct311.audit.questions.adapters.rules_file import load_breach_rules
from direct311.audit.questions.api.breach import breach_router
from direct311.audit.questions.api.counts import counts_router
from direct311.audit.questions.api.entries import api_router
from direct311.audit.questions.api.exports import exports_router
from direct311.audit.questions.api.subject import subject_router
from direct311.audit.questions.handlers.breach import Breach
from direct311.audit.questions.handlers.count import Counting
from direct311.audit.questions.handlers.door import Door
from direct311.audit.questions.handlers.export import Exporting
from direct311.audit.questions.handlers.read import Reading
from direct311.audit.questions.handlers.subject import SubjectReading
from direct311.audit.settings import AuditSettings
from direct311.runtime.disposition import Destroyer
from direct311.runtime.errors import RuntimeFaultError
from direct311.runtime.http.api import LARGEST_BODY, Application, caller_of, install
from direct311.runtime.http.key_routes import key_fetches_router, keys_router
from direct311.runtime.loops import Loop
from direct311.runtime.messaging.broker import EAGER
from direct311.runtime.messaging.records import hold_handlers
from direct311.runtime.process import Resources, running
from direct311.runtime.storage.objects import ObjectStore
from direct311.runtime.vault.providers import key_provider
from direct311.runtime.vault.rotation import KeyRotation
from direct311.runtime.vault.vault import Vault
from direct311.schemas import events as ev
from direct311.verifier.checkpoint import Trust
from direct311.verifier.event import decode_json, parse_event_keys

LONGEST_WAIT = timedelta(seconds=60)


class LostHeadError(RuntimeFaultError):
    """The store holds a log and the database has no head: to begin a new log would be a fork."""


def create_app(settings: AuditSettings, resources: Resources, store: ObjectStore) -> FastAPI:
    """The service: consumer, sequencer, publisher, archive, reconciliation, disposition, HTTP."""
    clock, database = resources.clock, resources.database
    provider = key_provider(settings, resources.http)
    log_keys = read_log_keys(settings.log_key_file)
    log_keys.in_force(clock.now())
    policy = resources.access_policy()

    inbox = MongoInbox(database)
    log = MongoLog(database)
    entries = MongoEntries(database)
    body_keys = MongoBodyKeys(database["keys"])
    watch, numbers = MongoWatch(database), MongoNumbers(database)
    progress = MongoProgress(database)
    objects = LockedObjects(store, settings.bucket, settings.locked_for)
    keyring = KeyRing(body_keys, provider)
    files = LogFiles(log, objects)
    tags = Tags(keyring)
    witnessing = read_policy(settings.policy_file, log_keys) if settings.policy_file else None
    # Checkpoints under lock outlive the key that signed them.
    trust = Trust(log_keys.ever(witnessing.log_keys if witnessing else ()))

    alarm_line = resources.outgoing(database["alarms"], Alarm)
    alarm_folder = resources.folder(alarm_line, lambda name: Alarm(record_id=name), {})
    alarms = OutboxAlarms(alarm_folder, clock)

    record_line = resources.outgoing(database["records"], AuditedRecord)
    holds = hold_handlers()
    del holds[ev.DispositionOrdered]  # Audit's part comes after the certificate.
    folder = resources.folder(
        record_line, lambda record_id: AuditedRecord(record_id=record_id), holds
    )
    due = DueRecords(record_line.records, clock)
    vault = Vault(body_keys, provider, resources.ledger, policy, clock)
    log_holds = MongoLogHolds(database)
    held = Held(log_holds, entries, log)
    disposition = Disposition(
        folder,
        log,
        entries,
        tags,
        due.due,
        clock,
        settings.destroy_after,
        held=held,
        holds=log_holds,
        marked=due.marked,
        alarms=alarms,
    )

    async def destroying(limit: int) -> Sequence[AuditedRecord]:
        return await disposition.unheld(await record_line.records.destroying(limit))

    destroyer = Destroyer(
        holder="audit",
        folder=folder,
        destroying=destroying,
        remove=disposition.remove,
        keys=body_keys,
        clock=clock,
        recoverable_for=settings.recoverable_for,
    )

    sequencer = Sequencer(inbox, log, keyring, clock, batch=settings.batch)
    published: Published = Unwitnessed(log, log_keys, clock)
    publisher = None
    if witnessing is not None:
        publications = MongoPublications(database)
        published = Witnessed(publications)
        publisher = Publisher(
            log,
            entries,
            files,
            publications,
            [
                HttpWitness(each.name, each.key, each.url, resources.http)
                for each in witnessing.witnesses
                if each.url
            ],
            witnessing,
            log_keys,
            alarms,
            clock,
            patience=settings.unpublished_after,
            answered=lambda witness, how: answers.labels(witness, how).inc(),
        )
    archive = Archive(log, objects, alarms, published, clock)
    key_fetches: list[KeyFetches] = [
        PeerFetches("intake", resources.peer("intake", settings.intake_url)),
        PeerFetches("media", resources.peer("media", settings.media_url)),
        OwnFetches(body_keys, resources.producers),
    ]
    reconciler = Reconciler(
        key_fetches, watch, log, entries, alarms, clock, patience=settings.unlogged_after
    )
    numbering = Numbering(
        numbers,
        alarms,
        clock,
        [each.service for each in key_fetches],
        patience=settings.unlogged_after,
    )
    volume_rules = load_volume_rules(settings.volume_file).content.rules
    volume = Volume(volume_rules, alarms, log, entries, clock)
    walk = Walk([numbering, volume], log, entries, watch)
    rotation = KeyRotation(body_keys, provider, vault, database, clock)
    rebuilding = Rebuilding(
        progress=progress,
        log=log,
        entries=entries,
        files=files,
        objects=objects,
        keys=keyring,
        tags=tags,
        vault=vault,
        watch=watch,
        alarms=alarms,
        trust=trust,
        clock=clock,
    )
    index_watch = IndexWatch(
        progress=progress,
        log=log,
        entries=entries,
        files=files,
        objects=objects,
        tags=tags,
        alarms=alarms,
        trust=trust,
        clock=clock,
    )
    people = IntakePeople(resources.peer("intake", settings.intake_url))
    door = Door(log=log, entries=entries, keys=keyring, vault=vault, policy=policy, clock=clock)
    reading = Reading(
        door=door,
        log=log,
        entries=entries,
        files=files,
        people=people,
        published=published,
        log_keys=log_keys,
        producers=parse_event_keys(decode_json(settings.principals_file.read_bytes())),
        clock=clock,
    )
    holding = LogHolding(
        log_holds,
        held,
        MongoLeaving(record_line.records, body_keys),
        vault,
        clock,
        resources.ids,
    )
    months = MonthDisposition(
        body_keys,
        entries,
        log,
        held,
        tags,
        vault,
        alarms,
        load_month_key_rules(settings.month_keys_file).content,
        clock,
    )

    subject = SubjectReading(log=log, entries=entries, vault=vault, policy=policy, clock=clock)

    registry = resources.metrics.registry
    appended = Counter("direct311_log_taken", "Events taken into the log", registry=registry)
    size = Gauge("direct311_log_size", "Entries in the log", registry=registry)
    waiting = Gauge(
        "direct311_log_inbox_age_seconds", "How long the oldest event waits", registry=registry
    )
    unlogged = Gauge(
        "direct311_log_unlogged_fetches", "Key fetches without an event", registry=registry
    )
    gaps = Gauge(
        "direct311_log_missing_numbers", "Numbers of producers without a leaf", registry=registry
    )
    unpublished = Gauge(
        "direct311_log_unpublished_age_seconds",
        "How long the oldest entry waits for a published checkpoint",
        registry=registry,
    )
    answers = Counter(
        "direct311_witness_answers",
        "What witnesses answered",
        ["witness", "answer"],
        registry=registry,
    )
    mismatches = Gauge(
        "direct311_log_index_mismatches",
        "Entries that the query index lacks or tells otherwise than the log",
        registry=registry,
    )
    whole = Gauge("direct311_log_index_whole", "Whether it can be asked", registry=registry)
    sequencing, rebuild_lease = resources.lease("sequencer"), resources.lease("rebuild")

    async def sequence() -> None:
        # While there is work the lease is renewed between batches; whoever loses it stops here.
        # Without its index it waits: readiness and an alarm say so.
        with contextlib.suppress(IndexLostError):
            while taken := await sequencer.step():
                appended.inc(taken)
                if not await sequencing.hold(clock.now()):
                    return

    async def rebuild() -> None:
        before = await progress.rebuild()
        if before is not None and before.state == "running" and not before.size:
            # An index that was dropped has lost its indexes too.
            await entries.prepare()
        while await rebuilding.step():
            if not await rebuild_lease.hold(clock.now()):
                return

    async def dispose() -> None:
        with contextlib.suppress(IndexLostError):
            await disposition.clear()
            await disposition.begin()
            await destroyer.step()
            await months.step()

    rounds = Rounds(
        log,
        walk,
        reconciler,
        numbering,
        clock,
        patience=settings.unlogged_after,
        missing=gaps.set,
    )

    async def measure() -> None:
        head = await log.head()
        size.set(head.size)
        whole.set(await log.whole_since(head) is not None)
        mismatches.set(await index_watch.mismatches())
        oldest = await inbox.oldest()
        waiting.set((clock.now() - oldest).total_seconds() if oldest else 0)
        unlogged.set(sum((await reconciler.late()).values()))
        if publisher is not None:
            unpublished.set((await publisher.waiting()).total_seconds())

    second = timedelta(seconds=1)
    sequence_loop = Loop("sequencer", second / 2, sequence, sequencing, clock)
    rebuild_loop = Loop("rebuild", 2 * second, rebuild, rebuild_lease, clock)
    loops = [
        sequence_loop,
        Loop("archive", second, archive.step, resources.lease("archive"), clock),
        Loop("dispose", second, dispose, resources.lease("dispose"), clock),
        Loop(
            "reconcile",
            settings.reconcile_every,
            rounds.step,
            resources.lease("reconcile", settings.reconcile_every * 3),
            clock,
        ),
        Loop(
            "watch index",
            settings.watch_every,
            index_watch.step,
            resources.lease("watch index", settings.watch_every * 3),
            clock,
        ),
        rebuild_loop,
        Loop("measure", 10 * second, measure, None, clock),
        *rotation.loops(resources),
    ]
    if publisher is not None:
        publishing = resources.lease("publisher")
        loops.append(Loop("publish", settings.publish_every, publisher.step, publishing, clock))
    resources.consumer(
        TOPICS,
        consuming(Receiving(inbox, clock, resources.ids), disposition, folder, sequence_loop.wake),
        pace=EAGER,
    )

    async def begin_log() -> None:
        if not await log.exists():
            if not await objects.empty():
                raise LostHeadError("the log's head is gone from the database; restore it")
            await log.begin()
        await keyring.check(clock.now())

    async def inbox_moves() -> str | None:
        oldest = await inbox.oldest()
        stuck = oldest is not None and clock.now() - oldest > LONGEST_WAIT
        return "events have waited for over a minute for the log" if stuck else None

    async def index_whole() -> str | None:
        lost = await log.whole_since(await log.head()) is None
        return "it is gone, or is being made again from the log" if lost else None

    async def bucket() -> str | None:
        await objects.ping()
        return None

    resources.readiness.add("sequencer", inbox_moves)
    resources.readiness.add("query index", index_whole, required=False)
    resources.readiness.add("object store", bucket)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        prepare = [
            log.prepare,
            entries.prepare,
            body_keys.prepare,
            rotation.checks.check,
            watch.prepare,
            numbers.prepare,
            alarm_line.records.prepare,
            due.prepare,
            begin_log,
        ]
        relays = [alarm_line.relay, record_line.relay]
        async with running(resources, relays=relays, loops=loops, prepare=prepare):
            yield
        store.close()

    app = Application(
        title="Direct311 audit",
        version=version("direct311-audit"),
        description="The tamper-evident log of every access to personal information.",
        lifespan=lifespan,
    )
    install(app, resources.readiness, resources.metrics, resources.ledger)
    caller = caller_of(resources.authenticator)
    exporting = Exporting(door, log, people)
    rules = load_breach_rules(settings.breach_file).content
    for router in (
        api_router(reading, caller),
        reconciliation_router(reconciler, clock, caller),
        counts_router(Counting(door, log, people), caller),
        exports_router(exporting, reading, caller),
        breach_router(Breach(door, log, people, rules), clock, caller),
        holds_router(holding, caller),
    ):
        app.include_router(
            router, max_body_size=LARGEST_BODY, dependencies=[Depends(answering(log))]
        )
    app.include_router(index_router(rebuilding, rebuild_loop.wake, caller))
    app.include_router(log_router(log, files, published, log_keys, clock, caller))
    resident = caller_of(resources.authenticator, residents=True)
    app.include_router(subject_router(subject, resident), dependencies=[Depends(answering(log))])
    app.include_router(key_fetches_router(body_keys, resources.producers, caller))
    app.include_router(keys_router(rotation, caller))
    return app
