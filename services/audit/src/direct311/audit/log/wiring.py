"""Wiring of the log: keys, sequencer, archive and publisher."""

import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

import structlog
from fastapi import APIRouter, Request
from prometheus_client import Counter, Gauge

from direct311.audit.alarms.ports import Alarms
from direct311.audit.log.adapters.log_keys import read_log_keys, read_policy
from direct311.audit.log.adapters.mongo_inbox import MongoInbox
from direct311.audit.log.adapters.mongo_keys import MongoBodyKeys
from direct311.audit.log.adapters.mongo_log import MongoLog
from direct311.audit.log.adapters.mongo_published import MongoPublications
from direct311.audit.log.adapters.storage import LockedObjects
from direct311.audit.log.adapters.witnesses import HttpWitness
from direct311.audit.log.api.files import log_router
from direct311.audit.log.handlers.archive import Archive
from direct311.audit.log.handlers.begin import begin
from direct311.audit.log.handlers.files import LogFiles
from direct311.audit.log.handlers.keyring import KeyRing
from direct311.audit.log.handlers.log_keys import LogKeys
from direct311.audit.log.handlers.publish import Publisher, Unwitnessed, Witnessed
from direct311.audit.log.handlers.receive import AtOnce, Receiving
from direct311.audit.log.handlers.sequence import Sequencer
from direct311.audit.log.handlers.tags import Tags
from direct311.audit.log.handlers.waiting import Waiting
from direct311.audit.log.ports.files import Objects
from direct311.audit.log.ports.inbox import Inbox, InboxBatch
from direct311.audit.log.ports.log import IndexLostError, Log
from direct311.audit.log.ports.publication import Published
from direct311.audit.settings import AuditSettings
from direct311.runtime.access.rules import AccessPolicy, Caller
from direct311.runtime.http.health import Check
from direct311.runtime.http.key_routes import key_fetches_router, keys_router
from direct311.runtime.loops import Loop, Step
from direct311.runtime.process import Resources
from direct311.runtime.storage.objects import ObjectStore
from direct311.runtime.vault.providers import key_provider
from direct311.runtime.vault.rotation import KeyRotation
from direct311.runtime.vault.vault import Vault
from direct311.verifier.checkpoint import Trust
from direct311.verifier.policy import Policy

_log = structlog.get_logger(__name__)
SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class Keys:
    """The keys of the log's bodies: where they are stored, and what opens or checks them."""

    stored: MongoBodyKeys
    ring: KeyRing
    tags: Tags
    vault: Vault
    rotation: KeyRotation


@dataclass(frozen=True)
class Publishing:
    """What is published, and what gets it cosigned if a policy requires witnesses.

    `measure`: how long entries wait for it.
    """

    published: Published
    loops: Sequence[Loop]
    measure: Step


@dataclass(frozen=True)
class LogCapability:
    """The log, for the capabilities above it and for the process.

    `begin` runs last during preparation. `trust`: the keys of the checkpoints under lock.
    """

    inbox: Inbox
    log: Log
    files: LogFiles
    objects: Objects
    keys: Keys
    log_keys: LogKeys
    trust: Trust
    publishing: Publishing
    receiving: Receiving
    prepare: Step
    prepare_keys: Sequence[Step]
    begin: Step
    sequencer: Loop
    archive: Loop
    measure: Step
    inbox_moves: Check
    store_answers: Check
    router: APIRouter
    key_routers: Sequence[APIRouter]


def wire(
    settings: AuditSettings,
    resources: Resources,
    store: ObjectStore,
    policy: AccessPolicy,
    alarms: Alarms,
    appended: Callable[[int], None],
    caller: Callable[[Request], Awaitable[Caller]],
) -> LogCapability:
    """The log in the database and in the bucket `settings.bucket`. `appended` is called with
    the number of events that were taken in.

    :raises LogKeyError, NoLogKeyError, PolicyError: the log cannot be signed or published with
    these settings.
    """
    clock, database = resources.clock, resources.database
    log_keys = read_log_keys(settings.log_key_file)
    log_keys.in_force(clock.now())
    witnessing = read_policy(settings.policy_file, log_keys) if settings.policy_file else None
    keys = _keys(settings, resources, policy)
    inbox, log = MongoInbox(database), MongoLog(database)
    objects = LockedObjects(store, settings.bucket, settings.locked_for)
    files = LogFiles(log, objects)
    publishing = _publishing(settings, resources, log, files, alarms, log_keys, witnessing)
    archive = Archive(log, objects, alarms, publishing.published, clock)
    waiting = Waiting(inbox, clock)

    sequencing = _sequencing(
        Sequencer(inbox, log, keys.ring, clock, batch=settings.batch), appended, resources
    )

    async def begin_log() -> None:
        await begin(log, objects)
        await keys.ring.check(clock.now())

    async def store_answers() -> str | None:
        await objects.ping()
        return None

    return LogCapability(
        inbox=inbox,
        log=log,
        files=files,
        objects=objects,
        keys=keys,
        log_keys=log_keys,
        # Locked checkpoints outlive the key that signed them.
        trust=Trust(log_keys.ever(witnessing.log_keys if witnessing else ())),
        publishing=publishing,
        receiving=Receiving(inbox, clock, resources.ids, sequencing.at_once, sequencing.loop.wake),
        prepare=log.prepare,
        prepare_keys=(keys.stored.prepare, keys.rotation.checks.check),
        begin=begin_log,
        sequencer=sequencing.loop,
        archive=Loop("archive", SECOND, archive.step, resources.lease("archive"), clock),
        measure=_measuring(log, waiting, resources),
        inbox_moves=waiting.problem,
        store_answers=store_answers,
        router=log_router(log, files, publishing.published, log_keys, clock, caller),
        key_routers=(
            key_fetches_router(keys.stored, resources.producers, caller),
            keys_router(keys.rotation, caller),
        ),
    )


def _keys(settings: AuditSettings, resources: Resources, policy: AccessPolicy) -> Keys:
    provider = key_provider(settings, resources.http)
    stored = MongoBodyKeys(resources.database["keys"])
    ring = KeyRing(stored, provider)
    vault = Vault(stored, provider, resources.ledger, policy, resources.clock)
    rotation = KeyRotation(stored, provider, vault, resources.database, resources.clock)
    return Keys(stored, ring, Tags(ring), vault, rotation)


@dataclass(frozen=True)
class _Sequencing:
    """The loop that takes the inbox into the log, and what appends a batch that just arrived."""

    loop: Loop
    at_once: AtOnce


def _sequencing(
    sequencer: Sequencer, done: Callable[[int], None], resources: Resources
) -> _Sequencing:
    appended = Counter(
        "direct311_log_taken", "Events taken into the log", registry=resources.metrics.registry
    )
    clock, lease = resources.clock, resources.lease("sequencer")

    def took(count: int) -> None:
        appended.inc(count)
        done(count)

    async def sequence() -> None:
        # While there is work, the lease is renewed between batches; a process that loses it stops
        # here. Without its index it waits; readiness and an alarm report that.
        with contextlib.suppress(IndexLostError):
            while taken := await sequencer.step():
                took(taken)
                if not await lease.hold(clock.now()):
                    return

    async def at_once(batch: InboxBatch) -> bool:
        try:
            if not await lease.hold(clock.now()):
                return False
            took(await sequencer.append([batch]))
        except Exception as error:
            # The loop tries again with the inbox. If the batch is in the log after all, its events
            # are recognized there.
            _log.warning("sequencer.not_at_once", error=type(error).__name__)
            return False
        return True

    return _Sequencing(Loop("sequencer", SECOND / 2, sequence, lease, clock), at_once)


def _publishing(
    settings: AuditSettings,
    resources: Resources,
    log: Log,
    files: LogFiles,
    alarms: Alarms,
    keys: LogKeys,
    policy: Policy | None,
) -> Publishing:
    clock, registry = resources.clock, resources.metrics.registry
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
    publisher = None
    published: Published = Unwitnessed(log, keys, clock)
    loops: Sequence[Loop] = ()
    if policy is not None:
        publications = MongoPublications(resources.database)
        published = Witnessed(publications)
        publisher = Publisher(
            log,
            files,
            publications,
            [
                HttpWitness(each.name, each.key, each.url, resources.http)
                for each in policy.witnesses
                if each.url
            ],
            policy,
            keys,
            alarms,
            clock,
            patience=settings.unpublished_after,
            answered=lambda witness, how: answers.labels(witness, how).inc(),
        )
        lease = resources.lease("publisher")
        loops = (Loop("publish", settings.publish_every, publisher.step, lease, clock),)

    async def measure() -> None:
        if publisher is not None:
            unpublished.set((await publisher.waiting()).total_seconds())

    return Publishing(published, loops, measure)


def _measuring(log: Log, waiting: Waiting, resources: Resources) -> Step:
    registry = resources.metrics.registry
    size = Gauge("direct311_log_size", "Entries in the log", registry=registry)
    oldest = Gauge(
        "direct311_log_inbox_age_seconds", "How long the oldest event waits", registry=registry
    )

    async def measure() -> None:
        size.set((await log.head()).size)
        oldest.set((await waiting.age()).total_seconds())

    return measure
