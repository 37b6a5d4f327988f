"""Wiring of the query index: its rebuilding, and its comparison with the tree."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from fastapi import APIRouter, Request
from prometheus_client import Gauge

from direct311.audit.alarms.ports import Alarms
from direct311.audit.index.adapters.mongo_cases import MongoCaseExemptions
from direct311.audit.index.adapters.mongo_index import MongoEntries
from direct311.audit.index.adapters.mongo_progress import MongoProgress
from direct311.audit.index.api import answering, index_router
from direct311.audit.index.handlers.follow import FollowedLog, Following
from direct311.audit.index.handlers.rebuild import Rebuilding
from direct311.audit.index.handlers.secrecy import CaseSecrecy
from direct311.audit.index.handlers.watch_index import IndexWatch
from direct311.audit.index.ports import Entries, FetchCursors, Progress
from direct311.audit.log.ports.log import Followed, Log
from direct311.audit.log.wiring import LogCapability
from direct311.audit.settings import AuditSettings
from direct311.runtime.access.rules import Caller
from direct311.runtime.http.health import Check
from direct311.runtime.loops import Loop, Step
from direct311.runtime.process import Resources


@dataclass(frozen=True)
class IndexCapability:
    """The parts of the index that the process uses. `answering`: a dependency for routes that query
    it. `secrecy`: until when the entries of disclosure cases are withheld."""

    secrecy: CaseSecrecy
    prepare: Step
    rebuild: Loop
    watch: Loop
    measure: Step
    whole: Check
    answering: Callable[[], Awaitable[None]]
    router: APIRouter


def open_entries(resources: Resources) -> MongoEntries:
    """The index itself. It needs none of the other capabilities, and all of them query it."""
    return MongoEntries(resources.database)


@dataclass(frozen=True)
class FollowingCapability:
    """What brings the index up to date, and how far it is: `followed` for those who wait for it,
    `as_it_is` for work in the background, which takes what there is."""

    followed: Followed
    as_it_is: Followed
    appended: Callable[[int], None]
    loop: Loop
    measure: Step


def wire_following(
    resources: Resources, log: LogCapability, entries: Entries, alarms: Alarms
) -> FollowingCapability:
    """What brings `entries` up to date with `log`."""
    following = Following(
        log=log.log,
        inbox=log.inbox,
        entries=entries,
        keys=log.keys.ring,
        tags=log.keys.tags,
        alarms=alarms,
        clock=resources.clock,
    )
    clock, lease = resources.clock, resources.lease("follow")
    behind = Gauge(
        "direct311_log_index_behind",
        "Entries that the query index does not have yet",
        registry=resources.metrics.registry,
    )

    async def follow() -> None:
        while await following.step():
            if not await lease.hold(clock.now()):
                return

    loop = Loop("follow", timedelta(seconds=1), follow, lease, clock)

    def appended(count: int) -> None:
        following.appended(count)
        loop.wake()

    def hurry() -> None:
        following.hurry()
        loop.wake()

    async def measure() -> None:
        behind.set(await following.behind())

    return FollowingCapability(
        FollowedLog(log.log, hurry),
        FollowedLog(log.log, lambda: None, patience=timedelta()),
        appended,
        loop,
        measure,
    )


def wire(
    settings: AuditSettings,
    resources: Resources,
    log: LogCapability,
    entries: MongoEntries,
    cursors: FetchCursors,
    alarms: Alarms,
    caller: Callable[[Request], Awaitable[Caller]],
) -> IndexCapability:
    """What keeps the index true to `log`."""
    clock = resources.clock
    progress = MongoProgress(resources.database)
    exemptions = MongoCaseExemptions(resources.database)
    secrecy = CaseSecrecy(exemptions, log.keys.ring, clock)
    rebuilding = Rebuilding(
        progress=progress,
        log=log.log,
        entries=entries,
        files=log.files,
        objects=log.objects,
        keys=log.keys.ring,
        tags=log.keys.tags,
        vault=log.keys.vault,
        watch=cursors,
        secrecy=secrecy,
        alarms=alarms,
        trust=log.trust,
        clock=clock,
    )
    watch = IndexWatch(
        progress=progress,
        log=log.log,
        entries=entries,
        files=log.files,
        objects=log.objects,
        tags=log.keys.tags,
        alarms=alarms,
        trust=log.trust,
        clock=clock,
    )

    async def whole() -> str | None:
        lost = await log.log.indexed() is None
        return "it is lost, or is being rebuilt from the log" if lost else None

    rebuild = _rebuild(rebuilding, progress, entries, resources)
    return IndexCapability(
        secrecy=secrecy,
        prepare=exemptions.prepare,
        rebuild=rebuild,
        watch=Loop(
            "watch index",
            settings.watch_every,
            watch.step,
            resources.lease("watch index", settings.watch_every * 3),
            clock,
        ),
        measure=_measuring(log.log, watch, resources),
        whole=whole,
        answering=answering(log.log),
        router=index_router(rebuilding, rebuild.wake, caller),
    )


def _rebuild(
    rebuilding: Rebuilding, progress: Progress, entries: MongoEntries, resources: Resources
) -> Loop:
    clock, lease = resources.clock, resources.lease("rebuild")

    async def rebuild() -> None:
        before = await progress.rebuild()
        if before is not None and before.state == "running" and not before.size:
            # A dropped collection has lost its indexes too.
            await entries.prepare()
        while await rebuilding.step():
            if not await lease.hold(clock.now()):
                return

    return Loop("rebuild", timedelta(seconds=2), rebuild, lease, clock)


def _measuring(log: Log, watch: IndexWatch, resources: Resources) -> Step:
    registry = resources.metrics.registry
    mismatches = Gauge(
        "direct311_log_index_mismatches",
        "Entries missing from the query index, or different from the log",
        registry=registry,
    )
    whole = Gauge(
        "direct311_log_index_whole", "Whether the query index can be used", registry=registry
    )

    async def measure() -> None:
        whole.set(await log.indexed() is not None)
        mismatches.set(await watch.mismatches())

    return measure
