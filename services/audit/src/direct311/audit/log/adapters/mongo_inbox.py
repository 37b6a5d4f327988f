"""The inbox in MongoDB.

inbox    parcels of events that are not in the log yet; `_id` sorts by arrival
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from direct311.audit.entry import Facts
from direct311.audit.log.ports.inbox import Arrival, Parcel
from direct311.runtime.storage.database import (
    Collection,
    Database,
    Document,
)
from direct311.verifier.event import Event


class MongoInbox:
    """`Inbox`: one document for each parcel, a few hundred events in it, so that taking a thousand
    events in and out again costs a handful of writes.

    A parcel that this process has put in is not read back: documents here never change.
    """

    IN_HAND = 32

    def __init__(self, database: Database) -> None:
        self._parcels: Collection = database["inbox"]
        self._in_hand: dict[str, Parcel] = {}

    async def put(self, parcels: Sequence[Parcel]) -> None:
        await self._parcels.insert_many([_parcel_document(parcel) for parcel in parcels])
        self._in_hand |= {parcel.id: parcel for parcel in parcels}
        for name in list(self._in_hand)[: -self.IN_HAND]:
            del self._in_hand[name]

    async def take(self, limit: int) -> Sequence[Parcel]:
        chosen: list[str] = []
        total = 0
        async for document in self._parcels.find({}, {"count": 1}).sort("_id", 1):
            total += document["count"]
            if chosen and total > limit:
                break
            chosen.append(document["_id"])
        found = {name: self._in_hand[name] for name in chosen if name in self._in_hand}
        if missing := [name for name in chosen if name not in found]:
            async for document in self._parcels.find({"_id": {"$in": missing}}):
                found[document["_id"]] = _parcel(document)
        return [found[name] for name in chosen if name in found]

    async def discard(self, parcel_ids: Sequence[str]) -> None:
        await self._parcels.delete_many({"_id": {"$in": list(parcel_ids)}})
        for name in parcel_ids:
            self._in_hand.pop(name, None)

    async def length(self) -> int:
        # Counted: the server's own figure may be wrong for ever after it was killed.
        return await self._parcels.count_documents({})

    async def oldest(self) -> datetime | None:
        document = await self._parcels.find_one({}, {"arrived_at": 1}, sort=[("_id", 1)])
        return document["arrived_at"] if document else None


def _parcel_document(parcel: Parcel) -> Document:
    return {
        "_id": parcel.id,
        "arrived_at": parcel.arrived_at,
        "count": len(parcel.arrivals),
        "events": [
            {
                "attributes": each.event.attributes,
                "body": each.event.body,
                "keyid": each.event.keyid,
                "signature": each.event.signature,
                "facts": each.facts.model_dump(),
            }
            for each in parcel.arrivals
        ],
        "offsets": offset_documents(parcel.offsets),
    }


def _parcel(document: Document) -> Parcel:
    arrivals = []
    for each in document["events"]:
        event = Event(
            **each["attributes"],
            body=bytes(each["body"]),
            keyid=each["keyid"],
            signature=bytes(each["signature"]),
        )
        arrivals.append(Arrival(event, Facts.model_validate(each["facts"])))
    return Parcel(
        document["_id"], document["arrived_at"], tuple(arrivals), offsets_of(document["offsets"])
    )


def offset_documents(offsets: Mapping[str, int]) -> list[Document]:
    """How far the topics are in, as documents."""
    # Names of topics hold dots, which names of fields may not.
    return [{"partition": name, "offset": offset} for name, offset in offsets.items()]


def offsets_of(documents: Sequence[Document]) -> dict[str, int]:
    """How far the topics are in, from those documents."""
    return {each["partition"]: each["offset"] for each in documents}
