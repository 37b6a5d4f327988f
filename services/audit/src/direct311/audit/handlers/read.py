"""What auditors ask of the log. Written down before it is read, like everything that opens.

Rows are looked up and counted first, so that the access event can say how many; then the event
becomes durable; only then are keys fetched and bodies opened. Without the event nothing is
answered. The event itself is an entry of the log like any other, and reading it causes another one
only when somebody reads it.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from direct311.audit.domain import (
    CLOCK_TOLERANCE,
    DELIVERY_LIMIT,
    CursorError,
    Filter,
    cursor_of,
    index_of,
    windows,
)
from direct311.audit.handlers.files import LogFiles
from direct311.audit.handlers.keyring import BodyKey, KeyRing
from direct311.audit.handlers.log_keys import LogKeys
from direct311.audit.ports import (
    Entries,
    Head,
    Log,
    NotPublishedError,
    People,
    Published,
    Row,
)
from direct311.runtime.access import AccessPolicy, Caller, RecordFacts
from direct311.runtime.clock import Clock
from direct311.runtime.errors import RefusedError
from direct311.runtime.ledger import Access
from direct311.runtime.vault import Vault
from direct311.verifier.bundle import Receipt, encode_bundle
from direct311.verifier.entry import Entry, derive_entry_key
from direct311.verifier.event import EventKey

PURPOSE = "authorised_audit"
FIELDS = ("audit_entry",)
MOST_IN_A_BUNDLE = 10_000
MOST_RECORDS_AN_EVENT = 100


@dataclass(frozen=True, slots=True)
class Asking:
    """Who asks, where, and the reference (the auditor's letter) that they give."""

    caller: Caller
    operation: str
    reference: str | None


@dataclass(frozen=True, slots=True)
class Opened:
    """An entry and its event as shown to a reader; `None` once its key was destroyed."""

    row: Row
    event: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Page:
    """`next`: the cursor of the page after this, `None` at the end. `access_event`: this call's."""

    entries: Sequence[Opened]
    next: str | None
    size: int
    access_event: str


@dataclass(frozen=True, slots=True)
class Proof:
    """Inclusion of an entry under a checkpoint (a signed note)."""

    row: Row
    hashes: Sequence[bytes]
    checkpoint: str
    size: int


@dataclass(frozen=True, slots=True)
class Consistency:
    """That the tree of `new` entries begins with that of `old`."""

    old: int
    new: int
    old_root: bytes
    new_root: bytes
    hashes: Sequence[bytes]
    checkpoint: str


class Reading:
    """The auditors' questions."""

    def __init__(
        self,
        *,
        log: Log,
        entries: Entries,
        files: LogFiles,
        keys: KeyRing,
        people: People,
        vault: Vault,
        policy: AccessPolicy,
        published: Published,
        log_keys: LogKeys,
        producers: Sequence[EventKey],
        clock: Clock,
    ) -> None:
        self._log = log
        self._entries = entries
        self._files = files
        self._keys = keys
        self._people = people
        self._vault = vault
        self._policy = policy
        self._published = published
        self._log_keys = log_keys
        self._producers = producers
        self._clock = clock

    async def page(
        self,
        asking: Asking,
        query: Filter,
        *,
        limit: int,
        cursor: str | None = None,
        about: Sequence[str] = (),
    ) -> Page:
        """Entries that fit, newest first; those about one of the records `about` where given.

        Cursors belong to `query`, and stay good when a person gets a new record.

        :raises RefusedError: 400 for another query's cursor; 403, 503 as `Vault.authorise`.
        """
        head = await self._log.head()
        before = head.size
        if cursor is not None:
            try:
                before = min(index_of(cursor, query), before)
            except CursorError:
                raise RefusedError(
                    400, "cursor", "The cursor belongs to another query.", field="cursor"
                ) from None
        wanted = query.model_copy(update={"record_ids": tuple(about)}) if about else query
        rows = await self._find(wanted, before, head, limit + 1)
        shown = rows[:limit]
        event_id, opened = await self._open(asking, wanted, shown)
        following = cursor_of(query, shown[-1].index) if len(rows) > limit else None
        return Page(opened, following, head.size, event_id)

    async def person(
        self,
        asking: Asking,
        person: Mapping[str, str],
        authorization: str,
        query: Filter,
        *,
        limit: int,
        cursor: str | None = None,
    ) -> tuple[Sequence[str], Page]:
        """The records of a person, and the entries about them.

        Intake resolves the person, which is an access of the caller's there.
        """
        await self._refuse_early(asking, query)
        records = await self._people.resolve(person, asking.reference or "", authorization)
        if not records:
            event_id, _ = await self._open(asking, query, [])
            return [], Page([], None, (await self._log.head()).size, event_id)
        page = await self.page(asking, query, limit=limit, cursor=cursor, about=records)
        return records, page

    async def one(self, asking: Asking, event_id: str) -> tuple[Opened, Page]:
        """The entry of an event. :raises RefusedError: 404, after that was written down too."""
        head = await self._log.head()
        row = await self._entries.by_event(event_id, head.size)
        rows = [row] if row else []
        records = row.facts.record_ids if row and row.facts else ()
        query = Filter(record_ids=records[:MOST_RECORDS_AN_EVENT])
        access_event, opened = await self._open(asking, query, rows)
        if not opened:
            raise _unknown()
        return opened[0], Page(opened, None, head.size, access_event)

    async def proof(self, event_id: str) -> Proof:
        """The proof of an event's entry under the published checkpoint; nothing is opened.

        :raises RefusedError: 404. :raises NotPublishedError: the entry lies above it.
        """
        row = await self._entries.by_event(event_id, (await self._log.head()).size)
        if row is None:
            raise _unknown()
        published = await self._published.covering(row.index + 1)
        head = published.head
        if row.index >= head.size:
            raise NotPublishedError
        hashes = (await self._files.inclusion([row.index], head))[row.index]
        return Proof(row, hashes, published.note, head.size)

    async def consistency(self, old: int, new: int | None) -> Consistency:
        """:raises RefusedError: 422, the sizes are not those of the log as it is published."""
        published = await self._published.current()
        head = published.head
        new = head.size if new is None else new
        if not 0 <= old <= new <= head.size:
            raise RefusedError(
                422, "sizes", f"0 ≤ old ≤ new ≤ {head.size}, the published size.", field="old"
            )
        return Consistency(
            old,
            new,
            await self._files.root(old, head),
            await self._files.root(new, head),
            await self._files.consistency(old, new, head),
            published.note,
        )

    async def bundle(self, asking: Asking, query: Filter) -> AsyncIterator[bytes]:
        """A file that verifies offline, piece by piece: all entries that fit, oldest first.

        It reaches to the published checkpoint that it holds; what was logged a moment ago is waited
        for, and left out where no quorum cosigns.

        :raises RefusedError: 422 for more than `MOST_IN_A_BUNDLE`; 403, 503 as `page`.
        """
        published = await self._published.covering((await self._log.head()).size)
        head = published.head
        rows = await self._find(query, head.size, head, MOST_IN_A_BUNDLE + 1)
        if len(rows) > MOST_IN_A_BUNDLE:
            raise RefusedError(
                422,
                "too_many",
                f"More than {MOST_IN_A_BUNDLE} entries; narrow the filter, by time for instance.",
                field="filter",
            )
        hashes = await self._files.inclusion([row.index for row in rows], head)
        event_id = await self._authorise(asking, "export", query, len(rows))
        keys = await self._fetch(rows, event_id)

        def receipts() -> list[Receipt]:
            return [_receipt(row, hashes[row.index], keys) for row in reversed(rows)]

        pieces = encode_bundle(
            published.note,
            [each.key for each in self._log_keys.in_force(self._clock.now())],
            self._producers,
            await asyncio.to_thread(receipts),
        )

        async def stream() -> AsyncIterator[bytes]:
            for piece in pieces:
                yield piece

        return stream()

    # --- how

    async def _find(self, query: Filter, before: int, head: Head, limit: int) -> list[Row]:
        floor = 0
        if query.since is not None:
            # Nothing is logged before it occurs.
            floor = await self._entries.first_logged(query.since - CLOCK_TOLERANCE, head.size)
        if query.until is not None:
            latest = query.until + DELIVERY_LIMIT + CLOCK_TOLERANCE
            before = min(before, await self._entries.first_logged(latest, head.size))
        rows: list[Row] = []
        for low, high in windows(before, floor):
            rows += await self._entries.find(query, before=high, floor=low, limit=limit - len(rows))
            if len(rows) >= limit:
                break
        return rows

    async def _open(
        self, asking: Asking, query: Filter, rows: Sequence[Row]
    ) -> tuple[str, list[Opened]]:
        event_id = await self._authorise(asking, "log_read", query, len(rows))
        keys = await self._fetch(rows, event_id)
        return event_id, await asyncio.to_thread(_read_all, rows, keys)

    async def _refuse_early(self, asking: Asking, query: Filter) -> None:
        """Nobody who may not read the log has a person looked up for it."""
        decision = self._policy.decide(
            asking.caller,
            PURPOSE,
            FIELDS,
            RecordFacts(),
            reference=asking.reference,
            at=self._clock.now(),
        )
        if not decision.allowed:
            await self._authorise(asking, "log_read", query, 0)

    async def _authorise(
        self, asking: Asking, action: Literal["log_read", "export"], query: Filter, found: int
    ) -> str:
        """Decide and write it down; the id of the event, the first where several were needed."""
        parts = [
            query.record_ids[at : at + MOST_RECORDS_AN_EVENT]
            for at in range(0, len(query.record_ids), MOST_RECORDS_AN_EVENT)
        ] or [()]
        ids = []
        for records in parts:
            access = Access(
                asking.caller,
                action=action,
                purpose=PURPOSE,
                operation=asking.operation,
                fields=FIELDS,
                record_ids=records,
                reference=asking.reference,
                query_fields=query.names,
                result_count=found,
            )
            event_id, _ = await self._vault.authorise(access, RecordFacts())
            ids.append(event_id)
        return ids[0]

    async def _fetch(self, rows: Sequence[Row], event_id: str) -> Mapping[bytes, BodyKey]:
        references = {Entry.parse(row.data).key_reference for row in rows if row.facts}
        if not references:
            return {}
        return await self._keys.for_reading(references, event_id, self._clock.now())


def _unknown() -> RefusedError:
    return RefusedError(404, "not_found", "The log has no entry of this event.")


def _read_all(rows: Sequence[Row], keys: Mapping[bytes, BodyKey]) -> list[Opened]:
    opened = []
    for row in rows:
        entry = Entry.parse(row.data)
        key = keys.get(entry.key_reference) if row.facts else None
        event = entry.open(_key_of(entry, key)).shown if key else None
        opened.append(Opened(row, event))
    return opened


def _key_of(entry: Entry, key: BodyKey) -> bytes:
    return derive_entry_key(key.key, entry.key_reference, entry.nonce)


def _receipt(row: Row, hashes: Sequence[bytes], keys: Mapping[bytes, BodyKey]) -> Receipt:
    entry = Entry.parse(row.data)
    key = keys.get(entry.key_reference) if row.facts else None
    if key is None:
        return Receipt(row.index, row.data, tuple(hashes))
    return Receipt.disclose(row.index, row.data, hashes, _key_of(entry, key))
