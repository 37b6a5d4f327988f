"""An owner's disclosure events in MongoDB."""

from collections.abc import Sequence

from direct311.runtime.access.disclosures import KeptDisclosure
from direct311.runtime.messaging.signing import KeptEvent
from direct311.runtime.storage.database import Collection, Document, DuplicateError, Index


class MongoKeptDisclosures:
    """Implements `KeptDisclosures`. One document for each event; events that only tell a case's
    state share one. `searches` has a small document for each counted search."""

    def __init__(self, events: Collection, searches: Collection) -> None:
        self._events = events
        self._searches = searches

    async def prepare(self) -> None:
        """Create the indexes."""
        await self._events.create_indexes([Index([("case_id", 1), ("version", 1)])])
        await self._searches.create_indexes([Index([("of", 1)])])

    async def keep(self, disclosure: KeptDisclosure) -> None:
        document = _document(disclosure)
        if not disclosure.is_state:
            await self._events.update_one(
                {"_id": disclosure.event_id}, {"$setOnInsert": document}, upsert=True
            )
            return
        # A newer one makes the filter miss, and the insert a duplicate. No id has a colon.
        older = {"_id": f"{disclosure.case_id}:state", "version": {"$lt": disclosure.version}}
        try:
            await self._events.update_one(older, {"$set": document}, upsert=True)
        except DuplicateError:
            return

    async def of_case(self, case_id: str) -> Sequence[KeptDisclosure]:
        found = self._events.find({"case_id": case_id}).sort([("version", 1), ("_id", 1)])
        return [_disclosure(document) async for document in found]

    async def count_search(self, grant_id: str, kind: str, most: int) -> int | None:
        # One document for each search: an insert can succeed only once, on any server.
        name = f"{grant_id}:{kind}"
        taken = {document["_id"] async for document in self._searches.find({"of": name})}
        for number in range(most):
            if (each := f"{name}:{number}") in taken:
                continue
            try:
                await self._searches.insert_one({"_id": each, "of": name})
            except DuplicateError:
                continue
            return number
        return None

    async def discount_search(self, grant_id: str, kind: str, number: int) -> None:
        await self._searches.delete_one({"_id": f"{grant_id}:{kind}:{number}"})


def _document(disclosure: KeptDisclosure) -> Document:
    kept = disclosure.kept
    return {
        "case_id": disclosure.case_id,
        "version": disclosure.version,
        "event_id": disclosure.event_id,
        "name": disclosure.name,
        "headers": kept.headers,
        "body": kept.body,
        "received_at": kept.received_at,
        "provider_keys": list(disclosure.provider_keys),
    }


def _disclosure(document: Document) -> KeptDisclosure:
    return KeptDisclosure(
        event_id=document["event_id"],
        case_id=document["case_id"],
        version=document["version"],
        name=document["name"],
        kept=KeptEvent(
            headers=document["headers"], body=document["body"], received_at=document["received_at"]
        ),
        provider_keys=tuple(document["provider_keys"]),
    )
