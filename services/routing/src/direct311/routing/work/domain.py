"""How a repeated update is recognized, which times it may state, and how many updates a job
accepts."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from direct311.routing.job import Delivery, Job
from direct311.runtime.messaging.state import RecordState
from direct311.schemas import Instant
from direct311.schemas import events as ev

HANDLED_UPDATES = 200
"""How many of a department's updates a job remembers, to recognize a repeated one."""
MOST_SAID = 2_000_000
"""The largest total size of a job's updates, in bytes: every follower of the request stores its
whole history in one document, of at most 16 MB."""
UPDATE_WEIGHS = 500
"""What an update adds to a document besides its note, in bytes."""

ANSWERS_KEPT = 50
"""How many answers a job keeps, for departments that ask over HTTP and repeat an update."""
CLOCKS_APART = timedelta(hours=1)
"""How far a department's clock may be ahead. A time within this counts as now."""
LONGEST_BEFORE = timedelta(days=366)
"""How long before a report arrived its work may have been done."""
LONGEST_AHEAD = timedelta(days=731)
"""How far ahead work may be scheduled."""

DeliveryState = Literal["sent", "acknowledged", "late", "refused", "recalled"]
"""Where a job is with a department: sent to it, acknowledged by it, not acknowledged in time,
refused as the wrong department's, or recalled before it was acknowledged."""


def delivery_state(delivery: Delivery, now: datetime, within: timedelta) -> DeliveryState:
    """The state of one delivery. `within`: how long a department may take to acknowledge it."""
    if delivery.refused_at is not None:
        return "refused"
    if delivery.acknowledged_at is not None:
        return "acknowledged"
    if delivery.ended:
        return "recalled"
    return "late" if now - delivery.sent_at > within else "sent"


def unacknowledged_since(job: Job) -> Instant | None:
    """Since when an open job waits for its department's first update."""
    known = job.known_deliveries
    if not known or job.department is None or job.status != "routed" or job.lifecycle != "active":
        return None
    last = known[-1]
    waits = last.department == job.department and last.acknowledged_at is None and not last.ended
    return last.sent_at if waits else None


AnyUpdate = ev.DepartmentUpdate | ev.DepartmentUpdateV2


@dataclass(frozen=True, slots=True)
class Refused:
    """Why an update is refused: a stable code, a sentence, the field that is wrong, and the steps
    that would be accepted. Nothing of it repeats the update."""

    code: str
    reason: str
    field: str | None = None
    allowed: tuple[str, ...] = ()


def assignment_problem(job: Job, update: AnyUpdate) -> Refused | None:
    """Why this department has nothing to say about the job."""
    if job.department is None:
        return Refused("not_assigned", "No department has this request at present.")
    if job.department != update.department:
        return Refused("wrong_department", "Another department has this request.")
    return None


def time_problem(job: Job, update: AnyUpdate, now: datetime) -> Refused | None:
    """What is wrong with the time at which it happened."""
    received = job.asked.received_at if job.asked else now
    if received - LONGEST_BEFORE <= update.occurred_at <= now + CLOCKS_APART:
        return None
    return Refused(
        "malformed",
        f"occurred_at must lie at most {LONGEST_BEFORE.days} days before the request came "
        "and not in the future.",
        "occurred_at",
    )


def can_be_another(job: Job, record_id: str) -> bool:
    """Whether this can be the id of another request: it has our format, and is not the job's
    own."""
    try:
        return str(UUID(record_id)) == record_id != job.record_id
    except ValueError:
        return False


NOT_ANOTHER = Refused(
    "malformed", "duplicate_of must be the id of another request.", "duplicate_of"
)
NO_ROOM = Refused(
    "malformed", "The request has all the notes that it takes: send it without one.", "note"
)


def update_key(department: str, update_id: str) -> str:
    """The key of a remembered update: each department chooses its own ids."""
    return f"{department}-{update_id}"


@dataclass(frozen=True, slots=True)
class OriginalNote:
    """A note in the department's own words, which routing passes on and does not keep."""

    record_id: str
    department: str
    update_id: str
    text: str = field(repr=False)


class NoteRefusedError(Exception):
    """A note cannot be sealed, so its update is refused. `code` and `reason` are what the
    department is told."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(code)
        self.code = code
        self.reason = reason


class Refusal(RecordState):
    """An update that no job could accept, by its key; stored so that its answer is published
    exactly once."""


def weight(update: AnyUpdate) -> int:
    """What an update adds to the history of its request, in bytes."""
    return UPDATE_WEIGHS + len(update.note.encode())


def has_room(job: Job, update: AnyUpdate) -> bool:
    """Whether a job's history has room for one more update. An update without a note is still
    accepted when notes no longer are, so that the work can always be closed."""
    most = MOST_SAID if update.note else 2 * MOST_SAID
    return job.said + weight(update) <= most
