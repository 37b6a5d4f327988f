"""What holds a call or a key gives it up when its reader goes, also before the first byte."""

from collections.abc import AsyncGenerator
from typing import Any

import anyio
import pytest

from direct311.runtime.arriving import Arriving, begun_with
from direct311.runtime.http.downloads import Download

pytestmark = pytest.mark.anyio


class Call:
    """A call whose answer is read piece by piece."""

    def __init__(self) -> None:
        self.closed = 0

    async def close(self) -> None:
        self.closed += 1

    async def pieces(self) -> AsyncGenerator[bytes]:
        for each in (b"a", b"b"):
            yield each

    def arriving(self) -> Arriving:
        return Arriving(self.pieces(), self.close)


async def served(download: Download, *, gone: bool) -> list[dict[str, Any]]:
    """What the server sends, to a reader who is there or went away before the first byte."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        if not gone:
            await anyio.sleep_forever()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if gone:
            await anyio.sleep_forever()
        sent.append(message)

    scope = {"type": "http", "asgi": {"spec_version": "2.3"}, "method": "GET"}
    with anyio.fail_after(5):
        await download(scope, receive, send)
    return sent


def answer(content: AsyncGenerator[bytes]) -> Download:
    return Download(content, media_type="application/zip", headers={"Content-Length": "2"})


async def test_a_reader_gets_all_of_it_and_the_call_is_closed() -> None:
    call = Call()
    sent = await served(answer(call.arriving()), gone=False)
    assert b"".join(each.get("body", b"") for each in sent) == b"ab"
    assert call.closed == 1


async def test_a_call_is_closed_though_its_reader_went_before_the_first_byte() -> None:
    call = Call()
    await served(answer(call.arriving()), gone=True)
    assert call.closed == 1


async def test_what_was_begun_is_closed_though_nobody_reads_the_first_piece() -> None:
    call = Call()
    reading = call.arriving()
    rest = begun_with(await anext(reading), reading)
    await served(answer(rest), gone=True)
    assert call.closed == 1


async def test_the_first_piece_comes_first() -> None:
    call = Call()
    reading = call.arriving()
    rest = begun_with(await anext(reading), reading)
    assert [each async for each in rest] == [b"a", b"b"]
    await rest.aclose()
    assert call.closed == 1


async def test_an_error_of_the_reader_reaches_the_pieces() -> None:
    call = Call()
    reading = call.arriving()
    await anext(reading)
    with pytest.raises(LookupError):
        await reading.athrow(LookupError())
    await reading.aclose()
    assert call.closed == 1
