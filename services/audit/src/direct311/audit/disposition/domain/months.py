"""How long entries without a record are kept: as long as the key of the month in which they were
logged."""

import re
from collections.abc import Iterator
from datetime import date

from direct311.schemas import Model


class MonthKeyRules(Model, extra="forbid"):
    """The schedule's item for entries without a record."""

    month_keys: str
    version: str
    citation: str
    effective_from: date
    effective_until: date | None = None
    schedule: str
    item: int
    title: str
    worded: str
    anniversary_years: int

    def due_on(self, month: date) -> date:
        """The first day on which the key of the month that begins on `month` may be destroyed."""
        after = _next_month(month)
        return after.replace(year=after.year + self.anniversary_years)


def month_key_problems(rules: MonthKeyRules) -> Iterator[tuple[str, str, str]]:
    """What is wrong with a file of these rules: entry, field and reason."""
    if rules.anniversary_years < 1:
        yield "", "anniversary_years", "is less than the item requires"


def _next_month(month: date) -> date:
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)


def month_of(key: str) -> tuple[date, date] | None:
    """The first day of this key's month, and of the next month; `None` for any other key."""
    found = re.fullmatch(r"month:(\d{4})-(\d{2})", key)
    if found is None:
        return None
    month = date(int(found[1]), int(found[2]), 1)
    return month, _next_month(month)
