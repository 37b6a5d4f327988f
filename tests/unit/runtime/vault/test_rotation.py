"""Re-wrapping: whatever happens meanwhile, each living key opens, each destroyed one is gone."""

import os
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from direct311.runtime.vault.keys import FileKeyProvider, KeyProviderError
from direct311.runtime.vault.rotation import Rewrapping
from direct311.runtime.vault.vault import RecordKey
from tests.support.keys import InMemoryKeys

pytestmark = pytest.mark.anyio
AT = datetime(2026, 3, 2, 12, tzinfo=UTC)


class Meanwhile(FileKeyProvider):
    """Has something happen in the middle of a batch: between reading a key and writing it."""

    def __init__(self, current: str, keys: dict[str, bytes]) -> None:
        super().__init__(current, keys)
        self.happening: list[Callable[[], Awaitable[None]]] = []

    async def unwrap(self, key_id: str, wrapped: bytes, context: str) -> bytes:
        plain = await super().unwrap(key_id, wrapped, context)
        while self.happening:
            await self.happening.pop()()
        return plain


class KeyCollection:
    """A collection of keys, and two copies of a service that re-wrap it."""

    def __init__(self) -> None:
        self.keks = {"kek-0": os.urandom(32)}
        self.store = InMemoryKeys()
        self.living: dict[str, bytes] = {}
        self.destroyed: set[str] = set()
        self.after = ["", ""]

    def provider(self) -> Meanwhile:
        return Meanwhile(f"kek-{len(self.keks) - 1}", self.keks)

    async def insert(self, number: int) -> None:
        """Under any key: a copy that was not restarted yet still wraps with an older one."""
        record_id, plain = f"r{len(self.living) + len(self.destroyed):04}", os.urandom(32)
        old = FileKeyProvider(f"kek-{number % len(self.keks)}", self.keks)
        kek_id, wrapped = await old.wrap(plain, record_id)
        await self.store.insert([RecordKey(record_id, kek_id, wrapped, AT)])
        self.living[record_id] = plain

    async def destroy(self, number: int) -> None:
        if self.living:
            record_id = sorted(self.living)[number % len(self.living)]
            await self.store.destroy(record_id)
            del self.living[record_id]
            self.destroyed.add(record_id)

    async def rotate(self) -> None:
        self.keks[f"kek-{len(self.keks)}"] = os.urandom(32)

    async def open(self, number: int) -> None:
        if self.living:
            record_id = sorted(self.living)[number % len(self.living)]
            assert await self.opened(record_id) == self.living[record_id]

    async def opened(self, record_id: str) -> bytes | None:
        key = await self.store.fetch(record_id, "event", AT)
        if key is None:
            return None
        return await self.provider().unwrap(key.kek_id, key.wrapped, record_id)

    async def batch(self, copy: int, *meanwhile: Callable[[], Awaitable[None]]) -> bool:
        """One batch of a copy; whether it found anything in what is left of its pass."""
        provider = self.provider()
        provider.happening = list(meanwhile)
        rewrapping = Rewrapping(self.store, provider)
        rewrapping.SIZE = 3
        done = await rewrapping.batch(self.after[copy], "T-1")
        self.after[copy] = done.last or ""
        return done.last is not None

    async def finish(self) -> None:
        self.after[0] = ""
        while await self.batch(0) or await self.batch(0):
            pass


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["insert", "destroy", "open", "rotate", "batch", "other"]),
        st.integers(0, 30),
    ),
    max_size=40,
)


@given(steps=STEPS)
@settings(deadline=None)
def test_nothing_is_lost_and_nothing_comes_back(steps: list[tuple[str, int]]) -> None:
    async def story() -> None:
        collection = KeyCollection()
        for number in range(8):
            await collection.insert(number)
        for what, number in steps:
            match what:
                case "insert":
                    await collection.insert(number)
                case "destroy":
                    await collection.destroy(number)
                case "open":
                    await collection.open(number)
                case "rotate":
                    await collection.rotate()
                case "batch":
                    # In the middle of it: another copy's batch, a destruction, a new record.
                    await collection.batch(
                        0,
                        lambda number=number: collection.destroy(number),  # type: ignore[misc]
                        lambda number=number: collection.insert(number),  # type: ignore[misc]
                        _ignoring(collection.batch, 1),
                    )
                case _:
                    await collection.batch(1)
        await collection.finish()
        for record_id, plain in collection.living.items():
            assert await collection.opened(record_id) == plain
        for record_id in collection.destroyed:
            assert await collection.opened(record_id) is None
        assert set(await collection.store.counts()) <= {f"kek-{len(collection.keks) - 1}"}

    anyio.run(story)


def _ignoring(call: Callable[[int], Awaitable[bool]], copy: int) -> Callable[[], Awaitable[None]]:
    async def step() -> None:
        await call(copy)

    return step


async def test_a_key_whose_own_key_is_gone_keeps_none_of_its_neighbours_back() -> None:
    collection = KeyCollection()
    for number in range(3):
        await collection.insert(number)
    lost = await collection.store.fetch("r0001", "event", AT)
    assert lost is not None
    collection.store.keys["r0001"] = RecordKey("r0001", "kek-lost", lost.wrapped, AT)
    await collection.rotate()
    batch = await Rewrapping(collection.store, collection.provider()).batch("", "T-1")
    assert (batch.done, batch.failed, batch.last) == (2, 1, "r0002")
    assert batch.reason == "the key-encryption key kek-lost is not in the key file"
    with pytest.raises(KeyProviderError):
        await collection.opened("r0001")
    assert await collection.opened("r0000") == collection.living["r0000"]
