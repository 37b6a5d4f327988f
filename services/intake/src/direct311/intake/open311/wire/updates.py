"""Service request updates, which mySociety added to GeoReport v2.

The format is what FixMyStreet (`Open311.pm` and `UpdatesBase.pm`) and open311-adapter
(`Open311::Endpoint::Role::mySociety`) send and read.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from direct311.intake.catalogue.domain.types import ServiceType
from direct311.intake.fields import CONTACT_LIMITS, LONGEST_DESCRIPTION, text_wrong
from direct311.intake.jurisdiction import jurisdiction_problem
from direct311.intake.open311.wire.problems import problem
from direct311.intake.open311.wire.queries import LONGEST_WINDOW, read_times
from direct311.intake.open311.wire.render import Tree, instant
from direct311.intake.problems import Problem
from direct311.intake.request import BY_RESIDENTS
from direct311.intake.submission.api.forms import is_repeated, media_urls, sent
from direct311.intake.submission.api.texts import with_line_ends
from direct311.intake.submission.domain.wrong import Field, Wrong
from direct311.intake.submission.handlers.check import media_urls_wrong
from direct311.intake.updates import Comment, Update
from direct311.runtime.parameters import read_instant
from direct311.schemas.events import RequestStatus

USUAL_WINDOW = timedelta(days=1)
_SECOND = timedelta(seconds=1)
_ID = re.compile(r"[A-Za-z0-9_-]{1,200}")
_KEY = re.compile(r"[\x21-\x7e]{1,200}")

STATUSES = frozenset(
    {
        "OPEN",
        "CLOSED",
        "FIXED",
        "IN_PROGRESS",
        "PLANNED",
        "ACTION_SCHEDULED",
        "INVESTIGATING",
        "DUPLICATE",
        "NOT_COUNCILS_RESPONSIBILITY",
        "NO_FURTHER_ACTION",
        "INTERNAL_REFERRAL",
        "REOPEN",
        "FOR_TRIAGE",
    }
)
"""The statuses that a client may send, in mySociety's words."""

_SHOWN: Mapping[RequestStatus, str] = {
    "received": "OPEN",
    "identity_required": "OPEN",
    "routed": "OPEN",
    "in_progress": "IN_PROGRESS",
    "on_hold": "OPEN",
    "referred": "INTERNAL_REFERRAL",
    "duplicate": "DUPLICATE",
    "fixed": "FIXED",
    "closed": "CLOSED",
    "closed_unfounded": "NO_FURTHER_ACTION",
    "withdrawn": "CLOSED",
}


@dataclass(frozen=True, slots=True)
class Window:
    """Updates written at or after `since` and before `until`; both are whole seconds."""

    since: datetime
    until: datetime


def read_window(parameters: Mapping[str, str], now: datetime) -> tuple[Window, list[Problem]]:
    """The window that is asked for, and everything that is wrong with it.

    An update is in the window if its time, as written in the answer, is strictly between the two
    dates: a client that compares them as strings gets the same result. Without a start, the window
    is the last day; without an end, it reaches to now.
    """
    given = {name: value.strip() for name, value in parameters.items() if value.strip()}
    problems: list[Problem] = []
    if (jurisdiction := jurisdiction_problem(given.get("jurisdiction_id"))) is not None:
        problems.append(jurisdiction)
    times = read_times(given, ("start_date", "end_date"), problems)
    start, end = times["start_date"], times["end_date"]
    if start is not None and end is None:
        end = min(max(now, start) + _SECOND, start + LONGEST_WINDOW)
    end = end or now + _SECOND
    start = start or end - USUAL_WINDOW
    if end < start:
        problems.append(Problem(400, "end_date", "end_date must not be before start_date"))
    elif end - start > LONGEST_WINDOW:
        problems.append(
            Problem(400, "start_date", "start_date and end_date may be at most 90 days apart")
        )
    whole_end = end.replace(microsecond=0)
    return (
        Window(
            start.replace(microsecond=0) + _SECOND,
            whole_end if whole_end == end else whole_end + _SECOND,
        ),
        problems,
    )


def read_comment(pairs: Sequence[tuple[str, str]]) -> tuple[Comment | None, list[Problem]]:
    """A posted update, and everything that is wrong with it.

    Problems name fields, never values. Contact data are ignored, because the sender of an update
    need not be the request's reporter.
    """
    problems: list[Problem] = []
    given = sent(pairs)

    def single(name: str) -> str | None:
        values = given.get(name)
        if values is None:
            return None
        if is_repeated(values):
            problems.append(Problem(400, name, f"{name} may be sent once"))
        return values[0].strip()

    if (jurisdiction := jurisdiction_problem(single("jurisdiction_id"))) is not None:
        problems.append(jurisdiction)
    required = {name: single(name) or "" for name in ("service_request_id", "update_id", "status")}
    problems += [
        Problem(400, name, f"{name} is required") for name, value in required.items() if not value
    ]
    record_id, key, said = required.values()
    if record_id and not _ID.fullmatch(record_id):
        problems.append(Problem(404, "service_request_id", "service_request_id is not known"))
    if key and not _KEY.fullmatch(key):
        problems.append(Problem(400, "update_id", "update_id may have 200 printable characters"))
    if said and said not in STATUSES:
        words = ", ".join(sorted(STATUSES))
        problems.append(Problem(400, "status", f"status must be one of {words}"))
    told = single("updated_datetime")
    if told is not None and read_instant(told) is None:
        problems.append(
            Problem(
                400,
                "updated_datetime",
                "updated_datetime must be a time such as 2026-01-31T12:00:00Z",
            )
        )
    text = with_line_ends(single("description") or "")
    if wrong := text_wrong(text):
        problems.append(problem(Wrong(wrong, Field("description"), LONGEST_DESCRIPTION)))
    urls = media_urls(given)
    problems += map(problem, media_urls_wrong(urls))
    if problems:
        return None, problems
    left_out = not CONTACT_LIMITS.keys().isdisjoint(given)
    return Comment(record_id, key, said, text, urls, left_out), []


def update(each: Update, type_: ServiceType | None) -> Tree:
    """An entry in the list. A resident's text shows only for a type whose text is public."""
    note = each.note
    extras: dict[str, str] = {"kind": note.kind, "extended_status": each.status}
    if note.kind == "comment" and note.said:
        extras["client_status"] = note.said
    return {
        "update_id": each.update_id,
        "service_request_id": each.record_id,
        "status": _SHOWN[each.status],
        "updated_datetime": instant(note.at),
        "description": (note.text or None) if shows_text(note.kind, type_) else None,
        "media_url": None,
        "extras": extras,
    }


def shows_text(kind: str, type_: ServiceType | None) -> bool:
    """Whether a note's text is public: a department's always is, a resident's if the type says
    so."""
    return kind not in BY_RESIDENTS or (type_ is not None and type_.flags.publish_text)


def accepted_update(update_id: str, notice: str | None) -> Sequence[Tree]:
    """The answer to a posted update. The list shows the update under this id. `notice`: what the
    sender must be told."""
    return [{"update_id": update_id, "service_notice": notice, "account_id": None}]
