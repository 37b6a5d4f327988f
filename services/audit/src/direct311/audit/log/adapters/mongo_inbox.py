"""The inbox in MongoDB.

inbox    batches of events that are not in the log yet; `_id` sorts by arrival
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from direct311.audit.entry import Facts
from direct311.audit.log.ports.inbox import InboxBatch, QueuedEvent
from direct311.runtime.storage.database import (
    Collection,
    Database,
    Document,
)
from direct311.verifier.event import Event


class MongoInbox:
    """`Inbox`: one document per batch, with a few hundred events in it, so that adding and removing
    a thousand events costs a handful of writes.

    A batch that this process added is not read back: documents here never change.
    """

    IN_HAND = 32

    def __init__(self, database: Database) -> None:
        self._batches: Collection = database["inbox"]
        self._in_hand: dict[str, InboxBatch] = {}

    async def put(self, batches: Sequence[InboxBatch]) -> None:
        await self._batches.insert_many([_batch_document(batch) for batch in batches])
        self._in_hand |= {batch.id: batch for batch in batches}
        for name in list(self._in_hand)[: -self.IN_HAND]:
            del self._in_hand[name]

    async def take(self, limit: int) -> Sequence[InboxBatch]:
        chosen: list[str] = []
        total = 0
        async for document in self._batches.find({}, {"count": 1}).sort("_id", 1):
            total += document["count"]
            if chosen and total > limit:
                break
            chosen.append(document["_id"])
        found = {name: self._in_hand[name] for name in chosen if name in self._in_hand}
        if missing := [name for name in chosen if name not in found]:
            async for document in self._batches.find({"_id": {"$in": missing}}):
                found[document["_id"]] = _batch(document)
        return [found[name] for name in chosen if name in found]

    async def discard(self, batch_ids: Sequence[str]) -> None:
        await self._batches.delete_many({"_id": {"$in": list(batch_ids)}})
        for name in batch_ids:
            self._in_hand.pop(name, None)

    async def length(self) -> int:
        # Counted, because the server's own figure may stay wrong after it was killed.
        return await self._batches.count_documents({})

    async def oldest(self) -> datetime | None:
        document = await self._batches.find_one({}, {"arrived_at": 1}, sort=[("_id", 1)])
        return document["arrived_at"] if document else None


def _batch_document(batch: InboxBatch) -> Document:
    return {
        "_id": batch.id,
        "arrived_at": batch.arrived_at,
        "count": len(batch.queued_events),
        "events": [
            {
                "attributes": each.event.attributes,
                "body": each.event.body,
                "keyid": each.event.keyid,
                "signature": each.event.signature,
                "facts": each.facts.model_dump(),
            }
            for each in batch.queued_events
        ],
        "offsets": offset_documents(batch.offsets),
    }


def _batch(document: Document) -> InboxBatch:
    queued_events = []
    for each in document["events"]:
        event = Event(
            **each["attributes"],
            body=bytes(each["body"]),
            keyid=each["keyid"],
            signature=bytes(each["signature"]),
        )
        queued_events.append(QueuedEvent(event, Facts.model_validate(each["facts"])))
    return InboxBatch(
        document["_id"],
        document["arrived_at"],
        tuple(queued_events),
        offsets_of(document["offsets"]),
    )


def offset_documents(offsets: Mapping[str, int]) -> list[Document]:
    """How far each topic has been read, as documents."""
    # Topic names contain dots, which field names may not.
    return [{"partition": name, "offset": offset} for name, offset in offsets.items()]


def offsets_of(documents: Sequence[Document]) -> dict[str, int]:
    """How far each topic has been read, from those documents."""
    return {each["partition"]: each["offset"] for each in documents}
