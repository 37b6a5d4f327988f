"""Wiring of monitoring: new entries, key fetches, numbers, volume."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from fastapi import APIRouter, Request
from prometheus_client import Gauge

from direct311.audit.alarms.ports import Alarms
from direct311.audit.index.ports import Entries
from direct311.audit.log.ports.log import Followed
from direct311.audit.log.wiring import LogCapability
from direct311.audit.monitoring.adapters.fetches import OwnFetches, fetches_of
from direct311.audit.monitoring.adapters.mongo_watch import (
    MongoNumbers,
    MongoOpenings,
    MongoWatch,
)
from direct311.audit.monitoring.adapters.rules_file import load_volume_rules
from direct311.audit.monitoring.api import reconciliation_router
from direct311.audit.monitoring.handlers.log_tailer import LogTailer
from direct311.audit.monitoring.handlers.monitor_run import MonitorRun
from direct311.audit.monitoring.handlers.numbers import Numbering
from direct311.audit.monitoring.handlers.openings import EmergencyOpenings
from direct311.audit.monitoring.handlers.reconcile import Reconciler
from direct311.audit.monitoring.handlers.volume import Volume
from direct311.audit.monitoring.ports import Watch
from direct311.audit.settings import AuditSettings
from direct311.runtime.access.rules import Caller
from direct311.runtime.loops import Loop, Step
from direct311.runtime.process import Resources


@dataclass(frozen=True)
class MonitoringCapability:
    """The parts of monitoring that the process uses. `watch`: what it remembers."""

    watch: Watch
    prepare: Sequence[Step]
    reconcile: Loop
    measure: Step
    router: APIRouter


def wire(
    settings: AuditSettings,
    resources: Resources,
    log: LogCapability,
    followed: Followed,
    entries: Entries,
    alarms: Alarms,
    caller: Callable[[Request], Awaitable[Caller]],
) -> MonitoringCapability:
    """The monitoring of `log`.

    :raises DataFileError: the volume rules are invalid.
    :raises NoAddressError: the address of a service with a vault is not set.
    """
    clock, registry = resources.clock, resources.metrics.registry
    watch, numbers = MongoWatch(resources.database), MongoNumbers(resources.database)
    openings = MongoOpenings(resources.database)
    emergencies = EmergencyOpenings(openings, alarms, clock)
    key_fetches = fetches_of(
        resources.services.sealing,
        lambda service: resources.peer(service, settings.address_of(service)),
        OwnFetches(log.keys.stored, resources.producers),
    )
    patience = settings.unlogged_after
    reconciler = Reconciler(key_fetches, watch, followed, entries, alarms, clock, patience=patience)
    telling = [each.service for each in key_fetches]
    numbering = Numbering(numbers, alarms, clock, telling, patience=patience)
    volume_rules = load_volume_rules(settings.volume_file).content.rules
    volume = Volume(volume_rules, alarms, entries, clock)
    unlogged = Gauge(
        "direct311_log_unlogged_fetches", "Key fetches without an event", registry=registry
    )
    gaps = Gauge(
        "direct311_log_missing_numbers", "Numbers of producers without a leaf", registry=registry
    )
    monitor_run = MonitorRun(
        followed,
        LogTailer([numbering, volume, emergencies], followed, entries, watch),
        reconciler,
        numbering,
        clock,
        patience=patience,
        missing=gaps.set,
    )

    unexplained = Gauge(
        "direct311_log_openings_unexplained",
        "Openings of emergency staff about which nobody has said within 24 hours what became of it",
        registry=registry,
    )

    async def measure() -> None:
        unlogged.set(sum((await reconciler.late()).values()))
        unexplained.set(await emergencies.step())

    return MonitoringCapability(
        watch=watch,
        prepare=(watch.prepare, numbers.prepare, openings.prepare),
        reconcile=Loop(
            "reconcile",
            settings.reconcile_every,
            monitor_run.step,
            resources.lease("reconcile", settings.reconcile_every * 3),
            clock,
        ),
        measure=measure,
        router=reconciliation_router(reconciler, clock, caller),
    )
