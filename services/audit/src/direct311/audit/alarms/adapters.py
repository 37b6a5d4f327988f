"""Alarms that were raised: documents with an outbox."""

from uuid import UUID, uuid5

from direct311.audit.alarms.domain import Alarm
from direct311.runtime.clock import Clock
from direct311.runtime.messaging.records import EventProcessor
from direct311.runtime.messaging.state import Change, Outgoing
from direct311.schemas import events as ev

_ALARMS = UUID("6d1b6a4e-5f2c-5b0e-9d57-0d7f6f6e5a11")


class OutboxAlarms:
    """Implements `Alarms` with one document per alarm, so that none is raised twice and none is
    lost."""

    def __init__(self, processor: EventProcessor[Alarm], clock: Clock) -> None:
        self._processor = processor
        self._clock = clock

    async def raise_alarm(self, kind: str, about: str, detail: str) -> None:
        name = str(uuid5(_ALARMS, f"{kind}:{about}"))
        event = ev.AuditAlarm.model_validate(
            {"kind": kind, "about": about, "detail": detail, "raised_at": self._clock.now()}
        )

        async def once(state: Alarm) -> Change[Alarm] | None:
            if state.version:
                return None
            return Change(state.raised(kind), (Outgoing(event, subject=about),))

        await self._processor.change(name, name, once)
