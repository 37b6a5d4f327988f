"""Jobs by their due date, in MongoDB."""

from collections.abc import Sequence
from datetime import date

from direct311.routing.job import Job
from direct311.runtime.storage.database import Document, Index, MongoRecords

_OPEN = ("received", "routed", "in_progress", "on_hold", "referred")


def watched(job: Job) -> Document:
    """What is stored about a job besides its state: a due date that may still have to be announced,
    so that a search for those skips jobs closed long ago."""
    told = job.overdue_noticed or job.department is None or job.due_on is None
    if told or job.status not in _OPEN or job.lifecycle != "active":
        return {}
    return {"watched_until": job.due_on}


class MongoLateJobs:
    """`LateJobs` over the collection of the runtime's records."""

    INDEXES = (Index([("watched_until", 1)], name="watched", sparse=True),)

    def __init__(self, records: MongoRecords[Job]) -> None:
        self._records = records

    async def late(self, today: date, limit: int) -> Sequence[str]:
        query = {"watched_until": {"$lt": today.isoformat()}}
        cursor = self._records.collection.find(query, {"_id": 1}).limit(limit)
        return [document["_id"] async for document in cursor]
