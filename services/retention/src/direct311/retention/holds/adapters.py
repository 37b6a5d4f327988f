"""Holds and their fence in MongoDB."""

import asyncio
from collections.abc import Mapping, Sequence, Set
from datetime import timedelta
from typing import Final

import structlog

from direct311.retention.holds.domain import (
    Fence,
    Hold,
    HoldSnapshot,
    ProvisionalHold,
    Raiser,
)
from direct311.retention.holds.handlers.standing import Known, what_stands
from direct311.retention.holds.ports import ProvisionalHolds
from direct311.retention.versioned import Versioned
from direct311.runtime.clock import Clock
from direct311.runtime.messaging.state import Outgoing, RecordState
from direct311.runtime.process import AggregateStore
from direct311.runtime.storage.database import (
    Collection,
    Database,
    Document,
    DuplicateError,
    Index,
    MissingError,
)

_log = structlog.get_logger(__name__)


RECENT: Final = 50
"""How many raises of the fence say whose change it was. Who has missed more reads everything."""


class MongoHolds(Versioned[Hold]):
    """Implements `Holds` and `HoldSources`. The fence is one document, which also names whose
    changes raised it last. When it has changed, only these are read again. Who raises it reads them
    soon afterwards, so that whoever orders next need not."""

    SOON_SECONDS = 0.05
    """How long it waits for others who raise the fence too."""
    FRESH_FOR = timedelta(seconds=1)
    _FENCE = "holds"

    def __init__(
        self,
        store: AggregateStore[RecordState],
        database: Database,
        provisional: ProvisionalHolds,
        clock: Clock,
    ) -> None:
        super().__init__(store, Hold, "hold_id", clock)
        self._provisional = provisional
        self._fence: Collection = database["fence"]
        self._known: Known | None = None
        self._looked_at = clock.now()
        self._raised = False
        self._reading: asyncio.Task[None] | None = None

    async def prepare(self) -> None:
        """Create the fence and the indexes."""
        await self._store.records.prepare(
            [
                Index([("state", 1)], name="state"),
                Index([("settle_at", 1)], name="settle"),
                Index([("case_id", 1)], name="case", sparse=True),
                Index([("earliest_release_at", 1)], name="release", sparse=True),
            ]
        )
        try:
            await self._fence.insert_one({"_id": self._FENCE, "value": 0})
        except DuplicateError:
            return

    async def add(self, hold: Hold, acts: Sequence[Outgoing]) -> Hold:
        if await self._insert(hold, acts):
            return hold
        return await self.get(hold.hold_id) or hold

    async def page(self, after: str | None, limit: int, *, standing: bool) -> Sequence[Hold]:
        query: Document = {"state": {"$in": ["placing", "in_force"]}} if standing else {}
        if after:
            query["_id"] = {"$gt": after}
        cursor = self._collection.find(query).sort("_id", 1).limit(limit)
        return [self._read(document) async for document in cursor]

    async def unfinished(self) -> Sequence[str]:
        found: dict[str, None] = {}
        for query in (
            {"state": {"$in": ["placing", "releasing"]}},
            {"settle_at": {"$lte": self._clock.now()}},
        ):
            async for document in self._collection.find(query, {"_id": 1}):
                found[document["_id"]] = None
        return list(found)

    async def of_case(self, case_id: str) -> Sequence[Hold]:
        cursor = self._collection.find({"case_id": case_id}).sort("_id", 1)
        return [self._read(document) async for document in cursor]

    async def without_suit(self, case_ids: Sequence[str]) -> Sequence[str]:
        if not case_ids:
            return []
        query = {
            "case_id": {"$in": list(case_ids)},
            "state": {"$in": ["placing", "in_force"]},
            "suit_at": None,
        }
        found: dict[str, None] = {}
        async for document in self._collection.find(query, {"case_id": 1}):
            found[document["case_id"]] = None
        return list(found)

    async def releasable(self, limit: int, after: Hold | None = None) -> Sequence[Hold]:
        query: Document = {
            "earliest_release_at": {"$lte": self._clock.now()},
            "state": "in_force",
        }
        if after is not None:
            at = after.earliest_release_at
            query["$or"] = [
                {"earliest_release_at": {"$gt": at}},
                {"earliest_release_at": at, "_id": {"$gt": after.hold_id}},
            ]
        order = [("earliest_release_at", 1), ("_id", 1)]
        cursor = self._collection.find(query).sort(order).limit(limit)
        return [self._read(document) async for document in cursor]

    async def raise_fence(self, raiser: Raiser) -> int:
        kind, name = raiser
        document = await self._fence.find_one_and_update(
            {"_id": self._FENCE},
            {
                "$inc": {"value": 1, "named": 1},
                "$push": {"recent": {"$each": [{"kind": kind, "id": name}], "$slice": -RECENT}},
            },
            return_document=True,
        )
        self._raised = True
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read_soon())
        return _fence_of(document).value

    async def _read_soon(self) -> None:
        while self._raised:
            await asyncio.sleep(self.SOON_SECONDS)
            self._raised = False
            try:
                await self.standing_now()
            except Exception as error:
                # Whoever orders next reads it then.
                _log.info("holds.not_read", error=type(error).__name__)

    async def standing(self, fence: int) -> HoldSnapshot:
        known = self._known
        fresh = self._clock.now() - self._looked_at < self.FRESH_FOR
        if known is not None and known.fence.value >= fence and fresh:
            return known.snapshot
        return await self.standing_now()

    async def standing_now(self) -> HoldSnapshot:
        now = self._clock.now()
        known = await what_stands(self, self._known)
        self._known, self._looked_at = known, now
        return known.snapshot

    # -- what it reads

    async def fence_now(self) -> Fence:
        return _fence_of(await self._fence.find_one({"_id": self._FENCE}))

    async def cases(self) -> Mapping[str, ProvisionalHold]:
        return await self._provisional.standing()

    async def cases_of(self, case_ids: Set[str]) -> Mapping[str, ProvisionalHold]:
        return await self._provisional.standing_of(case_ids)

    async def all_holds(self) -> Sequence[Hold]:
        ended = self._collection.find({"state": {"$in": ["releasing", "released"]}})
        holds = [self._read(document) async for document in ended]
        standing = self._collection.find({"state": {"$in": ["placing", "in_force"]}})
        holds += [self._read(document) async for document in standing]
        return holds

    async def these_holds(self, hold_ids: Set[str]) -> Sequence[Hold]:
        found = self._collection.find({"_id": {"$in": sorted(hold_ids)}})
        return [self._read(document) async for document in found]


def _fence_of(document: Document | None) -> Fence:
    """A fence from before its raises were named says only its value."""
    if document is None:
        raise MissingError("the fence")
    recent = tuple((each["kind"], each["id"]) for each in document.get("recent", ()))
    return Fence(int(document["value"]), int(document.get("named", 0)), recent)
