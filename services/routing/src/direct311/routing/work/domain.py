"""How a repeated update is recognized, and how many updates a job accepts."""

from dataclasses import dataclass, field

from direct311.routing.job import Job
from direct311.runtime.messaging.state import RecordState
from direct311.schemas import events as ev

HANDLED_UPDATES = 200
"""How many of a department's updates a job remembers, to recognize a repeated one."""
MOST_SAID = 2_000_000
"""The largest total size of a job's updates, in bytes: every follower of the request stores its
whole history in one document, of at most 16 MB."""
UPDATE_WEIGHS = 500
"""What an update adds to a document besides its note, in bytes."""


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


def weight(update: ev.DepartmentUpdate) -> int:
    """What an update adds to the history of its request, in bytes."""
    return UPDATE_WEIGHS + len(update.note.encode())


def has_room(job: Job, update: ev.DepartmentUpdate) -> bool:
    """Whether a job's history has room for one more update. An update without a note is still
    accepted when notes no longer are, so that the work can always be closed."""
    most = MOST_SAID if update.note else 2 * MOST_SAID
    return job.said + weight(update) <= most
