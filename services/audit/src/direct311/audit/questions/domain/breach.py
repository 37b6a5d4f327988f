"""The law of notice after a breach of security (section 501.171, F.S.), as data."""

from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta

from direct311.schemas import Model


class Extension(Model, extra="forbid"):
    """Days that may be added on a condition. `verify`: not yet checked in a primary source, and so
    disabled."""

    days: int
    condition: str
    verify: bool = False
    enabled: bool = True


class Notice(Model, extra="forbid"):
    """Who must be notified if at least `at_least` individuals are affected, and within how many
    `days`."""

    notice: str
    to: str
    at_least: int
    days: int | None = None
    extension: Extension | None = None
    note: str = ""

    def due_on(self, determined_on: date) -> date | None:
        return None if self.days is None else determined_on + timedelta(days=self.days)


class BreachRules(Model, extra="forbid"):
    """The law of notice after a breach, as data."""

    breach: str
    version: str
    citation: str
    effective_from: date
    effective_until: date | None = None
    notices: tuple[Notice, ...]


def breach_problems(rules: BreachRules) -> Iterator[tuple[str, str, str]]:
    """What is wrong with a file of breach rules: entry, field and reason."""
    for notice, times in Counter(each.notice for each in rules.notices).items():
        if times > 1:
            yield notice, "notice", "named more than once"
    for each in rules.notices:
        if each.at_least < 1:
            yield each.notice, "at_least", "is less than one person"
        if (each.days or 0) < 0 or (each.extension and each.extension.days < 1):
            yield each.notice, "days", "is too few"
        if each.extension and each.extension.verify and each.extension.enabled:
            yield each.notice, "extension", "an item that is not verified must be disabled"
