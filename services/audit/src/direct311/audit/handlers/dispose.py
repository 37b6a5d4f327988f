"""Audit's own part of a disposition: last, when the broker has forgotten the record's events too.

A certificate says that every other holder has destroyed its part. Audit then waits for as long as
the broker may still repeat an event, and destroys the record's key: every entry about that record
alone is unreadable from then on, while leaf, tree and every other proof stay. Entries of the
disposition itself are permanent.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta

from direct311.audit.domain import AuditedRecord
from direct311.audit.handlers.holds import Held
from direct311.audit.handlers.tags import Tags
from direct311.audit.ports import Entries, IndexLostError, Log, LogHolds
from direct311.runtime.clock import Clock
from direct311.runtime.disposition import Destroyed
from direct311.runtime.records import Folder
from direct311.runtime.state import Change
from direct311.schemas import Event, derived_id
from direct311.schemas import events as ev
from direct311.schemas.model import Model

Records = Callable[[int], Awaitable[Sequence[AuditedRecord]]]
"""At most so many records: whose time has come and that no hold keeps; or that are being
destroyed."""

Marked = Callable[[str, int], Awaitable[Sequence[AuditedRecord]]]
"""At most so many records that have this among their holds."""


class Disposition:
    """Notes what was certified, and begins to destroy when it is time."""

    def __init__(
        self,
        folder: Folder[AuditedRecord],
        log: Log,
        entries: Entries,
        tags: Tags,
        due: Records,
        clock: Clock,
        after: timedelta,
        *,
        held: Held,
        holds: LogHolds,
        marked: Marked,
    ) -> None:
        self._folder = folder
        self._log = log
        self._entries = entries
        self._tags = tags
        self._due = due
        self._held = held
        self._holds = holds
        self._marked = marked
        self._clock = clock
        self._after = after

    async def note(self, event: Event[Model]) -> None:
        """Set the time for each record of a certificate; a supplement is about audit's own part."""
        data = event.data
        if not isinstance(data, ev.DispositionCertified) or data.supplement_to is not None:
            return
        destroy_at = data.certified_at + self._after

        async def wait(state: AuditedRecord) -> Change[AuditedRecord] | None:
            if state.lifecycle != "active" or state.destroy_at is not None:
                return None
            update = {"destroy_at": destroy_at, "order_id": data.order_id}
            return Change(state.model_copy(update=update))

        for record_id in data.record_ids:
            await self._folder.change(record_id, derived_id(event.id, record_id), wait)

    async def begin(self) -> None:
        """Turn those whose time has come to `destroying`, unless a hold stands: on the record, or
        on an entry about it, which is then written into the record too.

        :raises IndexLostError: what it says of the records could not be removed.
        """
        await self._check_index()

        async def destroy(state: AuditedRecord) -> Change[AuditedRecord] | None:
            if state.lifecycle != "active" or state.holds:
                return None
            return Change(state.model_copy(update={"lifecycle": "destroying"}))

        for state in await self._due(100):
            cause = derived_id(state.order_id or "", f"audit:{state.record_id}")
            if holds := await self._held.keeping_record(state.record_id):
                await self._mark(state.record_id, cause, [hold.mark for hold in holds])
            else:
                await self._folder.change(state.record_id, cause, destroy)

    async def clear(self) -> None:
        """Take holds that were released off the records that they kept."""
        for hold in await self._holds.all():
            if hold.released_at is None or hold.cleared:
                continue
            while found := await self._marked(hold.mark, 100):
                for state in found:
                    cause = derived_id(hold.hold_id, f"released:{state.record_id}")
                    await self._unmark(state.record_id, cause, hold.mark)
            # Nothing marks a record with a hold that was released: see `begin`, which comes after.
            await self._holds.replace(hold.model_copy(update={"cleared": True}))

    async def unheld(self, destroying: Sequence[AuditedRecord]) -> Sequence[AuditedRecord]:
        """Of records that are about to lose their key, those that no hold on the log keeps: the
        last look, after the record says that it is being destroyed."""
        return [
            state for state in destroying if not await self._held.keeping_record(state.record_id)
        ]

    async def _mark(self, record_id: str, cause: str, marks: Sequence[str]) -> None:
        async def mark(state: AuditedRecord) -> Change[AuditedRecord] | None:
            if state.lifecycle != "active":
                return None
            holds = tuple(sorted({*state.holds, *marks}))
            return Change(state.model_copy(update={"holds": holds}))

        await self._folder.change(record_id, cause, mark)

    async def _unmark(self, record_id: str, cause: str, gone: str) -> None:
        async def unmark(state: AuditedRecord) -> Change[AuditedRecord] | None:
            holds = tuple(hold for hold in state.holds if hold != gone)
            return Change(state.model_copy(update={"holds": holds}))

        await self._folder.change(record_id, cause, unmark)

    async def remove(self, state: AuditedRecord) -> Destroyed:
        """What the query index says of the record; its key has gone before.

        :raises IndexLostError: an index that is being made again may still get something of the
            record, from a body that was opened before the key went.
        """
        await self._check_index()
        tag = await self._tags.tagger(self._clock.now())
        return Destroyed(documents=await self._entries.forget(state.record_id, tag))

    async def _check_index(self) -> None:
        if await self._log.whole_since(await self._log.head()) is None:
            raise IndexLostError
