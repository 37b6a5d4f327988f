"""The pieces of something large while they arrive from elsewhere."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from types import TracebackType
from typing import Any


class Arriving(AsyncGenerator[bytes]):
    """Pieces, and what is held for as long as somebody reads them: a call, a key.

    A generator gives up what it holds at its end or when it is closed, but not if nobody has begun
    with it. This gives it up whenever it is closed.
    """

    def __init__(
        self, pieces: AsyncGenerator[bytes], close: Callable[[], Awaitable[object]]
    ) -> None:
        """:param close: gives up what is held; may be called more than once."""
        self._pieces = pieces
        self._close = close

    async def asend(self, value: Any) -> bytes:
        return await self._pieces.asend(value)

    async def athrow(
        self,
        typ: type[BaseException] | BaseException,
        val: BaseException | object = None,
        tb: TracebackType | None = None,
    ) -> bytes:
        raised = typ if isinstance(typ, BaseException) else typ()
        return await self._pieces.athrow(raised)

    async def aclose(self) -> None:
        try:
            await self._pieces.aclose()
        finally:
            await self._close()


def begun_with(first: bytes, rest: AsyncGenerator[bytes]) -> Arriving:
    """A piece that was read already, and the others. Closing it closes these, also if nobody has
    read that piece."""

    async def pieces() -> AsyncGenerator[bytes]:
        yield first
        async for piece in rest:
            yield piece

    return Arriving(pieces(), rest.aclose)
