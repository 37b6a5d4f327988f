"""Long work for a person goes one piece at a time while the gateway is busy, and at full speed
while it is not."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import httpx
import pytest

from direct311.runtime.giving_way import MOST_SECONDS, TIMES, GivingWay, YieldingPeer
from direct311.runtime.peers import HttpClient, HttpError

pytestmark = pytest.mark.anyio

PIECE_SECONDS = 0.03


class Work:
    """Pieces that begin together. `most`: how many were in hand at the same time."""

    def __init__(self, *, busy: bool) -> None:
        self.busy = busy
        self.in_hand = self.most = 0
        self.ended: list[float] = []
        self.giving_way = GivingWay(lambda: self.busy)

    async def piece(self) -> None:
        async with self.giving_way.turn():
            self.in_hand += 1
            self.most = max(self.most, self.in_hand)
            await asyncio.sleep(PIECE_SECONDS)
            self.in_hand -= 1
            self.ended.append(time.monotonic())

    async def pieces(self, count: int) -> Sequence[float]:
        """Seconds between the ends of the pieces."""
        await asyncio.gather(*(self.piece() for _ in range(count)))
        return [after - before for before, after in zip(self.ended, self.ended[1:], strict=False)]


async def test_all_pieces_go_at_once_while_the_gateway_is_not_busy() -> None:
    work = Work(busy=False)
    gaps = await work.pieces(5)
    assert work.most == 5
    assert max(gaps) < PIECE_SECONDS


async def test_one_piece_at_a_time_goes_while_it_is_with_a_pause_after_each() -> None:
    work = Work(busy=True)
    gaps = await work.pieces(3)
    assert work.most == 1
    assert min(gaps) >= (1 + TIMES) * PIECE_SECONDS


async def test_the_pause_ends_with_the_burst() -> None:
    work = Work(busy=True)

    async def over() -> None:
        await asyncio.sleep(1.5 * PIECE_SECONDS)
        work.busy = False

    ending = asyncio.create_task(over())
    began = time.monotonic()
    await work.pieces(2)
    await ending
    assert time.monotonic() - began < (2 + TIMES) * PIECE_SECONDS


async def test_a_long_piece_is_followed_by_no_longer_pause() -> None:
    clock = [0.0]

    def busy() -> bool:
        # Each look takes a moment of this clock.
        clock[0] += 0.05
        return True

    async with GivingWay(busy, lambda: clock[0]).turn():
        clock[0] += 100
    assert 100 < clock[0] <= 100 + MOST_SECONDS + 0.15


async def test_a_piece_that_fails_lets_the_next_one_in() -> None:
    giving_way = GivingWay(lambda: True)
    with pytest.raises(ZeroDivisionError):
        async with giving_way.turn():
            raise ZeroDivisionError
    async with asyncio.timeout(1):
        async with giving_way.turn():
            pass


class _Tokens:
    async def get(self) -> str:
        return "own"

    async def exchanged(self, authorization: str) -> str:
        return f"theirs of {authorization}"


async def test_each_post_to_a_yielding_peer_is_a_piece() -> None:
    in_hand = most = 0
    seen: list[httpx.Request] = []

    async def answer(request: httpx.Request) -> httpx.Response:
        nonlocal in_hand, most
        seen.append(request)
        in_hand += 1
        most = max(most, in_hand)
        await asyncio.sleep(0.01)
        in_hand -= 1
        return httpx.Response(409 if request.url.path == "/no" else 200, json={})

    http = HttpClient(transport=httpx.MockTransport(answer))
    peer = YieldingPeer("http://a", http, _Tokens(), GivingWay(lambda: True))
    found: list[Any] = await asyncio.gather(
        *(peer.post("/yes", {"a": 1}, on_behalf_of="Bearer me", seconds=3.0) for _ in range(3))
    )
    assert (found, most, len(seen)) == ([{}, {}, {}], 1, 3)
    assert seen[0].headers["X-On-Behalf-Of"] == "Bearer theirs of Bearer me"
    with pytest.raises(HttpError):
        await peer.post("/no", {})
    await http.close()
