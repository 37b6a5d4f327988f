"""Legal holds on entries of the log: placed, released, and checked before anything is destroyed.

A hold keeps everything its filter finds when destruction is due, including later entries. The hold
is stored first, and then checks which records and months are already being destroyed. Destruction
is announced first, and then checks the holds. So either the destruction sees the hold in time, or
the hold lists what it was too late for.
"""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta

from direct311.audit.disposition.domain.holds import LogHold
from direct311.audit.disposition.domain.months import month_of
from direct311.audit.disposition.ports import BeingDestroyed, LogHolds
from direct311.audit.entry import Filter
from direct311.audit.index.ports import Entries
from direct311.audit.index_row import IndexRow
from direct311.audit.log.ports.log import Followed
from direct311.runtime.access.ledger import Access
from direct311.runtime.access.rules import Caller, RecordFacts
from direct311.runtime.clock import Clock, Ids
from direct311.runtime.errors import RefusedError
from direct311.runtime.persons import same_person
from direct311.runtime.vault.vault import Vault
from direct311.schemas import events as ev
from direct311.verifier.entry import Entry

_BATCH = 1_000


class Held:
    """What the holds in force keep."""

    def __init__(self, holds: LogHolds, entries: Entries, log: Followed) -> None:
        self._holds = holds
        self._entries = entries
        self._log = log

    async def keeping_record(self, record_id: str) -> Sequence[LogHold]:
        """The holds in force that cover an entry about this record."""
        head = await self._log.complete()
        return [
            hold
            for hold in await self._holds.standing()
            if await self._about(hold, record_id, head.size)
        ]

    async def _about(self, hold: LogHold, record_id: str, size: int) -> bool:
        query = hold.filter
        found: Sequence[IndexRow] = ()
        if not query.record_ids or record_id in query.record_ids:
            about = query.about((record_id,))
            found = await self._entries.find(about, before=size, floor=0, limit=1)
        if not found and query.case_id in (None, record_id):
            # The record may be the file of a case; what was kept because of the case goes with it.
            under = query.under_case(record_id)
            found = await self._entries.find(under, before=size, floor=0, limit=1)
        return bool(found)

    async def keeps_month(self, name: str, reference: bytes) -> bool:
        """Whether a hold in force covers an entry under this month's key."""
        for hold in await self._holds.standing():
            if await self.has_under(hold.filter, name, reference):
                return True
        return False

    async def has_under(self, query: Filter, name: str, reference: bytes) -> bool:
        """Whether a matching entry is sealed under the key of a month."""
        async for rows in rows_of_month(self._entries, self._log, query, name):
            if any(Entry.parse(row.data).key_reference == reference for row in rows):
                return True
        return False


class LogHolding:
    """Places and releases holds: a custodian places, another person releases."""

    def __init__(
        self,
        holds: LogHolds,
        held: Held,
        being_destroyed: BeingDestroyed,
        vault: Vault,
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._holds = holds
        self._held = held
        self._being_destroyed = being_destroyed
        self._vault = vault
        self._clock = clock
        self._ids = ids

    async def place(
        self, caller: Caller, name: str, kind: ev.HoldKind, authority: str, query: Filter
    ) -> LogHold:
        """Hold what fits.

        :raises RefusedError: another role, or it could not be written to the log.
        """
        await self._write_down(caller, "POST /v1/holds", query, authority)
        hold = LogHold(
            hold_id=self._ids.new(),
            name=name,
            kind=kind,
            authority=authority,
            filter=query,
            placed_by=caller.sub,
            placed_at=self._clock.now(),
        )
        await self._holds.add(hold)
        too_late = [
            record_id
            for record_id in await self._being_destroyed.records()
            if hold in await self._held.keeping_record(record_id)
        ]
        too_late += [
            key.name
            for key in await self._being_destroyed.months()
            if await self._held.has_under(query, key.name, key.reference)
        ]
        if too_late:
            hold = hold.placed_too_late(too_late)
            await self._holds.replace(hold)
        return hold

    async def release(self, caller: Caller, hold_id: str, reason: str) -> LogHold:
        """End a hold.

        :raises RefusedError: there is no such hold, another role, or the person who placed it.
        """
        hold = await self._holds.get(hold_id)
        query = hold.filter if hold else Filter()
        await self._write_down(caller, "POST /v1/holds/{hold_id}/release", query, hold_id, reason)
        if hold is None:
            raise RefusedError("unknown_hold", "There is no such hold.")
        if same_person(hold.placed_by, caller.sub):
            raise RefusedError(
                "same_person", "Someone other than the person who placed the hold must release it."
            )
        if hold.released_at is not None:
            return hold
        released = hold.released(caller.sub, reason, self._clock.now())
        await self._holds.replace(released)
        return released

    async def all(self, caller: Caller) -> Sequence[LogHold]:
        """Every hold, including released ones; this call is an event like the others."""
        await self._write_down(caller, "GET /v1/holds", Filter(), None)
        return await self._holds.all()

    async def _write_down(
        self,
        caller: Caller,
        operation: str,
        query: Filter,
        reference: str | None,
        reason: str | None = None,
    ) -> None:
        access = Access(
            caller,
            action="hold",
            purpose="retention",
            operation=operation,
            record_ids=query.record_ids,
            reference=reference,
            justification=reason,
            query_fields=query.names,
        )
        await self._vault.authorise(access, RecordFacts())


async def span_of_month(entries: Entries, name: str, size: int) -> tuple[int, int]:
    """The range of the log that contains every entry under a month's key."""
    days = month_of(name)
    if days is None:
        return 0, 0
    # One day on either side: logging times never run backwards, but clocks may have.
    first, after = (datetime(day.year, day.month, day.day, tzinfo=UTC) for day in days)
    return (
        await entries.first_logged(first - timedelta(days=1), size),
        await entries.first_logged(after + timedelta(days=1), size),
    )


async def rows_of_month(
    entries: Entries, log: Followed, query: Filter, name: str
) -> AsyncIterator[Sequence[IndexRow]]:
    """Matching entries that may be under the key of a month, a batch at a time."""
    size = (await log.complete()).size
    low, high = await span_of_month(entries, name, size)
    while low < high:
        rows = await entries.find(query, before=high, floor=low, limit=_BATCH, oldest_first=True)
        if rows:
            yield rows
        if len(rows) < _BATCH:
            return
        low = rows[-1].index + 1
