"""The retention schedule, as tests query it."""

from collections.abc import Iterable, Mapping
from datetime import date

from direct311.retention.schedule.domain.clocks import Eligibility, components, longest
from direct311.retention.schedule.domain.schedule import Schedule, Trigger


def eligibility(
    items: Iterable[int], dates: Mapping[Trigger, date], schedule: Schedule
) -> Eligibility:
    """The eligibility of a request that is kept under these items.

    `dates` says when each kind of clock started for it.
    """
    return longest(components("request", items, dates, schedule), schedule.fiscal_year_begins)
