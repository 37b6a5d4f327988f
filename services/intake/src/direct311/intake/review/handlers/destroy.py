"""What becomes of reviews when their record is destroyed."""

from datetime import timedelta

from direct311.intake.review.ports import Reviews, StoredRequests
from direct311.runtime.clock import Clock

AT_ONCE = 500


class ForgetReviews:
    """Removes the reviews of records that are destroyed. `kept_for`: how long the note stays that a
    record's reviews were removed, so that nobody stores another one."""

    def __init__(
        self, store: Reviews, requests: StoredRequests, clock: Clock, kept_for: timedelta
    ) -> None:
        self._store = store
        self._requests = requests
        self._clock = clock
        self._kept_for = kept_for

    async def __call__(self, record_id: str) -> int:
        """Remove a record's reviews; how many documents there were. A repeat says the same."""
        return await self._store.forget(record_id, self._clock.now())

    async def sweep(self) -> None:
        """Remove what a kill left behind, and notes that have been there for long."""
        await self._store.drop_notes(self._clock.now() - self._kept_for)
        after = ""
        while some := await self._store.records(after, AT_ONCE):
            for record_id in some:
                if await self._requests.get(record_id) is None:
                    await self._store.forget(record_id, self._clock.now())
            after = some[-1]
