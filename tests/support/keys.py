"""A store of record keys in memory."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime

from direct311.runtime.vault.vault import KeyFetch, RecordKey


class InMemoryKeys:
    """`KeyStore` in a dictionary."""

    def __init__(self) -> None:
        self.keys: dict[str, RecordKey] = {}
        self.fetches: list[KeyFetch] = []
        self._destroyed: set[str] = set()

    async def insert(self, keys: Sequence[RecordKey]) -> set[str]:
        known = {
            key.record_id
            for key in keys
            if key.record_id in self.keys or key.record_id in self._destroyed
        }
        self.keys |= {key.record_id: key for key in keys if key.record_id not in known}
        return known

    async def fetch(self, record_id: str, event_id: str, at: datetime) -> RecordKey | None:
        key = self.keys.get(record_id)
        if key is not None:
            self.fetches.append(KeyFetch(record_id, event_id, at))
        return key

    async def destroy(self, record_id: str) -> bool:
        if self.keys.pop(record_id, None) is not None:
            self._destroyed.add(record_id)
        return record_id in self._destroyed

    async def not_under(self, kek_id: str, after: str, limit: int) -> Sequence[RecordKey]:
        ids = sorted(of for of, key in self.keys.items() if of > after and key.kek_id != kek_id)
        return [self.keys[record_id] for record_id in ids[:limit]]

    async def rewrap(self, pairs: Sequence[tuple[RecordKey, RecordKey]]) -> int:
        still = {old.record_id: new for old, new in pairs if self.keys.get(old.record_id) == old}
        self.keys |= still
        return len(still)

    async def counts(self) -> Mapping[str, int]:
        return Counter(key.kek_id for key in self.keys.values())

    async def under(self, kek_id: str) -> RecordKey | None:
        return next((key for key in self.keys.values() if key.kek_id == kek_id), None)

    async def fetches_after(self, at: datetime, limit: int) -> Sequence[KeyFetch]:
        later = sorted((each for each in self.fetches if each.at > at), key=lambda each: each.at)
        # Includes all keys as old as the last one, so that the next page misses none.
        last = later[:limit][-1:]
        return [each for each in later if not last or each.at <= last[0].at]
