"""Calls to others: an answer that is not as it should be is an `HttpError`, and nothing else."""

import contextlib
import gzip
import socket
import struct
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, cast

import httpx
import pytest
import uvloop

from direct311.runtime.peers import HttpClient, HttpError

pytestmark = pytest.mark.anyio
NESTED = 100_000 * b"["


class Endless(httpx.AsyncByteStream):
    """A body without an end; `sent` pieces of it were taken."""

    def __init__(self) -> None:
        self.sent = 0
        self.closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            self.sent += 1
            yield 1_000 * b"x"

    async def aclose(self) -> None:
        self.closed = True


def answering(answer: httpx.Response) -> HttpClient:
    return HttpClient(transport=httpx.MockTransport(lambda request: answer))


async def received(http: HttpClient) -> tuple[Mapping[str, str], bytes]:
    async with http.post_for_pieces("http://a", {}, seconds=5) as answer:
        return answer.headers, b"".join([piece async for piece in answer.pieces])


async def fetched(http: HttpClient) -> tuple[Mapping[str, str], bytes]:
    async with http.get_for_pieces("http://a", seconds=5) as answer:
        return answer.headers, b"".join([piece async for piece in answer.pieces])


Call = Callable[[HttpClient], Awaitable[object]]
CALLS: dict[str, Call] = {
    "get_json": lambda http: http.get_json("http://a"),
    "post_json": lambda http: http.post_json("http://a", {}),
    "post_form": lambda http: http.post_form("http://a", {}),
    "post_multipart": lambda http: http.post_multipart("http://a", []),
    "post_bytes": lambda http: http.post_bytes("http://a", b"", most=200_000),
    "post_for_pieces": lambda http: received(http),
    "get_for_pieces": lambda http: fetched(http),
    "post_stream": lambda http: http.post_stream("http://a", {}, bytearray().extend),
}


@pytest.mark.parametrize("status", [200, 409])
@pytest.mark.parametrize("call", ["get_json", "post_json", "post_form", "post_multipart"])
async def test_json_that_is_nested_too_deep_is_none(call: str, status: int) -> None:
    with pytest.raises(HttpError) as raised:
        await CALLS[call](answering(httpx.Response(status, content=NESTED)))
    assert (raised.value.status, raised.value.problem) == (status, None)


@pytest.mark.parametrize("call", CALLS)
async def test_a_refusal_brings_its_reason_where_that_is_json(call: str) -> None:
    for body, problem in ((b'{"title":"no"}', {"title": "no"}), (b"no", None), (NESTED, None)):
        with pytest.raises(HttpError) as raised:
            await CALLS[call](answering(httpx.Response(409, content=body)))
        assert (raised.value.status, raised.value.problem) == (409, problem)


@pytest.mark.parametrize("status", [200, 409, 503])
async def test_a_longer_answer_than_was_asked_for_is_not_read_on(status: int) -> None:
    body = Endless()
    with pytest.raises(HttpError) as raised:
        await answering(httpx.Response(status, stream=body)).post_bytes("http://a", b"", most=5_000)
    assert (raised.value.status, raised.value.problem) == (status, None)
    assert (body.sent, body.closed) == (6, True)


async def test_an_answer_of_the_size_that_was_asked_for_is_whole() -> None:
    http = answering(httpx.Response(200, content=5_000 * b"x"))
    assert await http.post_bytes("http://a", b"", most=5_000) == 5_000 * b"x"
    with pytest.raises(HttpError):
        await http.post_bytes("http://a", b"", most=4_999)


async def test_a_packed_answer_is_not_unpacked() -> None:
    asked: list[str] = []
    packed = httpx.ByteStream(gzip.compress(100 * b"x"))

    def reply(request: httpx.Request) -> httpx.Response:
        asked.append(request.headers["accept-encoding"])
        return httpx.Response(200, headers={"content-encoding": "gzip"}, stream=packed)

    http = HttpClient(transport=httpx.MockTransport(reply))
    with pytest.raises(HttpError):
        await http.post_bytes("http://a", b"", most=5_000)
    assert asked == ["identity"]


@pytest.mark.parametrize("received", [received, fetched])
async def test_an_answer_that_comes_in_pieces_is_never_unpacked_and_may_break_off(
    received: Call,
) -> None:
    found = httpx.Response(200, headers={"X-Name": "a"}, content=5_000 * b"x")
    headers, content = cast(Any, await received(answering(found)))
    assert (headers["x-name"], content) == ("a", 5_000 * b"x")
    packed = httpx.ByteStream(gzip.compress(100 * b"x"))
    answer = httpx.Response(200, headers={"content-encoding": "gzip"}, stream=packed)
    with pytest.raises(HttpError):
        await received(answering(answer))
    waiting = httpx.Response(503, headers={"Retry-After": "7"})
    with pytest.raises(HttpError) as raised:
        await received(answering(waiting))
    assert raised.value.retry_after == 7

    class Torn(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            yield b"first"
            raise httpx.RemoteProtocolError("torn")

    with pytest.raises(HttpError) as raised:
        await received(answering(httpx.Response(200, stream=Torn())))
    assert raised.value.status is None


async def test_an_answer_in_pieces_is_closed_by_leaving_it_and_a_refusal_is_not_read_on() -> None:
    body = Endless()
    async with answering(httpx.Response(200, stream=body)).post_for_pieces(
        "http://a", {}, seconds=5
    ) as answer:
        assert await anext(answer.pieces) == 1_000 * b"x"
    assert (body.sent, body.closed) == (1, True)
    body = Endless()
    with pytest.raises(HttpError) as raised:
        await received(answering(httpx.Response(409, stream=body)))
    assert (raised.value.status, raised.value.problem, body.closed) == (409, None, True)
    assert body.sent < 100


def test_who_drops_a_connection_at_once_gave_no_answer() -> None:
    """A process that is killed while it accepts: seen with the event loop of the services alone,
    and then about once in a hundred connections."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"

        def drop() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    linger = struct.pack("ii", 1, 0)
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                    connection.close()

        async def ask() -> None:
            http = HttpClient()
            for _ in range(600):
                with pytest.raises(HttpError):
                    await http.get_json(url)
            await http.close()

        dropping = threading.Thread(target=drop, daemon=True)
        dropping.start()
        uvloop.run(ask())
        server.shutdown(socket.SHUT_RDWR)
        dropping.join(5)


async def test_a_library_that_stumbles_over_a_lost_socket_gave_no_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def lost(*_: object) -> httpx.Response:
        raise AttributeError("'NoneType' object has no attribute 'getpeername'")

    monkeypatch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", lost)
    http = HttpClient()
    with pytest.raises(HttpError) as raised:
        await http.get_json("http://127.0.0.1:9/")
    assert (raised.value.status, raised.value.unsure) == (None, False)
    await http.close()
