"""Keys made ahead: stored before they are used, each used once, none where nobody comes."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from direct311.intake.submission.handlers.key_pool import KeyPool
from direct311.runtime.clock import TimeOrderedIds
from direct311.runtime.errors import TransientError
from direct311.runtime.vault.vault import DataKey, RecordKey

pytestmark = pytest.mark.anyio


class Keys:
    """Makes keys, and stores them unless it is told not to."""

    def __init__(self) -> None:
        self.stored: list[list[str]] = []
        self.down = False

    async def new_key(self, record_id: str) -> tuple[RecordKey, DataKey]:
        made = RecordKey(record_id, "kek-1", b"wrapped", datetime.now(UTC))
        return made, DataKey(record_id, b"k" * 32)

    async def store(self, keys: Sequence[RecordKey]) -> None:
        await asyncio.sleep(0.001)
        if self.down:
            raise TransientError("away")
        self.stored.append([key.record_id for key in keys])

    def has(self, record_id: str) -> bool:
        return any(record_id in group for group in self.stored)


def pool(keys: Keys) -> KeyPool:
    return KeyPool(keys, keys.store, TimeOrderedIds())


async def take(ahead: KeyPool) -> tuple[str, DataKey]:
    return ahead.at_hand() or await ahead.make()


async def take_and_check(ahead: KeyPool, keys: Keys) -> str:
    record_id, key = await take(ahead)
    assert keys.has(record_id), "a key is stored before it seals anything"
    assert key.open("field", key.seal("field", b"value")) == b"value"
    return record_id


async def test_one_who_comes_alone_gets_one_key() -> None:
    keys = Keys()
    record_id = await take_and_check(pool(keys), keys)
    assert keys.stored == [[record_id]]


async def test_under_load_keys_are_stored_in_bulk_and_each_is_used_once() -> None:
    keys = Keys()
    ahead = pool(keys)
    taken: list[str] = []

    async def client() -> None:
        for _ in range(100):
            taken.append(await take_and_check(ahead, keys))
            await asyncio.sleep(0.001)

    await asyncio.gather(*(client() for _ in range(8)))
    assert len(set(taken)) == len(taken) == 800
    assert max(map(len, keys.stored)) > 50
    assert len(keys.stored) < 100
    unused = sum(map(len, keys.stored)) - len(taken)
    assert unused <= KeyPool.LARGEST * 2


async def test_what_was_made_ahead_is_not_used_when_it_is_old(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    keys = Keys()
    ahead = pool(keys)
    for _ in range(5):
        await asyncio.gather(*(take(ahead) for _ in range(40)))
        await asyncio.sleep(0.06)
    left = {record_id for group in keys.stored if len(group) > 40 for record_id in group}
    assert left
    monkeypatch.setattr(KeyPool, "FRESH_SECONDS", -1.0)
    assert await take_and_check(ahead, keys) not in left


async def test_where_nothing_can_be_stored_nobody_gets_a_key() -> None:
    keys = Keys()
    ahead = pool(keys)
    keys.down = True
    await asyncio.sleep(0.06)
    told = await asyncio.gather(*(take(ahead) for _ in range(40)), return_exceptions=True)
    assert all(isinstance(each, TransientError) for each in told)
    await asyncio.sleep(0.01)
    keys.down = False
    await take_and_check(ahead, keys)
