"""Unusual volume of reading: one person who opens hundreds of records, or many who look up the same
person.

Counts are kept in memory. They are rebuilt from the log after a restart, and after another copy of
the service was watching, as far back as the longest window reaches and `MOST_REPLAYED` entries
allow. Rules and thresholds are data.

An entry counts at the time when it was logged, which never runs backwards. The time that its
service gives could be outside every window. So events that waited in the broker count as current:
there may be an alarm too many, but never one too few.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from direct311.audit.alarms.ports import Alarms
from direct311.audit.entry import Facts
from direct311.audit.index.ports import Entries
from direct311.audit.index_row import EntrySummary
from direct311.audit.monitoring.domain.volume import By, Counted, VolumeRule
from direct311.runtime.clock import Clock

MOST_REPLAYED = 200_000
"""The most entries that are read again."""


class _Count:
    """The values that one rule has seen for one subject: value → when it was last seen, oldest
    first."""

    __slots__ = ("raised_at", "values")

    def __init__(self) -> None:
        self.values: OrderedDict[str, datetime] = OrderedDict()
        self.raised_at: datetime | None = None

    def forget(self, before: datetime) -> None:
        while self.values and next(iter(self.values.values())) < before:
            self.values.popitem(last=False)


class Volume:
    """Watches volume. An `Observer`."""

    def __init__(
        self, rules: Iterable[VolumeRule], alarms: Alarms, entries: Entries, clock: Clock
    ) -> None:
        self._rules = tuple(rules)
        self._alarms = alarms
        self._entries = entries
        self._clock = clock
        self._counts: dict[str, OrderedDict[str, _Count]] = {
            rule.rule: OrderedDict() for rule in self._rules
        }
        self._next: int | None = None
        """The entry after those counted; `None` before the first."""

    async def see(self, summaries: Sequence[EntrySummary]) -> None:
        """Count these entries; raise an alarm for what is over its threshold."""
        if not summaries:
            return
        if summaries[0].index != self._next:
            await self._remember(summaries[0].index)
        for facts, at in _facts(summaries):
            for rule in self._rules:
                for subject, count in self._count(rule, facts, at):
                    await self._raise(rule, subject, count, facts, at)
        self._next = summaries[-1].index + 1
        self._forget()

    async def _remember(self, until: int) -> None:
        """Count earlier entries again, without raising any alarm again."""
        for counts in self._counts.values():
            counts.clear()
        longest = max((rule.window for rule in self._rules), default=timedelta())
        start = await self._entries.first_logged(self._clock.now() - longest, until)
        for low in range(max(start, until - MOST_REPLAYED), until, 2_000):
            for facts, at in _facts(await self._entries.summaries(low, min(low + 2_000, until))):
                for rule in self._rules:
                    for _, count in self._count(rule, facts, at):
                        if len(count.values) >= rule.alarm:
                            count.raised_at = at

    def _count(self, rule: VolumeRule, facts: Facts, at: datetime) -> Iterator[tuple[str, _Count]]:
        if (
            facts.action not in rule.actions
            or facts.outcome != rule.outcome
            or not set(rule.roles_but).isdisjoint(facts.roles)
        ):
            return
        counts = self._counts[rule.rule]
        for subject in _values(rule.by, facts):
            count = counts.setdefault(subject, _Count())
            counts.move_to_end(subject)
            for value in _counted(rule, facts):
                count.values[value] = at
                count.values.move_to_end(value)
            count.forget(at - rule.window)
            yield subject, count

    async def _raise(
        self, rule: VolumeRule, subject: str, count: _Count, facts: Facts, at: datetime
    ) -> None:
        if len(count.values) < rule.alarm:
            return
        if count.raised_at is not None and at - count.raised_at < rule.window:
            return
        # The alarm names a search by its event: the search's keyed hash stays in the log.
        about = facts.event_id if rule.by == "query" else subject
        detail = f"{rule.rule}: {rule.says}; {len(count.values)} within {rule.window}"
        await self._alarms.raise_alarm("unusual_volume", f"{about} {at:%Y-%m-%dT%H}", detail)
        count.raised_at = at

    def _forget(self) -> None:
        now = self._clock.now()
        for rule in self._rules:
            counts = self._counts[rule.rule]
            while counts:
                subject, count = next(iter(counts.items()))
                count.forget(now - rule.window)
                if count.values:
                    break
                del counts[subject]


def _facts(summaries: Sequence[EntrySummary]) -> Iterator[tuple[Facts, datetime]]:
    """The facts of entries, and when they were logged."""
    return ((each.facts, each.logged_at) for each in summaries if each.facts is not None)


def _counted(rule: VolumeRule, facts: Facts) -> tuple[str, ...]:
    """The values that an entry adds; an entry that stands for many events adds as many values, up
    to the rule's limit."""
    if rule.counts == "event" and facts.count > 1:
        return tuple(f"{facts.event_id}/{at}" for at in range(min(facts.count, rule.alarm)))
    return _values(rule.counts, facts)


def _values(what: By | Counted, facts: Facts) -> tuple[str, ...]:
    if what == "record":
        return facts.record_ids
    found = {
        "actor": facts.actor,
        "query": facts.query,
        "session": facts.session,
        "event": facts.event_id,
    }[what]
    return (found,) if found else ()
