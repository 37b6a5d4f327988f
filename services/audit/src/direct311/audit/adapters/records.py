"""Records under disposition and alarms that were raised: documents with an outbox each."""

from collections.abc import Sequence
from uuid import UUID, uuid5

from direct311.audit.domain import Alarm, AuditedRecord
from direct311.runtime.clock import Clock
from direct311.runtime.messaging.records import Folder
from direct311.runtime.messaging.state import Change, Outgoing
from direct311.runtime.storage.database import Index, MongoRecords
from direct311.schemas import events as ev

_ALARMS = UUID("6d1b6a4e-5f2c-5b0e-9d57-0d7f6f6e5a11")


class DueRecords:
    """Finds the records whose time has come."""

    def __init__(self, records: MongoRecords[AuditedRecord], clock: Clock) -> None:
        self._records = records
        self._clock = clock

    async def prepare(self) -> None:
        await self._records.prepare(
            [
                Index(
                    [("destroy_at", 1)],
                    name="due",
                    partialFilterExpression={"lifecycle": "active"},
                )
            ]
        )

    async def due(self, limit: int) -> Sequence[AuditedRecord]:
        query = {"lifecycle": "active", "destroy_at": {"$lte": self._clock.now()}, "holds": []}
        found = self._records.collection.find(query).limit(limit)
        return [self._records.stored(document).state async for document in found]

    async def marked(self, hold: str, limit: int) -> Sequence[AuditedRecord]:
        """Records that have this among their holds."""
        found = self._records.collection.find({"holds": hold}).limit(limit)
        return [self._records.stored(document).state async for document in found]


class OutboxAlarms:
    """`Alarms`: one document for each, so that none is raised twice and none is lost."""

    def __init__(self, folder: Folder[Alarm], clock: Clock) -> None:
        self._folder = folder
        self._clock = clock

    async def raise_alarm(self, kind: str, about: str, detail: str) -> None:
        name = str(uuid5(_ALARMS, f"{kind}:{about}"))
        event = ev.AuditAlarm.model_validate(
            {"kind": kind, "about": about, "detail": detail, "raised_at": self._clock.now()}
        )

        async def once(state: Alarm) -> Change[Alarm] | None:
            if state.version:
                return None
            return Change(
                state.model_copy(update={"kind": kind}), (Outgoing(event, subject=about),)
            )

        await self._folder.change(name, name, once)
