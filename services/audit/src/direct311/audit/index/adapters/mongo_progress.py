"""The progress of rebuilding and watching the query index, in MongoDB.

index    the last rebuild of the query index, and where the walk over it is
"""

from direct311.audit.index.domain import IndexWalk, Rebuild
from direct311.runtime.storage.database import Collection, Database, DuplicateError


class MongoProgress:
    """`Progress`."""

    def __init__(self, database: Database) -> None:
        self._states: Collection = database["index"]

    async def rebuild(self) -> Rebuild | None:
        document = await self._states.find_one({"_id": "rebuild"})
        return Rebuild.model_validate(document) if document else None

    async def keep_rebuild(self, old: Rebuild | None, new: Rebuild) -> bool:
        if old is None:
            try:
                await self._states.insert_one({"_id": "rebuild", **new.model_dump()})
            except DuplicateError:
                return False
            return True
        result = await self._states.update_one(
            {"_id": "rebuild", "step": old.step}, {"$set": new.model_dump()}
        )
        return bool(result.matched_count)

    async def walk(self) -> IndexWalk:
        document = await self._states.find_one({"_id": "walk"})
        return IndexWalk.model_validate(document) if document else IndexWalk()

    async def keep_walk(self, walk: IndexWalk) -> None:
        await self._states.update_one({"_id": "walk"}, {"$set": walk.model_dump()}, upsert=True)
