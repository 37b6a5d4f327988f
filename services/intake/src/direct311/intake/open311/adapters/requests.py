"""What the public sees of the requests in MongoDB."""

from collections.abc import Sequence

from direct311.intake.open311.adapters import listing
from direct311.intake.open311.adapters.listing import MongoListing
from direct311.intake.open311.domain import RequestQuery
from direct311.intake.request import ServiceRequest
from direct311.runtime.clock import Clock
from direct311.runtime.pacing import paced
from direct311.runtime.storage.database import Document, MongoRecords


class MongoPublicRequests:
    """`PublicRequests` over the collection in which the runtime's records are stored."""

    INDEXES = listing.INDEXES

    def __init__(self, records: MongoRecords[ServiceRequest], clock: Clock) -> None:
        self._records = records
        self._listing = MongoListing(records.collection, clock)

    async def public(self, record_id: str) -> ServiceRequest | None:
        """What the public may see of the request with this number; `None` if the public must not
        find it. As in lists, `duplicate_of` is there only if the request that it names is
        listed."""
        document = await self._records.collection.find_one(
            {"_id": record_id, "lifecycle": "active"}, listing.PROJECTION
        )
        found = self._records.stored(document).state if document else None
        if found is None or not found.is_public:
            return None
        (told,) = await self._without_hidden([found])
        return told

    async def by_token(self, token: str) -> ServiceRequest | None:
        """The batch request that was answered with this token."""
        document = await self._records.collection.find_one({"token": token, "lifecycle": "active"})
        return self._records.stored(document).state if document else None

    async def listed(self, query: RequestQuery) -> Sequence[ServiceRequest]:
        """One page of the public list, newest first. With ids, those requests that exist."""
        if query.ids:
            first = (query.page - 1) * query.page_size
            ids = list(query.ids[first : first + query.page_size])
            wanted: Document = {
                "_id": {"$in": ids},
                "lifecycle": "active",
                # These are never public, neither by number nor in a list.
                "delivery": {"$ne": "blackbox"},
            }
            cursor = self._records.collection.find(wanted, listing.PROJECTION)
            states = await self._states(await cursor.to_list(None))
            found = {state.record_id: state for state in states}
            return await self._without_hidden([found[each] for each in ids if each in found])
        return await self._without_hidden(await self._states(await self._listing.page(query)))

    async def _states(self, documents: Sequence[Document]) -> list[ServiceRequest]:
        return [self._records.stored(document).state async for document in paced(documents)]

    async def _without_hidden(self, found: Sequence[ServiceRequest]) -> Sequence[ServiceRequest]:
        """These requests, without the number of a duplicate that no list shows: that one's place is
        withheld, and the request that names it would reveal it."""
        named = {each.duplicate_of for each in found if each.duplicate_of}
        if not named:
            return found
        wanted: Document = {"_id": {"$in": sorted(named)}, "lifecycle": "active", "listed": True}
        cursor = self._records.collection.find(wanted, {"_id": 1})
        shown = {None, *[document["_id"] async for document in cursor]}
        return [each if each.duplicate_of in shown else each.without_original() for each in found]
