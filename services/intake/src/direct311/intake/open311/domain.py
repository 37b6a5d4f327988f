"""What clients may ask of the public lists, and how many reads each query counts as."""

from dataclasses import dataclass
from datetime import datetime

from direct311.schemas.events import RequestStatus

Box = tuple[float, float, float, float]
"""West, south, east, north, in degrees."""
DEFAULT_PAGE = 50
MOST_LEADS = 36
"""Up to this many types are each read separately; for more, all rows are read and filtered."""


@dataclass(frozen=True, slots=True)
class RequestQuery:
    """A query.

    `ids` overrides all filters. `bbox`: west, south, east, north (degrees). `statuses` are extended
    ones; `page` counts from 1. Times are inclusive for `start` and `end`, exclusive for
    `updated_after` and `updated_before`. Without ids, either `start` and `end` or both of the
    others are set, at most 90 days apart, so that the search always has a limit.
    """

    start: datetime | None
    end: datetime | None
    ids: tuple[str, ...] = ()
    service_codes: tuple[str, ...] = ()
    statuses: tuple[RequestStatus, ...] = ()
    updated_after: datetime | None = None
    updated_before: datetime | None = None
    bbox: tuple[float, float, float, float] | None = None
    page: int = 1
    page_size: int = DEFAULT_PAGE
    extensions: bool = False
