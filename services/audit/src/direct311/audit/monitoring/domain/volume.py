"""What volume of reading is unusual: the rules, as data."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Literal

from direct311.schemas import Model
from direct311.schemas import events as ev

By = Literal["actor", "record", "query", "session"]
Counted = Literal["actor", "record", "query", "event"]


class VolumeRule(Model, extra="forbid"):
    """One rule; see the file. `window` is an ISO 8601 duration."""

    rule: str
    says: str
    by: By
    counts: Counted
    actions: tuple[ev.AccessAction, ...]
    outcome: ev.AccessOutcome
    roles_but: tuple[str, ...] = ()
    window: timedelta
    alarm: int


class VolumeRules(Model, extra="forbid"):
    """The whole file."""

    volume: str
    version: str
    citation: str
    effective_from: date
    rules: tuple[VolumeRule, ...]


def volume_problems(rules: VolumeRules) -> Iterator[tuple[str, str, str]]:
    """What is wrong with a file of rules: entry, field and reason."""
    seen: set[str] = set()
    for rule in rules.rules:
        if rule.rule in seen:
            yield rule.rule, "rules", "named more than once"
        seen.add(rule.rule)
        if rule.by == rule.counts:
            yield rule.rule, "counts", "the same as by: there would always be only one"
        if rule.alarm < 2:
            yield rule.rule, "alarm", "2 or more"
        if not timedelta(minutes=1) <= rule.window <= timedelta(days=7):
            yield rule.rule, "window", "between a minute and a week"
