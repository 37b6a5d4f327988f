"""The only way to read the log's content: find and count, record the access, and only then open.

Rows are looked up and counted first, so that the access event can say how many; then the event
becomes durable; only then are keys fetched and bodies opened. Without the event there is no answer.
The event itself is an entry of the log like any other.

Exempt entries (section 119.071(2)(c), F.S.) stay closed for people who may not open the field
`exempt_entry`, until their case is no longer exempt (`index.handlers.secrecy`). They are shown as
withheld if a question asks only by record and time. They do not match a question about who, why or
how, because the answer would reveal what is withheld.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from direct311.audit.entry import Filter
from direct311.audit.index.domain import Dimension, Exempt, Group
from direct311.audit.index.ports import Entries, KnownCases
from direct311.audit.index_row import IndexRow
from direct311.audit.log.domain import CLOCK_TOLERANCE, DELIVERY_LIMIT
from direct311.audit.log.handlers.bodies import decode_body
from direct311.audit.log.handlers.keyring import BodyKey, KeyRing
from direct311.audit.log.ports.log import Head, Indexed
from direct311.audit.questions.domain.cursors import windows
from direct311.runtime.access.ledger import Access
from direct311.runtime.access.rules import AccessPolicy, Caller, RecordFacts
from direct311.runtime.clock import Clock
from direct311.runtime.vault.vault import Vault
from direct311.schemas.secrecy import NO_END
from direct311.verifier.entry import Entry, derive_entry_key
from direct311.verifier.event import MalformedEventError

PURPOSE = "authorised_audit"
FIELDS = ("audit_entry",)
EXEMPT_FIELD = "exempt_entry"
MOST_RECORDS_AN_EVENT = 100
BATCH = 1_000
"""How many entries a stream reads, opens and sends at a time."""

WIDEST = 256_000
"""How many entries of the log one query may search, if it names no record."""


@dataclass(frozen=True, slots=True)
class QueryContext:
    """Who asks, where, and the reference (the auditor's letter) they give."""

    caller: Caller
    operation: str
    reference: str | None


@dataclass(frozen=True, slots=True)
class Opened:
    """An entry and its event as shown to a reader. `event` is `None` once its key was destroyed,
    and if an entry from before bodies were checked cannot be shown.

    `withheld`: exempt for now, so only its place in the log may be shown. `withheld_until`: when
    that ends, if anybody knows.
    """

    row: IndexRow
    event: Mapping[str, Any] | None
    withheld: bool = False
    withheld_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Counted:
    """A filter's result: entries that may be seen, and entries withheld for its records and
    time."""

    entries: int
    withheld: int


class AuditedQuery:
    """Every question about the log goes through this."""

    def __init__(
        self,
        *,
        entries: Entries,
        keys: KeyRing,
        vault: Vault,
        policy: AccessPolicy,
        cases: KnownCases,
        clock: Clock,
    ) -> None:
        self._entries = entries
        self._cases = cases
        self._keys = keys
        self._vault = vault
        self._policy = policy
        self._clock = clock

    # --- who may

    async def hidden_from(self, context: QueryContext) -> Exempt | None:
        """How exempt entries are treated for this caller; `None`: like any other."""
        return None if self._allowed(context, (EXEMPT_FIELD,)) else await self.exempt_now()

    async def exempt_now(self) -> Exempt:
        """How exempt entries are treated for people who may not see them."""
        return Exempt(self._clock.now(), cases=await self._cases.all())

    async def refuse_early(self, context: QueryContext, query: Filter) -> None:
        """Nothing is looked up for a caller who may not read the log.

        :raises RefusedError: as `authorise`, which records the refusal.
        """
        if not self._allowed(context, FIELDS):
            await self.authorise(context, "log_read", query, 0)

    def _allowed(self, context: QueryContext, fields: Sequence[str]) -> bool:
        return self._policy.decide(
            context.caller,
            PURPOSE,
            fields,
            RecordFacts(),
            reference=context.reference,
            at=self._clock.now(),
        ).allowed

    # --- finding entries

    async def span(self, query: Filter, head: Head | Indexed) -> tuple[int, int]:
        """The range [floor, before) of the log outside which nothing can match."""
        floor, before = 0, head.size
        if query.since is not None:
            # Nothing is logged before it occurs.
            floor = await self._entries.first_logged(query.since - CLOCK_TOLERANCE, head.size)
        if query.until is not None:
            latest = query.until + DELIVERY_LIMIT + CLOCK_TOLERANCE
            before = await self._entries.first_logged(latest, head.size)
        return floor, before

    async def newest(
        self, query: Filter, before: int, floor: int, limit: int, exempt: Exempt | None
    ) -> list[IndexRow]:
        """At most `limit` matching entries in [floor, before), newest first, including those shown
        as withheld."""
        rows: list[IndexRow] = []
        # Entries about a record are few and indexed; others are searched where they are most
        # likely.
        for low, high in windows(before, floor, 100_000 if query.record_ids else 500):
            rows += await self._entries.find(
                query, before=high, floor=low, limit=limit - len(rows), exempt=exempt
            )
            if len(rows) >= limit:
                break
        if exempt is not None and query == query.by_place_and_time:
            rows += await self._entries.find(
                query, before=before, floor=floor, limit=limit, exempt=exempt.withheld_only
            )
            rows = sorted(rows, key=lambda row: row.index, reverse=True)[:limit]
        return rows

    async def oldest(
        self, query: Filter, floor: int, before: int, exempt: Exempt | None
    ) -> AsyncGenerator[Sequence[IndexRow], None]:
        """All matching entries in [floor, before), oldest first, at most `BATCH` at a time."""
        shows_withheld = exempt is not None and query == query.by_place_and_time
        width = BATCH
        while floor < before:
            high = before if query.record_ids else min(before, floor + width)
            rows = list(
                await self._entries.find(
                    query, before=high, floor=floor, limit=BATCH, exempt=exempt, oldest_first=True
                )
            )
            if exempt is not None and shows_withheld:
                rows += await self._entries.find(
                    query,
                    before=high,
                    floor=floor,
                    limit=BATCH,
                    exempt=exempt.withheld_only,
                    oldest_first=True,
                )
                rows.sort(key=lambda row: row.index)
            full = len(rows) >= BATCH
            rows = rows[:BATCH]
            if rows:
                yield rows
            floor = rows[-1].index + 1 if full else high
            width = BATCH if full else min(width * 4, WIDEST)

    async def count(self, query: Filter, floor: int, before: int, exempt: Exempt | None) -> Counted:
        """How many entries in [floor, before) match."""
        withheld = await self.withheld(query, floor, before, exempt)
        if query == Filter():
            # Entries whose facts were forgotten are in the log too.
            return Counted(max(0, before - floor) - withheld, withheld)
        return Counted(_total(await self._groups(query, (), floor, before, exempt)), withheld)

    async def further(self, query: Filter, floor: int, before: int, exempt: Exempt | None) -> int:
        """How many more times than once the matching entries stand for: only refusals do."""
        if query.outcome not in (None, "denied"):
            return 0
        refused = query.of_outcome("denied")
        found = await self._groups(refused, (), floor, before, exempt)
        return sum(group.times - group.count for group in found)

    async def withheld(self, query: Filter, floor: int, before: int, exempt: Exempt | None) -> int:
        """How many exempt entries in [floor, before) match the query's records and time."""
        if exempt is None:
            return 0
        place = query.by_place_and_time
        return _total(await self._groups(place, (), floor, before, exempt.withheld_only))

    async def groups(
        self,
        query: Filter,
        by: Sequence[Dimension],
        floor: int,
        before: int,
        exempt: Exempt | None,
    ) -> Mapping[tuple[str | None, ...], Group]:
        """The matching entries in [floor, before), counted by these dimensions."""
        return {group.key: group for group in await self._groups(query, by, floor, before, exempt)}

    async def _groups(
        self,
        query: Filter,
        by: Sequence[Dimension],
        floor: int,
        before: int,
        exempt: Exempt | None,
    ) -> Sequence[Group]:
        found: dict[tuple[str | None, ...], Group] = {}
        # One range at a time, so that no single query takes longer than its connection waits.
        few = bool(query.record_ids) or (exempt is not None and exempt.only)
        width = max(1, before - floor) if few else WIDEST
        for low in range(floor, before, width):
            for group in await self._entries.groups(
                query, by, before=min(before, low + width), floor=low, exempt=exempt
            ):
                found[group.key] = group.joined(found.get(group.key))
        return list(found.values())

    # --- recording, then opening

    async def authorise(
        self,
        context: QueryContext,
        action: Literal["log_read", "export"],
        query: Filter,
        found: int,
        fields: Sequence[str] = FIELDS,
    ) -> str:
        """Decide and record the decision; returns the event's id (the first one's if several were
        needed).

        Without `fields` the answer comes only from the index, and nothing is opened for it. If
        there are several events, the first says what is opened, and its id is written on each
        fetched key.

        :raises RefusedError: as `Vault.authorise`.
        """
        parts = [
            query.record_ids[at : at + MOST_RECORDS_AN_EVENT]
            for at in range(0, len(query.record_ids), MOST_RECORDS_AN_EVENT)
        ] or [()]
        ids: list[str] = []
        for records in parts:
            access = Access(
                context.caller,
                action=action,
                purpose=PURPOSE,
                operation=context.operation,
                fields=() if ids else tuple(fields),
                record_ids=records,
                reference=context.reference,
                query_fields=query.names,
                result_count=None if ids else found,
            )
            event_id, _ = await self._vault.authorise(access, RecordFacts())
            ids.append(event_id)
        return ids[0]

    async def fields_for(self, exempt: Exempt | None, rows: Sequence[IndexRow]) -> Sequence[str]:
        """The fields that opening these rows opens, for a caller with this treatment of exempt
        entries."""
        if exempt is not None:
            return FIELDS
        treated = await self.exempt_now()
        seen = any(is_withheld(row, treated) for row in rows)
        return (*FIELDS, EXEMPT_FIELD) if seen else FIELDS

    async def fields_in(
        self, query: Filter, floor: int, before: int, exempt: Exempt | None
    ) -> Sequence[str]:
        """The same for all matching entries in [floor, before)."""
        if exempt is not None:
            return FIELDS
        only = (await self.exempt_now()).withheld_only
        return (
            (*FIELDS, EXEMPT_FIELD)
            if await self._groups(query, (), floor, before, only)
            else FIELDS
        )

    async def keys(
        self, rows: Sequence[IndexRow], event_id: str, exempt: Exempt | None
    ) -> Mapping[bytes, BodyKey]:
        """The keys of the rows that may be opened; each fetch names the access event."""
        references = {
            Entry.parse(row.data).key_reference
            for row in rows
            if row.facts and not is_withheld(row, exempt)
        }
        if not references:
            return {}
        return await self._keys.for_reading(references, event_id, self._clock.now())

    async def open(
        self, rows: Sequence[IndexRow], event_id: str, exempt: Exempt | None
    ) -> list[Opened]:
        """The rows with their events."""
        keys = await self.keys(rows, event_id, exempt)
        return await asyncio.to_thread(_open_all, rows, keys, exempt)


def is_withheld(row: IndexRow, exempt: Exempt | None) -> bool:
    """Whether a caller with this treatment of exempt entries may know only the row's place."""
    return exempt is not None and row.facts is not None and exempt.withholds(row.facts)


def withheld_until(row: IndexRow, exempt: Exempt | None) -> datetime | None:
    """When a withheld row opens; `None` if nobody knows."""
    if exempt is None or row.facts is None:
        return None
    until = exempt.cases.exempt_until(row.facts)
    return None if until == NO_END else until


def entry_key(row: IndexRow, keys: Mapping[bytes, BodyKey], exempt: Exempt | None) -> bytes | None:
    """The key among these that opens a row; `None` if it stays closed."""
    entry = Entry.parse(row.data)
    if row.facts is None or is_withheld(row, exempt) or entry.key_reference not in keys:
        return None
    key = keys[entry.key_reference].key
    return derive_entry_key(key, entry.key_reference, entry.nonce)


def _open_all(
    rows: Sequence[IndexRow], keys: Mapping[bytes, BodyKey], exempt: Exempt | None
) -> list[Opened]:
    opened = []
    for row in rows:
        key = entry_key(row, keys, exempt)
        event = event_of(row, key) if key else None
        withheld = is_withheld(row, exempt)
        until = withheld_until(row, exempt) if withheld else None
        opened.append(Opened(row, event, withheld, until))
    return opened


def event_of(row: IndexRow, key: bytes) -> Mapping[str, Any] | None:
    """A row's event for a reader; `None` if its body cannot be shown."""
    event = Entry.parse(row.data).open(key)
    with contextlib.suppress(MalformedEventError):
        decode_body(event.body)
        return event.shown
    return None


def _total(groups: Sequence[Group]) -> int:
    return sum(group.count for group in groups)
