"""Audit's own part of a disposition: last, after the broker has deleted the record's events.

A certificate says that every other holder has destroyed its part. Audit then waits as long as the
broker may still repeat an event, and destroys the record's key. From then on every entry about only
that record is unreadable, while the leaf, the tree and every other proof stay. Entries about the
disposition itself are permanent.

Only retention vouches for the certificate and the times in it. What counts is the log: it must have
a receipt for this record and one order from every other holder, each signed by that holder, and the
last of them must have been logged long enough ago. Otherwise nothing is destroyed, and an alarm
says so.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta

from direct311.audit.alarms.ports import Alarms
from direct311.audit.disposition.domain.records import AuditedRecord
from direct311.audit.disposition.handlers.holds import Held
from direct311.audit.disposition.ports import LogHolds
from direct311.audit.entry import Filter
from direct311.audit.index.ports import Entries
from direct311.audit.log.handlers.keyring import KeyRing
from direct311.audit.log.handlers.tags import Tags
from direct311.audit.log.ports.log import Followed, Log
from direct311.runtime.clock import Clock
from direct311.runtime.disposition import Destroyed
from direct311.runtime.messaging.records import EventProcessor
from direct311.runtime.messaging.state import Change
from direct311.schemas import Event, derived_id
from direct311.schemas import events as ev
from direct311.schemas.model import Model

Records = Callable[[int], Awaitable[Sequence[AuditedRecord]]]
"""At most this many records that are due and under no hold, or that are being destroyed."""

RecordsUnderHold = Callable[[str, int], Awaitable[Sequence[AuditedRecord]]]
"""At most this many records under this hold."""


_NOTHING_FOLLOWS = "00000000-0000-0000-0000-000000000000"
"""The cause of a change without an event."""

MOST_ANSWERS = 1_000
"""How many receipts of one holder for one record, and how many certificates, are checked: the
newest."""


class Disposition:
    """Notes what was certified, and begins destruction when it is due."""

    def __init__(
        self,
        processor: EventProcessor[AuditedRecord],
        log: Log,
        followed: Followed,
        entries: Entries,
        keys: KeyRing,
        tags: Tags,
        due: Records,
        clock: Clock,
        after: timedelta,
        *,
        held: Held,
        holds: LogHolds,
        under_hold: RecordsUnderHold,
        alarms: Alarms,
    ) -> None:
        self._processor = processor
        self._log = log
        self._followed = followed
        self._entries = entries
        self._keys = keys
        self._tags = tags
        self._due = due
        self._held = held
        self._holds = holds
        self._under_hold = under_hold
        self._alarms = alarms
        self._clock = clock
        self._after = after

    async def note(self, event: Event[Model]) -> None:
        """Set the time for each record of a certificate, counted from its arrival here; a
        supplement is about audit's own part."""
        data = event.data
        if not isinstance(data, ev.DispositionCertified) or data.supplement_to is not None:
            return
        destroy_at = self._clock.now() + self._after

        async def wait(state: AuditedRecord) -> Change[AuditedRecord] | None:
            if state.lifecycle != "active" or state.destroy_at is not None:
                return None
            return Change(state.certified(data.order_id, destroy_at))

        for record_id in data.record_ids:
            await self._processor.change(record_id, derived_id(event.id, record_id), wait)

    async def begin(self) -> None:
        """Change due records to `destroying`, unless there is a hold on the record, or on an entry
        about it, which is then written into the record too. Records that the log does not confirm
        wait again, with an alarm.

        :raises IndexLostError: the index's data about the records could not be removed.
        """
        await self._followed.check()
        for state in await self._due(100):
            borne_out = await self._order(state)
            if borne_out is None:
                await self._refuse(state)
                continue
            order_id, since = borne_out
            cause = derived_id(order_id, f"audit:{state.record_id}")
            if since + self._after > self._clock.now():
                await self._put_off(state.record_id, cause, since + self._after)
            elif holds := await self._held.keeping_record(state.record_id):
                await self._add_holds(state.record_id, cause, [hold.hold_key for hold in holds])
            else:
                await self._destroy(state.record_id, cause, order_id)

    async def _order(self, state: AuditedRecord) -> tuple[str, datetime] | None:
        """The certified order that every other holder has answered, according to the log, and when
        the last of them did; `None` if there is none."""
        size = (await self._followed.complete()).size
        receipts = [
            await self._told(state.record_id, "destroy", each, size)
            for each in sorted(state.answering)
        ]
        if not all(receipts):
            return None
        certified = await self._told(state.record_id, "certify", "retention", size)
        orders = dict.fromkeys((state.order_id, *(order_id for order_id, _ in certified)))
        for order_id in (each for each in orders if each):
            # An older entry without an order counts for the certificate's order.
            own = {order_id, None} if order_id == state.order_id else {order_id}
            times = [[at for order, at in told if order in own] for told in receipts]
            if all(times):
                return order_id, max(min(answered) for answered in times)
        return None

    async def _told(
        self, record_id: str, action: str, service: str, size: int
    ) -> Sequence[tuple[str | None, datetime]]:
        """The orders for which a service has reported this about a record, and when each report was
        logged."""
        query = Filter(record_ids=(record_id,), action=action, service=service)
        rows = await self._entries.find(query, before=size, floor=0, limit=MOST_ANSWERS)
        return [
            (row.facts.order_id, row.logged_at)
            for row in rows
            if row.facts and row.facts.event != "pii.accessed"
        ]

    async def _refuse(self, state: AuditedRecord) -> None:
        detail = "a certificate names the record, and not every holder has said in the log that it "
        detail += "destroyed its part by that order; nothing is destroyed"
        await self._alarms.raise_alarm("destruction_refused", state.record_id, detail)
        # It makes room for the others, and is checked again later.
        later = self._clock.now() + self._after
        await self._put_off(state.record_id, _NOTHING_FOLLOWS, later)

    async def _put_off(self, record_id: str, cause: str, until: datetime) -> None:
        async def put_off(state: AuditedRecord) -> Change[AuditedRecord] | None:
            return Change(state.put_off(until)) if state.lifecycle == "active" else None

        await self._processor.change(record_id, cause, put_off)

    async def _destroy(self, record_id: str, cause: str, order_id: str) -> None:
        async def destroy(state: AuditedRecord) -> Change[AuditedRecord] | None:
            if state.lifecycle != "active" or state.holds:
                return None
            return Change(state.destruction_ordered(order_id))

        await self._processor.change(record_id, cause, destroy)

    async def clear(self) -> None:
        """Remove released holds from the records that they kept."""
        for hold in await self._holds.all():
            if hold.released_at is None or hold.cleared:
                continue
            while found := await self._under_hold(hold.hold_key, 100):
                for state in found:
                    cause = derived_id(hold.hold_id, f"released:{state.record_id}")
                    await self._remove_hold(state.record_id, cause, hold.hold_key)
            # Nothing puts a released hold on a record: see `begin`, which runs afterwards.
            await self._holds.replace(hold.lifted())

    async def unheld(self, destroying: Sequence[AuditedRecord]) -> Sequence[AuditedRecord]:
        """Those of the records about to lose their key that no hold on the log keeps. This is the
        last check, made after the record says that it is being destroyed."""
        return [
            state for state in destroying if not await self._held.keeping_record(state.record_id)
        ]

    async def _add_holds(self, record_id: str, cause: str, hold_keys: Sequence[str]) -> None:
        async def add(state: AuditedRecord) -> Change[AuditedRecord] | None:
            if state.lifecycle != "active":
                return None
            return Change(state.held(*hold_keys))

        await self._processor.change(record_id, cause, add)

    async def _remove_hold(self, record_id: str, cause: str, gone: str) -> None:
        async def remove(state: AuditedRecord) -> Change[AuditedRecord] | None:
            return Change(state.released_from(gone))

        await self._processor.change(record_id, cause, remove)

    async def remove(self, state: AuditedRecord) -> Destroyed:
        """Remove the query index's data about the record, whose key was destroyed before.

        :raises IndexLostError: an index that is being rebuilt may still receive data about the
            record, from a body that was opened before the key was destroyed.
        :raises IndexBehindError: the index does not have all entries yet, and may still receive
            data about the record.
        """
        # What an overtaken sequencer staged late may name the record too.
        await self._log.sweep(await self._log.head())
        await self._followed.complete()
        tag = await self._tags.tagger(self._clock.now())
        forgotten = await self._entries.forget(state.record_id, tag, self._keys.destroyed)
        return Destroyed(documents=forgotten)


async def note_order(
    state: AuditedRecord, event: Event[ev.DispositionOrdered]
) -> Change[AuditedRecord] | None:
    """Note whose receipts are needed, if the order names more holders than most orders do. Audit's
    own part comes after the certificate."""
    after = state.ordered_of(event.data.holders)
    return None if after == state else Change(after)
