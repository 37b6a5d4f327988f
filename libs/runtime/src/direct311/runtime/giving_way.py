"""Long work that leaves the processor to the gateway while callers wait for that.

A person who has a thousand records collected waits for minutes anyway. While the gateway on the
same machine is busy, such work is done one piece at a time, with a pause after each piece, as
consumers do between batches (decision 79).
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from direct311.runtime.peers import HttpClient, Peer, PeerTokens

TIMES = 20.0
MOST_SECONDS = 10.0
LOOK_SECONDS = 0.05
"""How long the pause after a piece is at most (as a multiple of the piece's time, and in seconds),
and how often it looks whether the gateway is still busy. A consumer waits for four times its batch.
What is asked for here is done on the gateway's own processor, and on the database's. A question for
what to look for in a package takes up to half a second beside a burst, so the longest pause is no
shorter than twenty times that."""


class GivingWay:
    """The turns of one process's long work. `busy`: whether the gateway is busy now."""

    def __init__(self, busy: Callable[[], bool], now: Callable[[], float] = time.monotonic) -> None:
        self._busy = busy
        self._now = now
        self._alone = asyncio.Lock()

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """One piece of the work, inside the block. At once if the gateway is not busy; otherwise
        after the pieces that came before, and the pause follows the block."""
        if not self._busy():
            yield
            return
        async with self._alone:
            began = self._now()
            yield
            ended = self._now()
            until = ended + min(TIMES * (ended - began), MOST_SECONDS)
            # Another process may say that it is busy.
            while self._busy() and (left := until - self._now()) > 0:  # noqa: ASYNC110
                await asyncio.sleep(min(LOOK_SECONDS, left))


class YieldingPeer(Peer):
    """Another service, of which one asks for much that is not urgent: every `post` is one piece of
    the work."""

    def __init__(self, url: str, http: HttpClient, tokens: PeerTokens, giving_way: GivingWay):
        super().__init__(url, http, tokens)
        self._giving_way = giving_way

    async def post(
        self,
        path: str,
        body: object,
        *,
        on_behalf_of: str | None = None,
        seconds: float | None = None,
    ) -> Any:
        async with self._giving_way.turn():
            return await super().post(path, body, on_behalf_of=on_behalf_of, seconds=seconds)
