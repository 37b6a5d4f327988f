"""Jobs in MongoDB."""

from collections.abc import Sequence
from datetime import datetime

from direct311.routing.job import Job
from direct311.routing.work.domain import Refusal, unacknowledged_since
from direct311.runtime.storage.database import Document, Index, MongoRecords
from direct311.schemas import isoformat


def waiting(job: Job) -> Document:
    """What is stored about a job besides its state: since when its department has not acknowledged
    it."""
    since = unacknowledged_since(job)
    return {} if since is None else {"unacknowledged_since": isoformat(since)}


class MongoJobs:
    """`Jobs` over the collection of the runtime's records."""

    INDEXES = (
        Index([("department", 1), ("status", 1), ("_id", 1)], name="queue", sparse=True),
        Index([("unacknowledged_since", 1)], name="unacknowledged", sparse=True),
    )

    def __init__(self, records: MongoRecords[Job]) -> None:
        self._records = records

    async def get(self, record_id: str) -> Job | None:
        found = (await self._records.load([record_id])).get(record_id)
        return found.state if found and found.state.lifecycle == "active" else None

    async def queue(
        self, department: str, statuses: Sequence[str], after: str | None, limit: int
    ) -> Sequence[Job]:
        query: dict[str, object] = {"department": department, "status": {"$in": list(statuses)}}
        if after:
            query["_id"] = {"$gt": after}
        cursor = self._records.collection.find(query).sort("_id", 1).limit(limit)
        return [self._records.stored(document).state async for document in cursor]

    async def count(self) -> dict[str, int]:
        counts: dict[str, int] = {}
        groups = self._records.collection.aggregate(
            [
                {"$match": {"lifecycle": "active"}},
                {
                    "$group": {
                        "_id": {
                            "status": "$status",
                            "routed": {"$gt": ["$revision", 0]},
                            "department": "$department",
                        },
                        "n": {"$sum": 1},
                    }
                },
            ]
        )
        async for group in groups:
            key = group["_id"]
            name = key["status"]
            if not key["routed"] and name not in ("identity_required", "withdrawn"):
                name = "waiting"
            elif key.get("department") == "triage_311":
                name = "triage"
            counts[name] = counts.get(name, 0) + group["n"]
        return counts

    async def unacknowledged(self, before: datetime) -> dict[tuple[str, bool], int]:
        """How many jobs each department has not acknowledged: department and whether they were sent
        before this time."""
        groups = self._records.collection.aggregate(
            [
                {"$match": {"unacknowledged_since": {"$gt": ""}}},
                {
                    "$group": {
                        "_id": {
                            "department": "$department",
                            "late": {"$lt": ["$unacknowledged_since", isoformat(before)]},
                        },
                        "n": {"$sum": 1},
                    }
                },
            ]
        )
        return {
            (group["_id"]["department"], group["_id"]["late"]): group["n"] async for group in groups
        }


async def forget(refusals: MongoRecords[Refusal], before: datetime) -> None:
    """Delete refusals answered before this time."""
    await refusals.collection.delete_many({"pending": 0, "relay_after": {"$lt": before}})
