"""Times, days, numbers and cursors as callers send them: every API reads them here.

A calendar has ends, and so do the types of databases. Adding or subtracting days and changing time
zones fails at those ends, so nothing outside these bounds is accepted. A limit of a query is moved
to the nearest bound, which has the same meaning, because there is nothing beyond it. A value that
would be stored is refused, and so is anything that is not a time, day, number or cursor at all. The
answer names the field and repeats nothing.
"""

import base64
import binascii
import math
import re
from datetime import UTC, date, datetime
from typing import Annotated

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

from direct311.runtime.errors import RefusedError
from direct311.schemas import Instant, OnDate

FIRST = datetime(1900, 1, 1, tzinfo=UTC)
LAST = datetime(9000, 1, 1, tzinfo=UTC)
"""No record is older than this, and none is kept longer."""
BETWEEN = "The year must be from 1900 to 8999."

MOST_DIGITS = 18
"""The most digits in a whole number: more would not fit into 64 bits."""
_WHOLE = re.compile(rf"[0-9]{{1,{MOST_DIGITS}}}")
# float() also accepts 1_000, digits of other scripts, inf and nan.
_DECIMAL = re.compile(
    r"[+-]?(?:[0-9]{1,20}(?:\.[0-9]{0,20})?|\.[0-9]{1,20})(?:[eE][+-]?[0-9]{1,3})?"
)


def _near(at: datetime) -> datetime:
    return min(max(at, FIRST), LAST)


def _near_day(day: date) -> date:
    return min(max(day, FIRST.date()), LAST.date())


def _kept(at: datetime) -> datetime:
    if _near(at) != at:
        raise PydanticCustomError("out_of_range", BETWEEN)
    return at


def _kept_day(day: date) -> date:
    if _near_day(day) != day:
        raise PydanticCustomError("out_of_range", BETWEEN)
    return day


AskedInstant = Annotated[Instant, AfterValidator(_near)]
"""An end of the period in a query."""
AskedDay = Annotated[OnDate, AfterValidator(_near_day)]
GivenInstant = Annotated[Instant, AfterValidator(_kept)]
"""A time to be stored."""
GivenDay = Annotated[OnDate, AfterValidator(_kept_day)]


def in_order(since: datetime | None, until: datetime | None, *, inclusive: bool = True) -> None:
    """A query about an empty period would get an empty answer, as if nothing had happened; a hold
    on it would be in force and hold nothing.

    :param inclusive: whether the period includes `until`. If it does not, a period whose ends are
        equal is empty too.
    :raises ValueError: `until` is before `since`.
    """
    if since is None or until is None:
        return
    if until < since:
        raise PydanticCustomError("invalid", "until must not be before since.")
    if until == since and not inclusive:
        raise PydanticCustomError("invalid", "until must be after since.")


def read_instant(text: str) -> datetime | None:
    """An ISO 8601 time: with `Z`, an offset, fractions, or no zone, which means UTC. `None` for
    anything else, or if out of bounds."""
    text = text.strip()
    # An unescaped plus sign arrives as a space.
    for candidate in (text, "+".join(text.rsplit(" ", 1))):
        try:
            at = datetime.fromisoformat(candidate)
            at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
        except (ValueError, OverflowError):
            continue
        return at if _near(at) == at else None
    return None


def read_number(text: str) -> float:
    """A decimal number in ASCII; anything else becomes NaN, which is in no range."""
    return float(text) if _DECIMAL.fullmatch(text.strip()) else math.nan


def read_whole(text: str) -> int | None:
    """A whole number of at most `MOST_DIGITS` ASCII digits; `None` for anything else."""
    return int(text) if _WHOLE.fullmatch(text) else None


def cursor_of(day: date, record_id: str) -> str:
    """The cursor for the end of a page that is sorted by day and record."""
    return base64.urlsafe_b64encode(f"{day}|{record_id}".encode()).decode().rstrip("=")


_PLACE = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})\|([A-Za-z0-9_-]{1,64})")


def read_cursor(cursor: str) -> tuple[date, str]:
    """Reads a cursor that `cursor_of` made.

    :raises RefusedError: it is not one of our cursors.
    """
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        found = _PLACE.fullmatch(base64.b64decode(padded, b"-_", validate=True).decode("ascii"))
        if found is not None:
            return _near_day(date.fromisoformat(found[1])), found[2]
    except (binascii.Error, ValueError):
        pass
    raise RefusedError(
        "cursor", "Send back the `next` of the previous page, unchanged.", field="cursor"
    )
