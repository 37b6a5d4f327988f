"""How a department's update is known again, and how much of them a job takes."""

from direct311.routing.job import Job
from direct311.runtime.messaging.state import RecordState
from direct311.schemas import events as ev

HANDLED_UPDATES = 200
"""How many of a department's updates a job remembers, to know a repeated one."""
MOST_SAID = 2_000_000
"""How much the updates of one job may weigh in all, in bytes: everybody who follows the request
keeps its whole history in one document, and such a one has 16 MB at most."""
UPDATE_WEIGHS = 500
"""What an update adds to a document beside its note, in bytes."""


def update_key(department: str, update_id: str) -> str:
    """What an update is remembered by: ids are made up by departments, each for itself."""
    return f"{department}-{update_id}"


class Refusal(RecordState):
    """An update that no job could take, by its key; kept so that its answer is published exactly
    once."""


def weight(update: ev.DepartmentUpdate) -> int:
    """What an update adds to the history of its request, in bytes."""
    return UPDATE_WEIGHS + len(update.note.encode())


def has_room(job: Job, update: ev.DepartmentUpdate) -> bool:
    """Whether a job's history takes one more update. One without a note may come when notes may
    not any more, so that the work can always be ended."""
    most = MOST_SAID if update.note else 2 * MOST_SAID
    return job.said + weight(update) <= most
