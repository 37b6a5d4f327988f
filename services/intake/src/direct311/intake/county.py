"""The county's days, which begin and end some hours after UTC's."""

from datetime import UTC, date, datetime, time
from functools import lru_cache
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("America/New_York")
CLOSES_AT = time(17)
"""The end of a working day: what is due on a day is expected by then."""


def day_of(at: datetime) -> date:
    """The day that an instant falls on in the county."""
    return at.astimezone(ZONE).date()


@lru_cache(maxsize=1024)
def close_of(day: date) -> datetime:
    """When a day's work ends there, in UTC; an hour later in UTC in winter."""
    return datetime.combine(day, CLOSES_AT, ZONE).astimezone(UTC)
