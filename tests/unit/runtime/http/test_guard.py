"""The front of every service, in bytes on real sockets: who is slow is cut, what is ambiguous is
refused, nothing of it is echoed, and every answer has its headers."""

import asyncio
import contextlib
import json
import socket
import time
from collections.abc import Iterable, Iterator
from types import SimpleNamespace

import pytest
from fastapi import FastAPI, Request
from starlette.responses import Response
from starlette.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send

from direct311.runtime.http import guard as of_front
from direct311.runtime.http.api import install
from direct311.runtime.http.guard import BodyRefusedError, Bounds, RequestGuard
from direct311.runtime.http.health import Readiness
from direct311.runtime.telemetry import Metrics
from direct311.schemas import Model
from tests.support.served import Served, read, served

CANARY = b"Maria-Lopez"
QUICK = Bounds(pause=0.5, span=1.0, rate=2_000.0, longest=3.0, depth=8)


class Question(Model):
    text: str = ""
    inner: object = None


def application() -> FastAPI:
    app = FastAPI()

    @app.post("/questions")
    async def questions(question: Question) -> str:
        return "taken"

    @app.get("/where")
    async def where(request: Request) -> str:
        return request.client.host if request.client else ""

    @app.get("/large")
    async def large() -> Response:
        return Response(b"x" * 50_000_000)

    @app.get("/own")
    async def own() -> Response:
        return Response(b"", headers={"Cache-Control": "public", "Content-Security-Policy": "x"})

    @app.get("/bug")
    async def bug() -> str:
        raise ValueError(CANARY.decode())

    install(app, Readiness(), Metrics())
    return app


@pytest.fixture(scope="module")
def guard() -> Iterator[Served]:
    with served(
        RequestGuard(application(), hosts=["good.example", "localhost"], bounds=QUICK)
    ) as one:
        yield one


def post(body: bytes, *headers: bytes, length: int | None = None) -> bytes:
    given = b"".join(header + b"\r\n" for header in headers)
    count = len(body) if length is None else length
    return (
        b"POST /questions HTTP/1.1\r\nHost: good.example\r\nConnection: close\r\n"
        b"Content-Type: application/json\r\n%sContent-Length: %d\r\n\r\n%s" % (given, count, body)
    )


def get(path: bytes, *headers: bytes, host: bytes = b"Host: good.example") -> bytes:
    lines = [b"GET %s HTTP/1.1" % path, *([host] if host else []), *headers, b"Connection: close"]
    return b"\r\n".join([*lines, b"", b""])


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.1 ") else 0


# ---------------------------------------------------------------- slow clients


def test_a_client_that_sends_nothing_is_cut(guard: Served) -> None:
    started = time.monotonic()
    assert guard.say() == b""
    assert time.monotonic() - started < 10


@pytest.mark.parametrize("first", [b"G", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost: good"])
def test_a_head_that_does_not_end_is_cut(guard: Served, first: bytes) -> None:
    assert guard.say(first) == b""


def test_a_head_that_trickles_is_cut_however_often_a_byte_comes(guard: Served) -> None:
    started = time.monotonic()
    with socket.create_connection(("127.0.0.1", guard.port), timeout=20) as raw:
        raw.sendall(b"GET / HTTP/1.1\r\n")
        with contextlib.suppress(OSError):
            while time.monotonic() - started < 15:
                raw.sendall(b"X: 1\r\n")
                time.sleep(0.05)
    assert time.monotonic() - started < 10


def test_a_second_request_on_a_connection_is_watched_too(guard: Served) -> None:
    first = b"GET /where HTTP/1.1\r\nHost: good.example\r\n\r\n"
    with socket.create_connection(("127.0.0.1", guard.port), timeout=20) as raw:
        raw.sendall(first)
        assert raw.recv(10_000).startswith(b"HTTP/1.1 200")
        raw.sendall(b"GET /where HT")
        assert read(raw) == b""


def test_a_body_that_stops_is_answered_408_and_the_connection_closed(guard: Served) -> None:
    answer = guard.say(post(b'{"text": "', length=1000))
    assert status(answer) == 408
    assert b"urn:direct311:problem:too_slow" in answer
    assert b"connection: close" in answer.lower()


def test_a_body_that_stops_behind_a_whole_request_is_answered_408(guard: Served) -> None:
    """Each request on a connection says for itself whether its body is there."""
    whole = post(b'{"text": "x"}').replace(b"Connection: close\r\n", b"")
    answer = guard.say(whole + post(b'{"text": "', length=1000))
    first, _, second = answer.partition(b"taken")
    assert status(first) == 200
    assert b"HTTP/1.1 408" in second


def test_a_body_that_trickles_is_answered_408(guard: Served) -> None:
    pieces = [post(b'{"text": "', length=10_000), *[CANARY[:1]] * 60]
    answer = guard.say(*pieces, pause=0.05)
    assert status(answer) == 408
    assert CANARY not in answer


def test_a_large_body_that_comes_fast_enough_is_taken(guard: Served) -> None:
    body = json.dumps({"text": "x" * 8_000}).encode()
    pieces = [body[at : at + 1000] for at in range(0, len(body), 1000)]
    answer = guard.say(post(b"", length=len(body)), *pieces, pause=0.15)
    assert status(answer) == 200


def trickle(guard: Served, first: bytes, piece: bytes, pause: float) -> tuple[bytes, float]:
    """Say this, and then pieces until the answer is there; it, and after how many seconds."""
    started = time.monotonic()
    with socket.create_connection(("127.0.0.1", guard.port), timeout=pause) as raw:
        raw.sendall(post(b'{"text": "' + first, length=1_000_000))
        while time.monotonic() - started < 15:
            with contextlib.suppress(TimeoutError):
                return raw.recv(10_000), time.monotonic() - started
            with contextlib.suppress(OSError):
                raw.sendall(piece)
    return b"", time.monotonic() - started


def test_what_came_fast_earns_no_time_for_a_trickle(guard: Served) -> None:
    answer, seconds = trickle(guard, b"x" * 100_000, b"x", 0.1)
    assert status(answer) == 408
    assert seconds < QUICK.longest


def test_a_body_that_comes_as_slowly_as_may_be_has_its_end(guard: Served) -> None:
    answer, seconds = trickle(guard, b"", b"x" * 500, 0.1)
    assert status(answer) == 408
    assert QUICK.longest - 0.1 < seconds < QUICK.longest + 5


def taken_after(
    monkeypatch: pytest.MonkeyPatch, pieces: Iterable[tuple[float, int]]
) -> tuple[float, bool]:
    """How many seconds a body was read for, under the bounds of every process, and whether to its
    end. A piece: after how many seconds it comes, its bytes."""
    clock = [0.0]
    monkeypatch.setattr(of_front, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    left = list(pieces)

    async def receive() -> Message:
        seconds, count = left.pop(0)
        clock[0] += seconds
        for _ in range(3):
            # A time that is over gets its turn.
            await asyncio.sleep(0)
        return {"type": "http.request", "body": b"x" * count, "more_body": bool(left)}

    async def reading(scope: Scope, receive: Receive, send: Send) -> None:
        with contextlib.suppress(BodyRefusedError):
            while (await receive())["more_body"]:
                pass

    async def send(_: Message) -> None:
        raise AssertionError("answered")

    scope = {"type": "http", "path": "/", "headers": [(b"content-length", b"1")], "client": None}
    asyncio.run(RequestGuard(reading)(scope, receive, send))
    return clock[0], not left


def test_a_slow_telephone_sends_its_ten_megabytes(monkeypatch: pytest.MonkeyPatch) -> None:
    pieces = [(0.5, 15_000)] * 667
    assert taken_after(monkeypatch, pieces) == (333.5, True)


@pytest.mark.parametrize(
    ("pieces", "most"),
    [
        ([(0.01, 1_000_000)] * 200 + [(9.0, 1)] * 1_000, 40),
        ([(0.01, 1_000_000)] * 100 + [(0.25, 2_000)] * 4_000, 601),
        ([(0.01, 1_000_000)] * 10 + [(0.5, 1_000)] * 4_000, 40),
    ],
    ids=["a byte every nine seconds", "for ever fast enough", "half as fast as must be"],
)
def test_nobody_is_waited_for_by_the_hour(
    monkeypatch: pytest.MonkeyPatch, pieces: list[tuple[float, int]], most: float
) -> None:
    seconds, whole = taken_after(monkeypatch, pieces)
    assert not whole
    assert seconds <= most


def test_who_does_not_take_the_answer_is_cut(guard: Served) -> None:
    with socket.create_connection(("127.0.0.1", guard.port), timeout=20) as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.sendall(get(b"/large"))
        # Nothing is read until the server has given up: its next call shows that it has.
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline:
            try:
                raw.send(b"\r\n")
            except OSError:
                break
            time.sleep(0.05)
        assert len(read(raw)) < 50_000_000


def test_so_many_connections_and_no_more() -> None:
    with served(RequestGuard(application()), most=3) as one:
        held = [socket.create_connection(("127.0.0.1", one.port)) for _ in range(3)]
        try:
            assert status(one.say(get(b"/where"))) == 503
        finally:
            for each in held:
                each.close()


# ---------------------------------------------------------------- what is ambiguous

BAD = {
    "two lengths": (
        b"POST /questions HTTP/1.1\r\nHost: good.example\r\nContent-Length: 2\r\n"
        b"Content-Length: 11\r\n\r\n{}Maria-Lopez",
        400,
    ),
    "length and chunks": (
        b"POST /questions HTTP/1.1\r\nHost: good.example\r\nContent-Length: 2\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    "no number": (post(b"{}").replace(b"Length: 2", b"Length: +2"), 400),
    "a chunk of no size": (
        b"POST /questions HTTP/1.1\r\nHost: good.example\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"Maria-Lopez\r\n",
        400,
    ),
    "two hosts": (get(b"/where", b"Host: evil.example"), 400),
    "no host": (get(b"/where", host=b""), 400),
    "another host": (get(b"/where", host=b"Host: Maria-Lopez"), 400),
    "a host with another's name in front": (
        get(b"/where", host=b"Host: good.example@evil.example"),
        400,
    ),
    "a folded header": (get(b"/where", b"X: 1\r\n Maria-Lopez: 2"), 400),
    "a bare line end": (get(b"/where", b"X: 1\nMaria-Lopez"), 400),
    "a space before the colon": (get(b"/where", b"Maria-Lopez : 2"), 400),
    "a null": (get(b"/where", b"X: \x00Maria-Lopez"), 400),
    "two types": (post(b"{}", b"Content-Type: text/Maria-Lopez"), 400),
    "two tokens": (get(b"/where", b"Authorization: a", b"Authorization: b"), 400),
    "no method": (b"\x16\x03\x01Maria-Lopez\r\n\r\n", 400),
    "a head beyond measure": (get(b"/where", b"X: " + b"Maria-Lopez" * 100_000), 400),
    "dots": (get(b"/v1/../where"), 404),
    "dots in code": (get(b"/v1/%2e%2e/where"), 404),
    "a slash in code": (get(b"/where%2f..%2Fwhere"), 404),
    "a backslash": (get(b"/where%5cx"), 404),
    "two slashes": (get(b"//where"), 404),
    "a null in the path": (get(b"/where%00"), 404),
    "a line end in the path": (get(b"/where%0d%0aX:Maria-Lopez"), 404),
}


@pytest.mark.parametrize("case", BAD.values(), ids=BAD)
def test_what_can_be_read_in_two_ways_is_refused(guard: Served, case: tuple[bytes, int]) -> None:
    sent, expected = case
    answer = guard.say(sent)
    assert status(answer) == expected
    assert CANARY not in answer
    assert b"taken" not in answer


@pytest.mark.parametrize("host", [b"good.example", b"GOOD.example:8080", b"localhost:1"])
def test_a_host_of_ours_is_served(guard: Served, host: bytes) -> None:
    assert status(guard.say(get(b"/where", host=b"Host: " + host))) == 200


# ---------------------------------------------------------------- JSON


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"inner": %s}' % (b"[" * 7 + b"]" * 7), 200),
        (b'{"inner": %s}' % (b"[" * 8 + b"]" * 8), 400),
        (b'{"inner": %s}' % (b'{"a":' * 8 + b"1" + b"}" * 8), 400),
        (b'{"text": "%s"}' % (b"[{" * 500), 200),
        (b'{"text": "\\"%s"}' % (b"[" * 500), 200),
        (b"[" * 100_000, 400),
        (b'{"inner": [%s]}' % b",".join([b"[1]"] * 500), 200),
    ],
    ids=["deep", "too deep", "objects", "brackets in a text", "after a quote", "bomb", "wide"],
)
@pytest.mark.parametrize("pieces", [1, 7])
def test_json_is_so_deep_and_no_deeper(
    guard: Served, body: bytes, expected: int, pieces: int
) -> None:
    whole = post(body)
    size = -(-len(whole) // pieces)
    parts = [whole[at : at + size] for at in range(0, len(whole), size)]
    answer = guard.say(*parts, pause=0.01)
    assert status(answer) == expected
    if expected == 400:
        assert b"urn:direct311:problem:too_deep" in answer


@pytest.mark.parametrize("kind", [b"application/JSON", b"Application/Problem+Json; charset=utf-8"])
def test_json_is_known_however_its_name_is_written(guard: Served, kind: bytes) -> None:
    sent = post(b"[" * 100).replace(b"application/json", kind)
    assert status(guard.say(sent)) == 400


# ---------------------------------------------------------------- addresses and headers


@pytest.mark.parametrize(
    ("forwarded", "expected"),
    [
        ([], "testclient"),
        (["203.0.113.9"], "testclient"),
    ],
)
def test_nobody_is_believed_where_no_proxy_is_named(forwarded: list[str], expected: str) -> None:
    client = TestClient(RequestGuard(application()))
    headers = [("x-forwarded-for", each) for each in forwarded]
    assert client.get("/where", headers=dict(headers)).json() == expected


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("10.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "198.51.100.1, 203.0.113.9, 10.0.0.7", "203.0.113.9"),
        ("10.0.0.1", "198.51.100.1, nonsense", "10.0.0.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "10.0.0.2", "10.0.0.2"),
        ("192.0.2.4", "203.0.113.9", "192.0.2.4"),
        ("2001:db8::1", "2001:db8:1::2", "2001:db8:1::2"),
    ],
)
def test_a_proxy_of_ours_says_where_a_call_came_from(
    peer: str, forwarded: str, expected: str
) -> None:
    guard = RequestGuard(application(), proxies=["10.0.0.0/8", "2001:db8::/64"])
    client = TestClient(guard, client=(peer, 1))
    assert client.get("/where", headers={"x-forwarded-for": forwarded}).json() == expected


@pytest.mark.parametrize("path", ["/where", "/nowhere", "/bug", "/docs", "/openapi.json"])
def test_every_answer_has_its_headers(path: str) -> None:
    client = TestClient(RequestGuard(application(), https=True), raise_server_exceptions=False)
    answer = client.get(path)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["strict-transport-security"].startswith("max-age=")
    assert answer.headers["cache-control"] == "no-store"
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "frame-ancestors 'none'" in policy
    assert ("script-src" in policy) == (path == "/docs")
    # No page loads anything from elsewhere.
    assert "://" not in policy
    assert CANARY.decode() not in answer.text


def test_what_an_answer_says_of_itself_stays() -> None:
    headers = TestClient(RequestGuard(application())).get("/own").headers
    assert (headers["cache-control"], headers["content-security-policy"]) == ("public", "x")
    assert "strict-transport-security" not in headers
