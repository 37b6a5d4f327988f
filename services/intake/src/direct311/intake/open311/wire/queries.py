"""The parameters of `GET /requests` (GeoReport v2, and the extensions that clients use)."""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from direct311.intake.jurisdiction import jurisdiction_problem
from direct311.intake.open311.domain import DEFAULT_PAGE, MOST_LEADS, RequestQuery
from direct311.intake.problems import Problem
from direct311.intake.request import CLOSED
from direct311.runtime.parameters import read_instant, read_number, read_whole
from direct311.schemas.events import RequestStatus

LONGEST_WINDOW = timedelta(days=90)
LARGEST_PAGE = 1000
MOST_PAGES = 1_000_000
ROWS_OF_A_READ = 100
TYPES_OF_A_READ = 5
LISTS = frozenset({"service_request_id", "service_code", "status"})
"""Parameters that are lists with commas, which may also be sent several times."""
_TIMES = ("start_date", "end_date", "updated_after", "updated_before")
OPEN: tuple[RequestStatus, ...] = (
    "received",
    "identity_required",
    "routed",
    "in_progress",
    "on_hold",
    "referred",
)


def read_query(parameters: Mapping[str, str], now: datetime) -> tuple[RequestQuery, list[Problem]]:
    """The query, and everything that is wrong with it. An empty parameter counts as not sent."""
    given = {name: value.strip() for name, value in parameters.items() if value.strip()}
    problems: list[Problem] = []
    jurisdiction = jurisdiction_problem(given.get("jurisdiction_id"))
    if jurisdiction:
        problems.append(jurisdiction)
    ids = _list(given.get("service_request_id"))
    if ids:
        return _of_ids(ids, given, problems)
    times = read_times(given, _TIMES, problems)
    start, end = times["start_date"], times["end_date"]
    after, before = times["updated_after"], times["updated_before"]
    if (start or end) is None and (after or before) is not None:
        # A client that asks what has changed recently wants old requests too.
        after, before = _window(after, before, now, ("updated_after", "updated_before"), problems)
    else:
        start, end = _window(start, end, now, ("start_date", "end_date"), problems)
    query = RequestQuery(
        start=start,
        end=end,
        service_codes=_list(given.get("service_code")),
        statuses=_statuses(given.get("status"), problems),
        updated_after=after,
        updated_before=before,
        bbox=_bbox(given.get("bbox"), problems),
        page=_count(given, "page", 1, MOST_PAGES, problems),
        page_size=_count(given, "page_size", DEFAULT_PAGE, LARGEST_PAGE, problems),
        extensions=wants_extensions(given),
    )
    return query, problems


def _of_ids(
    ids: tuple[str, ...], given: Mapping[str, str], problems: list[Problem]
) -> tuple[RequestQuery, list[Problem]]:
    """Ids override all filters, so filters cannot be wrong here; ids have pages too."""
    if len(ids) > LARGEST_PAGE:
        problems.append(
            Problem(400, "service_request_id", f"at most {LARGEST_PAGE} ids can be asked for")
        )
    page = _count(given, "page", 1, MOST_PAGES, problems)
    size = _count(given, "page_size", LARGEST_PAGE, LARGEST_PAGE, problems)
    query = RequestQuery(
        start=None,
        end=None,
        ids=ids,
        page=page,
        page_size=size,
        extensions=wants_extensions(given),
    )
    return query, problems


def charge_of(rows: int) -> int:
    """How many reads an answer with this many rows counts as: one for each hundred."""
    return max(1, math.ceil(rows / ROWS_OF_A_READ))


def charge_of_list(parameters: Mapping[str, str]) -> int:
    """How many reads a page counts as: by the rows that are asked for, times one for each five
    types that are named, because each type's rows are read before the page's rows are chosen. An
    invalid page size has no rows."""
    given = {name: value.strip() for name, value in parameters.items() if value.strip()}
    wrong: list[Problem] = []
    if ids := _list(given.get("service_request_id")):
        size = _count(given, "page_size", LARGEST_PAGE, LARGEST_PAGE, wrong)
        return charge_of(min(len(ids), size))
    size = _count(given, "page_size", DEFAULT_PAGE, LARGEST_PAGE, wrong)
    return charge_of(size) * _charge_of_types(given.get("service_code"))


def charge_of_feed(limit: str | None, usual: int, codes: str | None = None) -> int:
    """How many reads a feed counts as: for each five types that are named, as with a list. `usual`:
    its rows if no limit is sent."""
    # The endpoint may understand a number that this does not.
    rows = LARGEST_PAGE
    if limit is None:
        rows = usual
    elif (whole := read_whole(limit)) is not None:
        rows = min(whole, LARGEST_PAGE)
    return charge_of(rows) * _charge_of_types(codes)


def _charge_of_types(codes: str | None) -> int:
    return max(1, math.ceil(min(len(_list(codes)), MOST_LEADS) / TYPES_OF_A_READ))


def wants_extensions(given: Mapping[str, str]) -> bool:
    """Whether the answer may contain more than GeoReport v2 defines."""
    return given.get("extensions", "").strip().lower() in ("true", "1", "v1")


def read_times(
    given: Mapping[str, str], names: Sequence[str], problems: list[Problem]
) -> dict[str, datetime | None]:
    """These parameters as times; `None` if not sent or not a time."""
    return {name: _instant(given, name, problems) for name in names}


def _instant(given: Mapping[str, str], name: str, problems: list[Problem]) -> datetime | None:
    if name not in given:
        return None
    at = read_instant(given[name])
    if at is None:
        problems.append(Problem(400, name, f"{name} must be a time such as 2026-01-31T12:00:00Z"))
    return at


def _window(
    start: datetime | None,
    end: datetime | None,
    now: datetime,
    names: tuple[str, str],
    problems: list[Problem],
) -> tuple[datetime, datetime]:
    """The whole window, which is 90 days long if one end is missing; `names` are those of its
    ends."""
    if start is None:
        end = end or now
        return end - LONGEST_WINDOW, end
    end = end or max(start, min(now, start + LONGEST_WINDOW))
    if end < start:
        problems.append(Problem(400, names[1], f"{names[1]} must not be before {names[0]}"))
    elif end - start > LONGEST_WINDOW:
        problems.append(
            Problem(400, names[0], f"{names[0]} and {names[1]} may be at most 90 days apart")
        )
    return start, end


def _list(text: str | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part.strip() for part in (text or "").split(",") if part.strip()))


def _statuses(text: str | None, problems: list[Problem]) -> tuple[RequestStatus, ...]:
    wanted = {part.lower() for part in _list(text)}
    if wanted - {"open", "closed"}:
        problems.append(Problem(400, "status", "status must be open, closed, or both"))
    if len(wanted) != 1:
        return ()
    return OPEN if wanted == {"open"} else tuple(sorted(CLOSED))


def _bbox(text: str | None, problems: list[Problem]) -> tuple[float, float, float, float] | None:
    if text is None:
        return None
    try:
        west, south, east, north = (read_number(part) for part in text.split(","))
    except ValueError:
        west = south = east = north = math.nan
    if not (-180 <= west <= east <= 180 and -90 <= south <= north <= 90):
        problems.append(Problem(400, "bbox", "bbox must be west,south,east,north in degrees"))
        return None
    return west, south, east, north


def _count(
    given: Mapping[str, str], name: str, default: int, most: int, problems: list[Problem]
) -> int:
    text = given.get(name)
    if text is None:
        return default
    found = read_whole(text)
    if found is None or not 1 <= found <= most:
        problems.append(Problem(400, name, f"{name} must be a whole number from 1 to {most}"))
        return default
    return found
