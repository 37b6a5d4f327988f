"""What front ends report about devices, as counts per day."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date

from direct311.intake.clients.ports import AppCount
from direct311.runtime.clock import Clock
from direct311.runtime.storage.database import Collection, Index


class MongoAppCounts:
    """Counted in memory and written every few seconds, so that the counts do not show when a single
    submission arrived. Counts lost in a crash are missing only here."""

    INDEXES = (Index([("day", 1)], name="day"),)

    def __init__(self, collection: Collection, clock: Clock) -> None:
        self._collection = collection
        self._clock = clock
        self._waiting: Counter[tuple[str, str, str, str]] = Counter()

    async def prepare(self) -> None:
        await self._collection.create_indexes(list(self.INDEXES))

    def add(self, client_id: str, facts: Mapping[str, str]) -> None:
        day = self._clock.now().date().isoformat()
        for field, value in facts.items():
            self._waiting[day, client_id, field, value] += 1

    async def write(self) -> None:
        while self._waiting:
            key, count = next(iter(self._waiting.items()))
            day, client_id, field, value = key
            await self._collection.update_one(
                {"_id": "|".join(key)},
                {
                    "$inc": {"count": count},
                    "$set": {"day": day, "client_id": client_id, "field": field, "value": value},
                },
                upsert=True,
            )
            self._waiting[key] -= count
            if not self._waiting[key]:
                del self._waiting[key]

    async def between(self, start: date, end: date) -> Sequence[AppCount]:
        """The counts of these days, both included."""
        found = self._collection.find({"day": {"$gte": start.isoformat(), "$lte": end.isoformat()}})
        return sorted(
            [
                AppCount(
                    date.fromisoformat(each["day"]),
                    each["client_id"],
                    each["field"],
                    each["value"],
                    each["count"],
                )
                async for each in found
            ]
        )
