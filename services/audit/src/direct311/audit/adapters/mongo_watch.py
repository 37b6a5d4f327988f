"""What reconciliation remembers, in MongoDB.

fetches  fetches of keys whose event is not in the log; `_id`: the event's id
cursors  how far each service's fetches were read; `_id`: the service
"""

from collections.abc import Sequence
from datetime import datetime

from direct311.audit.adapters.mongo_log import insert_new
from direct311.audit.domain import Fetch
from direct311.runtime.database import Collection, Database, Index


class MongoWatch:
    """`Watch`."""

    def __init__(self, database: Database) -> None:
        self._fetches: Collection = database["fetches"]
        self._cursors: Collection = database["cursors"]

    async def prepare(self) -> None:
        await self._fetches.create_indexes([Index([("at", 1)], name="at")])

    async def cursor(self, service: str) -> datetime | None:
        document = await self._cursors.find_one({"_id": service})
        return document["at"] if document else None

    async def advance(self, service: str, at: datetime) -> None:
        await self._cursors.update_one({"_id": service}, {"$max": {"at": at}}, upsert=True)

    async def keep(self, fetches: Sequence[Fetch]) -> None:
        if fetches:
            await insert_new(
                self._fetches,
                [
                    {"_id": each.event_id, **each.model_dump(exclude={"event_id"})}
                    for each in fetches
                ],
            )

    async def kept(self, limit: int) -> Sequence[Fetch]:
        found = self._fetches.find({}).sort("at", 1).limit(limit)
        return [Fetch.model_validate({**each, "event_id": each["_id"]}) async for each in found]

    async def drop(self, event_ids: Sequence[str]) -> None:
        if event_ids:
            await self._fetches.delete_many({"_id": {"$in": list(event_ids)}})
