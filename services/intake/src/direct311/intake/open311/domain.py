"""What may be asked of the public lists, and what each question counts as."""

from dataclasses import dataclass
from datetime import datetime

from direct311.schemas.events import RequestStatus

Box = tuple[float, float, float, float]
"""West, south, east, north, in degrees."""
DEFAULT_PAGE = 50
MOST_LEADS = 36
"""Types that are each read by themselves; more are filtered out of all."""


@dataclass(frozen=True, slots=True)
class RequestQuery:
    """What is asked for. `ids` overrides all filters. `bbox`: west, south, east, north (degrees).

    `statuses` are extended ones; `page` counts from 1. Times are inclusive for `start` and `end`,
    exclusive for `updated_after` and `updated_before`. Without ids either `start` and `end` are set
    or both of the others, at most 90 days apart, so that one of the two bounds the search.
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
