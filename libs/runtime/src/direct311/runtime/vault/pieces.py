"""Large content, sealed in pieces of one size under one key.

Whoever writes or reads it holds a piece or two in memory, however large it is. Each piece is bound
to the name of the whole, to its number, and to whether it is the last one, so that none can be
left out, moved or added unseen (the STREAM construction: Hoang, Reyhanitabar, Rogaway and Vizár,
"Online Authenticated-Encryption and its Nonce-Reuse Misuse-Resistance", 2015).
"""

import asyncio
import io
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from hashlib import sha256
from typing import Final

from direct311.runtime.vault.vault import DataKey, VaultError

PIECE: Final = 4 * 1024 * 1024
"""The bytes of each piece but the last, before it is sealed."""
_KEPT: Final = 4
"""How many opened pieces a reader keeps."""

Put = Callable[[str, bytes], Awaitable[None]]
"""Stores the ciphertext of a piece under its name."""
Get = Callable[[str], Awaitable[bytes]]
"""The ciphertext of a piece by its name."""


def pieces_in(size: int, piece: int = PIECE) -> int:
    """How many pieces content of so many bytes has; empty content has one."""
    return max(1, -(-size // piece))


def piece_name(name: str, number: int) -> str:
    """Under which name a piece is stored; the first one is 1."""
    return f"{name}/{number:06}"


def _bound(name: str, number: int, *, last: bool) -> str:
    return f"{name}/{number}/{'last' if last else 'more'}"


class PieceWriter:
    """Seals what is written, piece by piece. `size` and `sha256` are of all that was written; the
    last piece is stored by `finish`."""

    def __init__(self, key: DataKey, name: str, put: Put, piece: int = PIECE) -> None:
        self._key = key
        self._name = name
        self._put = put
        self._piece = piece
        self._waiting = bytearray()
        self._number = 0
        self._digest = sha256()
        self.size = 0

    @property
    def sha256(self) -> str:
        """In hexadecimal digits."""
        return self._digest.hexdigest()

    async def write(self, content: bytes) -> None:
        """Take more content; whole pieces are sealed and stored."""
        self._digest.update(content)
        self.size += len(content)
        self._waiting += content
        # The last piece is sealed as such, so it waits until more comes or nothing will.
        while len(self._waiting) > self._piece:
            plain = bytes(memoryview(self._waiting)[: self._piece])
            del self._waiting[: self._piece]
            await self._store(plain, last=False)

    async def finish(self) -> None:
        """Seal and store the last piece."""
        plain = bytes(self._waiting)
        self._waiting.clear()
        await self._store(plain, last=True)

    async def _store(self, plain: bytes, *, last: bool) -> None:
        self._number += 1
        bound = _bound(self._name, self._number, last=last)
        sealed = await asyncio.to_thread(self._key.seal, bound, plain)
        await self._put(piece_name(self._name, self._number), sealed)


class PieceReader:
    """Opens sealed pieces. `size`: of the whole content, as its owner knows it.

    Each call raises `VaultError` if a piece does not open, or has another size.
    """

    def __init__(self, key: DataKey, name: str, size: int, get: Get, piece: int = PIECE) -> None:
        self._key = key
        self._name = name
        self._get = get
        self._piece = piece
        self.size = size
        self.count = pieces_in(size, piece)

    async def sealed(self, number: int) -> bytes:
        """The ciphertext of one piece; the first one is 1."""
        return await self._get(piece_name(self._name, number))

    def opened(self, number: int, sealed: bytes) -> bytes:
        """One piece, from its ciphertext. This takes milliseconds: call it in a thread."""
        last = number == self.count
        plain = self._key.open(_bound(self._name, number, last=last), sealed)
        if len(plain) != (self.size - (number - 1) * self._piece if last else self._piece):
            raise VaultError("a sealed piece has another size")
        return plain

    async def all(self, first: bytes | None = None) -> AsyncIterator[bytes]:
        """The content from its beginning. `first`: the ciphertext of the first piece, if it was
        fetched before."""
        for number in range(1, self.count + 1):
            known = first if number == 1 else None
            sealed = await self.sealed(number) if known is None else known
            yield await asyncio.to_thread(self.opened, number, sealed)

    def file(self) -> "PieceFile":
        """The content as a file, for code in a thread that reads here and there. To be called in
        the event loop."""
        return PieceFile(self, self._piece, asyncio.get_running_loop())


class PieceFile(io.RawIOBase):
    """Sealed pieces as a file that can be read and searched, in a thread other than the event
    loop's. A piece is opened when something in it is read."""

    def __init__(self, reader: PieceReader, piece: int, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._reader = reader
        self._piece = piece
        self._loop = loop
        self._at = 0
        self._kept: OrderedDict[int, bytes] = OrderedDict()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._reader.size}[whence]
        if start + offset < 0:
            raise ValueError("a place before the beginning")
        self._at = start + offset
        return self._at

    def read(self, size: int | None = -1) -> bytes:
        """As many bytes as were asked for, unless the content ends before."""
        left = max(0, self._reader.size - self._at)
        wanted = left if size is None or size < 0 else min(size, left)
        parts: list[bytes] = []
        while wanted:
            number, start = divmod(self._at, self._piece)
            part = self._opened(number + 1)[start : start + wanted]
            parts.append(part)
            self._at += len(part)
            wanted -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def readinto(self, buffer: "memoryview | bytearray") -> int:  # type: ignore[override]
        found = self.read(len(buffer))
        buffer[: len(found)] = found
        return len(found)

    def _opened(self, number: int) -> bytes:
        if number in self._kept:
            self._kept.move_to_end(number)
            return self._kept[number]
        # Opened in this thread: if the event loop needed another one of the same few threads for
        # it, files that are read at the same time could wait for each other.
        asked = asyncio.run_coroutine_threadsafe(self._reader.sealed(number), self._loop)
        found = self._reader.opened(number, asked.result())
        self._kept[number] = found
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return found
