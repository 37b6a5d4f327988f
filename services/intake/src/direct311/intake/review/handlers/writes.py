"""Writing to a record's reviews while others do too."""

from collections.abc import Callable

from direct311.intake.refusals import NO_SUCH_REQUEST
from direct311.intake.review.domain.reviews import RecordReviews
from direct311.intake.review.ports import Reviews, StoredRequests
from direct311.runtime.errors import TransientError

_TRIES = 20


async def written(
    store: Reviews,
    requests: StoredRequests,
    record_id: str,
    change: Callable[[RecordReviews], RecordReviews],
) -> RecordReviews:
    """The record's reviews after a change, which may run again on newer ones. A change that gives
    back what it got writes nothing, so a repeat is no second change.

    :raises RefusedError: the change refuses, or the record is gone or being destroyed; nothing of
        the change stays. :raises TransientError: others keep writing.
    """
    for _ in range(_TRIES):
        before = await store.of(record_id)
        after = change(before)
        if after == before:
            return before
        if await store.store(after):
            return after.written()
        # Destruction removes the reviews and lets nobody store others.
        if await requests.get(record_id) is None:
            raise NO_SUCH_REQUEST
    raise TransientError("the reviews of a record kept changing under the write")
