"""What of a job is kept for its deadline."""

from direct311.routing.job import Job
from direct311.runtime.storage.database import Document

_OPEN = ("received", "routed", "in_progress", "on_hold", "referred")


def watched(job: Job) -> Document:
    """What of a job is kept beside its state: the due date that may still have to be told, so that
    a look for those does not pass over all that were closed long ago."""
    told = job.overdue_noticed or job.department is None or job.due_on is None
    if told or job.status not in _OPEN or job.lifecycle != "active":
        return {}
    return {"watched_until": job.due_on}
