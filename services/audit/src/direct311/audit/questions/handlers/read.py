"""Entries, one by one and in pages, with their proofs, and bundles that verify offline."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass

from direct311.audit.entry import Filter
from direct311.audit.index.domain import Exempt
from direct311.audit.index.ports import Entries
from direct311.audit.index_row import IndexRow
from direct311.audit.log.handlers.files import LogFiles
from direct311.audit.log.handlers.log_keys import LogKeys
from direct311.audit.log.ports.log import Followed
from direct311.audit.log.ports.publication import NotPublishedError, Published
from direct311.audit.questions.domain.cursors import CursorError, cursor_of, index_of
from direct311.audit.questions.handlers.audited_query import (
    MOST_RECORDS_AN_EVENT,
    AuditedQuery,
    Opened,
    QueryContext,
    entry_key,
    event_of,
    is_withheld,
)
from direct311.audit.questions.ports import People
from direct311.runtime.clock import Clock
from direct311.runtime.errors import RefusedError
from direct311.verifier.bundle import Receipt, encode_bundle
from direct311.verifier.event import EventKey

MOST_IN_A_BUNDLE = 10_000


@dataclass(frozen=True, slots=True)
class Page:
    """`next`: the cursor of the page after this, `None` at the end. `access_event`: this call's own
    event. `withheld`: how many exempt entries match the question's records and time.
    """

    entries: Sequence[Opened]
    next: str | None
    size: int
    withheld: int
    access_event: str


@dataclass(frozen=True, slots=True)
class Proof:
    """Proof that an entry is included under a checkpoint (a signed note)."""

    row: IndexRow
    hashes: Sequence[bytes]
    checkpoint: str
    size: int


@dataclass(frozen=True, slots=True)
class Consistency:
    """Proof that the tree of `new` entries begins with the tree of `old` entries."""

    old: int
    new: int
    old_root: bytes
    new_root: bytes
    hashes: Sequence[bytes]
    checkpoint: str


class Reading:
    """The auditors' questions for entries."""

    def __init__(
        self,
        *,
        audited: AuditedQuery,
        log: Followed,
        entries: Entries,
        files: LogFiles,
        people: People,
        published: Published,
        log_keys: LogKeys,
        producers: Sequence[EventKey],
        clock: Clock,
    ) -> None:
        self._audited = audited
        self._log = log
        self._entries = entries
        self._files = files
        self._people = people
        self._published = published
        self._log_keys = log_keys
        self._producers = producers
        self._clock = clock

    async def page(
        self,
        context: QueryContext,
        query: Filter,
        *,
        limit: int,
        cursor: str | None = None,
        about: Sequence[str] = (),
    ) -> Page:
        """Matching entries, newest first; only those about one of the records `about` (a person's)
        if given.

        Cursors belong to `query` and the person, and stay valid when the person gets a new record.

        :raises RefusedError: for another question's cursor; and as `AuditedQuery.authorise`.
        """
        await self._audited.refuse_early(context, query)
        head = await self._log.head()
        wanted = query.about(about) if about else query
        floor, before = await self._audited.span(wanted, head)
        if cursor is not None:
            try:
                before = min(index_of(cursor, query, about), before)
            except CursorError:
                raise RefusedError(
                    "cursor_mismatch", "The cursor belongs to another query.", field="cursor"
                ) from None
        exempt = await self._audited.hidden_from(context)
        rows = await self._audited.newest(wanted, before, floor, limit + 1, exempt)
        shown = rows[:limit]
        withheld = await self._audited.withheld(wanted, floor, head.size, exempt)
        event_id, opened = await self._open(context, wanted, shown, exempt)
        following = cursor_of(query, shown[-1].index, about) if len(rows) > limit else None
        return Page(opened, following, head.size, withheld, event_id)

    async def person(
        self,
        context: QueryContext,
        person: Mapping[str, str],
        authorization: str,
        query: Filter,
        *,
        limit: int,
        cursor: str | None = None,
    ) -> tuple[Sequence[str], Page]:
        """The records of a person, and the entries about them.

        Intake resolves the person, which is the caller's access there.
        """
        await self._audited.refuse_early(context, query)
        resolved = await self._people.resolve(person, context.reference or "", authorization)
        records = query.among(resolved)
        if not records:
            event_id, _ = await self._open(context, query, [], None)
            return (), Page([], None, (await self._log.head()).size, 0, event_id)
        page = await self.page(context, query, limit=limit, cursor=cursor, about=records)
        return records, page

    async def one(self, context: QueryContext, event_id: str) -> tuple[Opened, Page]:
        """The entry of an event.

        :raises RefusedError: for none, and for one that is withheld, after that was written
            down too.
        """
        await self._audited.refuse_early(context, Filter())
        head = await self._log.head()
        exempt = await self._audited.hidden_from(context)
        row = await self._entries.by_event(event_id, head.size)
        rows = [row] if row and not is_withheld(row, exempt) else []
        records = rows[0].facts.record_ids if rows and rows[0].facts else ()
        query = Filter(record_ids=records[:MOST_RECORDS_AN_EVENT])
        access_event, opened = await self._open(context, query, rows, exempt)
        if not opened:
            raise _unknown()
        return opened[0], Page(opened, None, head.size, 0, access_event)

    async def proof(self, context: QueryContext, event_id: str) -> Proof:
        """The proof of an event's entry under the published checkpoint; nothing is opened.

        :raises RefusedError: there is no such entry.
        :raises NotPublishedError: the entry lies above it.
        """
        row = await self._entries.by_event(event_id, (await self._log.head()).size)
        if row is None or is_withheld(row, await self._audited.hidden_from(context)):
            raise _unknown()
        published = await self._published.covering(row.index + 1)
        head = published.head
        if row.index >= head.size:
            raise NotPublishedError
        hashes = (await self._files.inclusion([row.index], head))[row.index]
        return Proof(row, hashes, published.note, head.size)

    async def consistency(self, old: int, new: int | None) -> Consistency:
        """:raises RefusedError: the sizes are not those of the log as it is published."""
        published = await self._published.current()
        head = published.head
        new = head.size if new is None else new
        if not 0 <= old <= new <= head.size:
            raise RefusedError(
                "sizes",
                f"Sizes must be 0 ≤ old ≤ new ≤ {head.size}, which is the published size.",
                field="old",
            )
        return Consistency(
            old,
            new,
            await self._files.root(old, head),
            await self._files.root(new, head),
            await self._files.consistency(old, new, head),
            published.note,
        )

    async def bundle(
        self, context: QueryContext, query: Filter, about: Sequence[str] | None = None
    ) -> AsyncIterator[bytes]:
        """A file that verifies offline, piece by piece: all matching entries, oldest first; only
        those about one of the records `about` if given. Withheld entries are included sealed.

        It reaches to the published checkpoint that it contains. It waits for recently logged
        entries, and leaves them out if no quorum cosigns.

        :raises RefusedError: for more than `MOST_IN_A_BUNDLE`; and as `page`.
        """
        await self._audited.refuse_early(context, query)
        indexed = await self._log.complete()
        published = await self._published.covering(indexed.size)
        head = published.head
        exempt = await self._audited.hidden_from(context)
        if about is not None:
            query = query.about(about)
        # What was appended since may be published, and not indexed yet: it is left out.
        reached = head if head.size < indexed.size else indexed
        floor, before = await self._audited.span(query, reached)
        rows: list[IndexRow] = []
        if about is None or about:
            rows = await self._audited.newest(query, before, floor, MOST_IN_A_BUNDLE + 1, exempt)
        if len(rows) > MOST_IN_A_BUNDLE:
            # The fact that there are so many is also an answer.
            await self._audited.authorise(context, "log_read", query, len(rows), ())
            raise RefusedError(
                "too_many",
                f"More than {MOST_IN_A_BUNDLE} entries. Narrow the filter, for example by time.",
                field="filter",
            )
        hashes = await self._files.inclusion([row.index for row in rows], head)
        fields = await self._audited.fields_for(exempt, rows)
        event_id = await self._audited.authorise(context, "export", query, len(rows), fields)
        keys = await self._audited.keys(rows, event_id, exempt)

        def receipts() -> list[Receipt]:
            return [
                receipt_of(row, hashes[row.index], entry_key(row, keys, exempt))
                for row in reversed(rows)
            ]

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

    async def _open(
        self, context: QueryContext, query: Filter, rows: Sequence[IndexRow], exempt: Exempt | None
    ) -> tuple[str, list[Opened]]:
        fields = await self._audited.fields_for(exempt, rows)
        event_id = await self._audited.authorise(context, "log_read", query, len(rows), fields)
        return event_id, await self._audited.open(rows, event_id, exempt)


def _unknown() -> RefusedError:
    return RefusedError("not_found", "The log has no entry of this event.")


def receipt_of(row: IndexRow, hashes: Sequence[bytes], key: bytes | None) -> Receipt:
    """The receipt of a row: disclosed with its key, sealed without one."""
    if key is None or event_of(row, key) is None:
        return Receipt(row.index, row.data, tuple(hashes))
    return Receipt.disclose(row.index, row.data, hashes, key)
