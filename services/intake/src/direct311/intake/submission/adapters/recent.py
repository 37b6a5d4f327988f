"""The contents of the last day's submissions, in memory, so that looking for a likely repeat needs
no query.

This is good enough for a flag that staff see. It is not good enough to decide whether a client's
retry is the same request: the database decides that. What another copy accepted is known a few
seconds later.
"""

from collections import OrderedDict
from datetime import UTC, datetime, timedelta

from direct311.runtime.clock import Clock
from direct311.runtime.storage.database import Collection

_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


class RecentContents:
    """`Recent`: the first request with each content, and when it was received."""

    LATE = timedelta(seconds=15)
    """How much older a record's id may be than its receipt, because keys are made ahead."""
    TOGETHER = 1_000
    """How many contents are read at a time, so that nothing else in the process waits long."""
    MOST = 500_000
    """How many contents are remembered, about 300 bytes each; beyond that, the oldest are
    forgotten."""

    def __init__(self, requests: Collection, clock: Clock, window: timedelta) -> None:
        self._requests = requests
        self._clock = clock
        self._window = window
        self._first: OrderedDict[bytes, tuple[datetime, str]] = OrderedDict()
        self._read_until = _BEGINNING

    def first(self, fingerprint: str, since: datetime) -> str | None:
        found = self._first.get(bytes.fromhex(fingerprint))
        return found[1] if found is not None and found[0] >= since else None

    def note(self, fingerprint: str, record_id: str, at: datetime) -> None:
        key = bytes.fromhex(fingerprint)
        known = self._first.get(key)
        if known is None or known[0] < self._clock.now() - self._window:
            self._first[key] = (at, record_id)
            self._first.move_to_end(key)

    async def refresh(self) -> None:
        """Read what other copies have accepted since the last time, and forget what has expired."""
        now = self._clock.now()
        since = max(self._read_until, now - self._window) - self.LATE
        cursor = self._requests.find(
            {"_id": {"$gt": _id_of(since)}},
            {"fingerprint": 1, "received_at": 1},
            batch_size=self.TOGETHER,
        )
        async for document in cursor:
            if document.get("fingerprint") and document.get("received_at"):
                self.note(document["fingerprint"], document["_id"], document["received_at"])
        self._read_until = now
        while self._first and (
            len(self._first) > self.MOST or next(iter(self._first.values()))[0] < now - self._window
        ):
            self._first.popitem(last=False)


def _id_of(at: datetime) -> str:
    """The lowest UUIDv7 of a moment (RFC 9562, section 5.7)."""
    digits = f"{int(at.timestamp() * 1000):012x}"
    return f"{digits[:8]}-{digits[8:]}-7000-8000-000000000000"
