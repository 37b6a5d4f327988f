"""Wiring of the alarms."""

from dataclasses import dataclass

from direct311.audit.alarms.adapters import OutboxAlarms
from direct311.audit.alarms.domain import Alarm
from direct311.audit.alarms.ports import Alarms
from direct311.runtime.loops import Step
from direct311.runtime.messaging.relay import Relay
from direct311.runtime.process import Resources


@dataclass(frozen=True)
class AlarmsCapability:
    """Where the other capabilities raise alarms; `relay` publishes them."""

    alarms: Alarms
    relay: Relay
    prepare: Step


def wire(resources: Resources) -> AlarmsCapability:
    """Alarms in the collection `alarms`."""
    aggregates = resources.aggregate_store(resources.database["alarms"], Alarm)
    processor = resources.processor(aggregates, lambda name: Alarm(record_id=name), {})
    return AlarmsCapability(
        OutboxAlarms(processor, resources.clock), aggregates.relay, aggregates.records.prepare
    )
