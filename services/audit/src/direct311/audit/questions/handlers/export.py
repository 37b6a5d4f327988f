"""All matching entries as a stream: exports for other systems, and who saw a person's data.

The number of entries is known and recorded before the first is opened. Then rows are read, opened
and sent a batch at a time under that one access event, so that any number of entries takes the same
memory. If the reader disconnects, the stream is closed at that point.
"""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from direct311.audit.entry import Filter
from direct311.audit.index.domain import Group
from direct311.audit.log.ports.log import Followed
from direct311.audit.questions.handlers.audited_query import AuditedQuery, Opened, QueryContext
from direct311.audit.questions.ports import People
from direct311.runtime.errors import RefusedError

Encode = Callable[[Sequence[Opened]], bytes]
"""A batch as bytes. Pure; it may be called in a thread."""


@dataclass(frozen=True, slots=True)
class ExportStream:
    """A stream in progress: the number of `entries` to come (including those shown as withheld),
    the number `withheld` for the question's records and time, and the `size` of the log it is taken
    from."""

    entries: int
    withheld: int
    size: int
    access_event: str
    batches: AsyncGenerator[Sequence[Opened], None]


@dataclass(frozen=True, slots=True)
class WhoSaw:
    """Who accessed a person's records: `actors` are groups by actor, department and purpose."""

    record_ids: Sequence[str]
    actors: Sequence[Group]
    export_stream: ExportStream


class Exporting:
    """Streams of entries."""

    def __init__(self, audited: AuditedQuery, log: Followed, people: People) -> None:
        self._audited = audited
        self._log = log
        self._people = people

    async def export(
        self,
        context: QueryContext,
        query: Filter,
        *,
        after: int | None = None,
        size: int | None = None,
    ) -> ExportStream:
        """All matching entries, oldest first.

        To resume an export that broke off, give the index of the last entry received (`after`) and
        the `size` that the first attempt named; this is a separate access.

        :raises RefusedError: `size` is not one of this log; and as `AuditedQuery.authorise`.
        """
        await self._audited.refuse_early(context, query)
        head = await self._log.head()
        if size is not None and size > head.size:
            raise RefusedError("size", f"The log has {head.size} entries.", field="size")
        floor, before = await self._audited.span(query, head)
        before = before if size is None else min(before, size)
        floor = floor if after is None else max(floor, after + 1)
        exempt = await self._audited.hidden_from(context)
        counted = await self._audited.count(query, floor, before, exempt)
        shown = counted.withheld if query == query.by_place_and_time else 0
        fields = await self._audited.fields_in(query, floor, before, exempt)
        total = counted.entries + shown
        event = await self._audited.authorise(context, "export", query, total, fields)

        async def batches() -> AsyncGenerator[Sequence[Opened], None]:
            # Closing this closes the reading below it at once.
            async with aclosing(self._audited.oldest(query, floor, before, exempt)) as found:
                async for rows in found:
                    yield await self._audited.open(rows, event, exempt)

        until = head.size if size is None else size
        return ExportStream(total, counted.withheld, until, event, batches())

    async def who_saw(
        self, context: QueryContext, person: Mapping[str, str], authorization: str, query: Filter
    ) -> WhoSaw:
        """Who saw this person's data, when, why and under which case: one call, one answer.

        :raises RefusedError: as `export`; intake's refusal to resolve the person.
        """
        records = await self.records_of(context, person, authorization, query)
        if not records:
            event = await self._audited.authorise(context, "export", query, 0)
            size = (await self._log.head()).size
            return WhoSaw((), (), ExportStream(0, 0, size, event, _nothing()))
        about = query.about(records)
        head = await self._log.head()
        floor, before = await self._audited.span(about, head)
        groups = await self._audited.groups(
            about,
            ("actor", "department", "purpose"),
            floor,
            before,
            await self._audited.hidden_from(context),
        )
        ordered = sorted(groups.values(), key=lambda group: (group.first, group.key[0] or ""))
        return WhoSaw(records, ordered, await self.export(context, about, size=head.size))

    async def records_of(
        self, context: QueryContext, person: Mapping[str, str], authorization: str, query: Filter
    ) -> Sequence[str]:
        """The person's records that `query` asks for, according to intake; that search is the
        caller's access there."""
        await self._audited.refuse_early(context, query)
        found = await self._people.resolve(person, context.reference or "", authorization)
        return query.among(found)


async def _nothing() -> AsyncGenerator[Sequence[Opened], None]:
    return
    yield
