"""Counts, groups, timelines and comparisons. They come from the query index: nothing is opened, but
each is still an event of the log."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from direct311.audit.entry import Filter
from direct311.audit.index.domain import Dimension, Group
from direct311.audit.log.ports.log import Followed
from direct311.audit.questions.handlers.audited_query import AuditedQuery, QueryContext
from direct311.audit.questions.ports import People

Unit = Literal["day", "hour"]


@dataclass(frozen=True, slots=True)
class Tally:
    """Groups, largest first. `entries` is the number of matching entries; an entry about several
    records counts in several groups by record. `times`: how many times they stand for, since one
    entry reports many identical refusals. `groups` shows some of all `of` groups.
    """

    entries: int
    times: int
    withheld: int
    groups: Sequence[Group]
    of: int
    access_event: str


@dataclass(frozen=True, slots=True)
class Bucket:
    """One day or hour (UTC): how many entries, how many times they stand for, when the first and
    last were; by whom (actor → times)."""

    at: str
    count: int
    times: int
    first: datetime
    last: datetime
    by: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Timeline:
    record_ids: Sequence[str]
    entries: int
    withheld: int
    buckets: Sequence[Bucket]
    access_event: str


@dataclass(frozen=True, slots=True)
class Difference:
    """A group in two periods, in times. `change` is `after` less `before`."""

    key: tuple[str | None, ...]
    before: int
    after: int

    @property
    def change(self) -> int:
        return self.after - self.before


@dataclass(frozen=True, slots=True)
class Comparison:
    """The groups of two periods, counted in times (one entry may report many); the largest changes
    come first."""

    before: int
    after: int
    withheld_before: int
    withheld_after: int
    groups: Sequence[Difference]
    of: int
    access_event: str


class Counting:
    """The auditors' questions for numbers."""

    def __init__(self, audited: AuditedQuery, log: Followed, people: People) -> None:
        self._audited = audited
        self._log = log
        self._people = people

    async def tally(
        self, context: QueryContext, query: Filter, by: Sequence[Dimension], limit: int
    ) -> Tally:
        """Entries counted by up to two dimensions.

        :raises RefusedError: as `AuditedQuery.authorise`.
        """
        await self._audited.refuse_early(context, query)
        head = await self._log.head()
        floor, before = await self._audited.span(query, head)
        exempt = await self._audited.hidden_from(context)
        counted = await self._audited.count(query, floor, before, exempt)
        groups = (await self._audited.groups(query, by, floor, before, exempt)) if by else {}
        ordered = sorted(groups.values(), key=lambda group: (-group.times, _spelt(group.key)))
        times = counted.entries + await self._audited.further(query, floor, before, exempt)
        event = await self._audited.authorise(context, "log_read", query, counted.entries, ())
        return Tally(counted.entries, times, counted.withheld, ordered[:limit], len(ordered), event)

    async def timeline(
        self,
        context: QueryContext,
        query: Filter,
        unit: Unit,
        *,
        person: Mapping[str, str] | None = None,
        authorization: str = "",
    ) -> Timeline:
        """When a record, or all of a person's records, was accessed, and by whom; in order of time.

        :raises RefusedError: as `AuditedQuery.authorise`; intake's refusal to resolve the person.
        """
        await self._audited.refuse_early(context, query)
        if person is not None:
            resolved = await self._people.resolve(person, context.reference or "", authorization)
            found = query.among(resolved)
            query = query.about(found)
            if not found:
                event = await self._audited.authorise(context, "log_read", query, 0, ())
                return Timeline((), 0, 0, (), event)
        head = await self._log.head()
        floor, before = await self._audited.span(query, head)
        exempt = await self._audited.hidden_from(context)
        groups = await self._audited.groups(query, (unit, "actor"), floor, before, exempt)
        withheld = await self._audited.withheld(query, floor, before, exempt)
        total = sum(group.count for group in groups.values())
        event = await self._audited.authorise(context, "log_read", query, total, ())
        return Timeline(query.record_ids, total, withheld, _buckets(groups.values()), event)

    async def compare(
        self,
        context: QueryContext,
        query: Filter,
        by: Sequence[Dimension],
        earlier: tuple[datetime, datetime],
        later: tuple[datetime, datetime],
        limit: int,
    ) -> Comparison:
        """The same groups in two periods (both ends of each included)."""
        await self._audited.refuse_early(context, query)
        head = await self._log.head()
        exempt = await self._audited.hidden_from(context)
        counts: list[Counter[tuple[str | None, ...]]] = []
        withheld = []
        for since, until in (earlier, later):
            within = query.within(since, until)
            floor, before = await self._audited.span(within, head)
            groups = await self._audited.groups(within, by, floor, before, exempt)
            counts.append(Counter({key: group.times for key, group in groups.items()}))
            withheld.append(await self._audited.withheld(within, floor, before, exempt))
        first, second = counts
        found = [Difference(key, first[key], second[key]) for key in first.keys() | second.keys()]
        found.sort(key=lambda each: (-abs(each.change), _spelt(each.key)))
        totals = first.total(), second.total()
        event = await self._audited.authorise(context, "log_read", query, sum(totals), ())
        return Comparison(
            before=totals[0],
            after=totals[1],
            withheld_before=withheld[0],
            withheld_after=withheld[1],
            groups=found[:limit],
            of=len(found),
            access_event=event,
        )


def _spelt(key: tuple[str | None, ...]) -> tuple[str, ...]:
    return tuple(part or "" for part in key)


def _buckets(groups: Iterable[Group]) -> list[Bucket]:
    found: dict[str, list[Group]] = {}
    for group in groups:
        found.setdefault(group.key[0] or "", []).append(group)
    return [
        Bucket(
            at,
            sum(group.count for group in parts),
            sum(group.times for group in parts),
            min(group.first for group in parts),
            max(group.last for group in parts),
            {group.key[1] or "": group.times for group in sorted(parts, key=lambda g: -g.times)},
        )
        for at, parts in sorted(found.items())
    ]
