"""When this service last saw the identity provider publish which key.

Somebody approves, the provider retires its key, and only then the event arrives or the package is
released. The approval is genuine all the same, so an owner remembers the keys that it has seen
published (decision 112).
"""

import contextlib
import time
from collections.abc import Collection
from datetime import datetime
from typing import Protocol

from direct311.runtime.access.fresh_sign_in import ProviderKeys, SeenKeys
from direct311.runtime.clock import Clock
from direct311.runtime.errors import TransientError
from direct311.runtime.storage.database import Collection as DatabaseCollection


class SeenKeyStore(SeenKeys, Protocol):
    """Where a service keeps what it has seen."""

    async def saw(self, thumbprints: Collection[str], at: datetime) -> None:
        """The provider published these keys at this time. An earlier time changes nothing."""
        ...


class MongoSeenKeys:
    """Implements `SeenKeyStore`, with one document for each key."""

    def __init__(self, collection: DatabaseCollection) -> None:
        self._collection = collection

    async def last_seen(self, thumbprint: str) -> datetime | None:
        document = await self._collection.find_one({"_id": thumbprint})
        return None if document is None else document["last_seen"]

    async def saw(self, thumbprints: Collection[str], at: datetime) -> None:
        for each in thumbprints:
            await self._collection.update_one(
                {"_id": each}, {"$max": {"last_seen": at}}, upsert=True
            )


class Watching:
    """Asks the provider now and then which keys it publishes, and notes them."""

    def __init__(self, provider: ProviderKeys, store: SeenKeyStore, clock: Clock) -> None:
        self._provider = provider
        self._store = store
        self._clock = clock

    async def look(self) -> None:
        """Note what it publishes now; nothing while it does not answer."""
        with contextlib.suppress(TransientError):
            published = await self._provider.keys_after(time.monotonic())
            await self._store.saw(
                [str(each.thumbprint()) for each in published.keys], self._clock.now()
            )
