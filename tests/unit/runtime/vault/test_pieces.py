"""Large content in sealed pieces: none can be left out, moved, added or taken from elsewhere."""

import asyncio
import io
import os
import zipfile
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from typing import BinaryIO, cast

import pytest

from direct311.runtime.vault.pieces import PieceReader, PieceWriter, piece_name, pieces_in
from direct311.runtime.vault.vault import DataKey, VaultError

pytestmark = pytest.mark.anyio
PIECE = 1_000
KEY = DataKey("case", bytes(range(32)))


class Store:
    """Ciphertexts by name."""

    def __init__(self) -> None:
        self.sealed: dict[str, bytes] = {}

    async def put(self, name: str, sealed: bytes) -> None:
        self.sealed[name] = sealed

    async def get(self, name: str) -> bytes:
        return self.sealed[name]

    async def written(self, content: bytes, name: str = "whole", key: DataKey = KEY) -> PieceWriter:
        writer = PieceWriter(key, name, self.put, PIECE)
        for at in range(0, len(content), 777):
            await writer.write(content[at : at + 777])
        await writer.finish()
        return writer

    def reader(self, size: int, name: str = "whole") -> PieceReader:
        return PieceReader(KEY, name, size, self.get, PIECE)

    async def read(self, size: int, name: str = "whole") -> bytes:
        return b"".join([piece async for piece in self.reader(size, name).all()])


@pytest.mark.parametrize("size", [0, 1, 999, 1_000, 1_001, 2_000, 5_432])
async def test_what_is_written_is_read_again(size: int) -> None:
    store, content = Store(), os.urandom(size)
    writer = await store.written(content)
    assert (writer.size, writer.sha256) == (size, sha256(content).hexdigest())
    assert await store.read(size) == content
    assert len(store.sealed) == pieces_in(size, PIECE)
    assert not any(content[:20] in each for each in store.sealed.values() if size > 20)


async def test_no_piece_can_be_left_out_moved_added_or_taken_from_elsewhere() -> None:
    store, content = Store(), os.urandom(3_500)
    await store.written(content)
    await store.written(content, "other")
    good = dict(store.sealed)
    for number, instead in ((1, 2), (4, 3), (2, 4)):
        store.sealed = good | {piece_name("whole", number): good[piece_name("whole", instead)]}
        with pytest.raises(VaultError):
            await store.read(len(content))
    store.sealed = good | {piece_name("whole", 2): good[piece_name("other", 2)]}
    with pytest.raises(VaultError):
        await store.read(len(content))
    store.sealed = dict(good)
    for shorter in (3_000, 2_999, 3_499, 4_001):
        with pytest.raises((VaultError, KeyError)):
            await store.read(shorter)
    assert await store.read(len(content)) == content


async def test_a_zip_in_pieces_is_read_here_and_there_from_a_thread() -> None:
    store = Store()
    texts = {f"entry-{number}": os.urandom(700 * number) for number in range(12)}
    plain = io.BytesIO()
    with zipfile.ZipFile(plain, "w") as archive:
        for name, content in texts.items():
            archive.writestr(name, content)
    await store.written(plain.getvalue())
    file = store.reader(len(plain.getvalue())).file()

    def read() -> dict[str, bytes]:
        with zipfile.ZipFile(cast("BinaryIO", file)) as archive:
            return {name: archive.read(name) for name in reversed(archive.namelist())}

    assert await asyncio.to_thread(read) == texts

    def around() -> tuple[bytes, bytes, bytes, int]:
        file.seek(-3, 2)
        end = file.read(10)
        file.seek(998)
        buffer = bytearray(4)
        count = file.readinto(buffer)
        file.seek(1 << 40)
        return end, bytes(buffer), file.read(), count

    whole = plain.getvalue()
    assert await asyncio.to_thread(around) == (whole[-3:], whole[998:1002], b"", 4)
    with pytest.raises(ValueError, match="before"):
        file.seek(-1)


async def test_files_that_are_read_in_all_threads_at_once_do_not_wait_for_each_other() -> None:
    store, content = Store(), os.urandom(5_432)
    await store.written(content)
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(2))
    reading = [asyncio.to_thread(store.reader(len(content)).file().read) for _ in range(4)]
    found = await asyncio.wait_for(asyncio.gather(*reading), 20)
    assert found == [content] * 4
