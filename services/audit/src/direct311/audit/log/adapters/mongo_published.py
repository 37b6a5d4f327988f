"""The published checkpoint, in MongoDB: one document of the collection `log`, `_id: published`."""

from datetime import datetime

from pymongo.errors import DuplicateKeyError

from direct311.audit.log.adapters.mongo_log import head_fields, head_of
from direct311.audit.log.ports.publication import Publication
from direct311.runtime.storage.database import Collection, Database


class MongoPublications:
    """`Publications`."""

    def __init__(self, database: Database) -> None:
        self._log: Collection = database["log"]

    async def latest(self) -> Publication | None:
        document = await self._log.find_one({"_id": "published"})
        if document is None:
            return None
        at: datetime = document["published_at"]
        return Publication(head_of(document), document["note"], at)

    async def keep(self, publication: Publication) -> bool:
        head = publication.head
        # An existing one that does not match shows as a duplicate of what would be inserted.
        fits = [{"size": {"$lt": head.size}}, {"size": head.size, "root": head.root}]
        fields = {
            "epoch": head.epoch,
            **head_fields(head),
            "note": publication.note,
            "published_at": publication.at,
        }
        try:
            await self._log.update_one(
                {"_id": "published", "$or": fits}, {"$set": fields}, upsert=True
            )
        except DuplicateKeyError:
            return False
        return True
