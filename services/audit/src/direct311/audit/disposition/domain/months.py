"""How long entries about no record are kept: by the key of the month in which they were logged."""

import re
from collections.abc import Iterator
from datetime import date

from direct311.schemas import Model


class MonthKeyRules(Model, extra="forbid"):
    """The item of the schedule for entries about no record."""

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
        """The first day on which the key of the month that begins on `month` may go."""
        after = _next_month(month)
        return after.replace(year=after.year + self.anniversary_years)


def month_key_problems(rules: MonthKeyRules) -> Iterator[tuple[str, str, str]]:
    """What is wrong with a file of such rules, as entry, field and reason."""
    if rules.anniversary_years < 1:
        yield "", "anniversary_years", "is less than the item asks for"


def _next_month(month: date) -> date:
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)


def month_of(key: str) -> tuple[date, date] | None:
    """The first day of the month whose key this is, and that of the next; `None` for any other."""
    found = re.fullmatch(r"month:(\d{4})-(\d{2})", key)
    if found is None:
        return None
    month = date(int(found[1]), int(found[2]), 1)
    return month, _next_month(month)
