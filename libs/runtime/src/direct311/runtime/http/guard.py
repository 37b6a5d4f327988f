"""The guard in front of every application: it checks the caller's address, the host and how a body
arrives, and adds the headers that every answer has.

It is plain ASGI and small, because each call passes through it. `direct311.runtime.process` limits
connections and heads below HTTP.
"""

import asyncio
import json
import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from direct311.runtime.errors import RefusedError
from direct311.runtime.http.problem_codes import status_of

Headers = list[tuple[bytes, bytes]]
Network = IPv4Network | IPv6Network

FULLY_RECEIVED = "direct311.whole"
"""An extension of the scope (ASGI, "extensions"): the whole request had arrived before the
application saw its beginning."""

_ONCE = frozenset({b"host", b"content-type", b"authorization", b"idempotency-key", b"origin"})
"""A proxy in front of us could read these headers differently if they are sent twice."""
_DOCS_POLICY = (
    b"default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    b"worker-src blob:; connect-src 'self'; img-src 'self' data:; frame-ancestors 'none'; "
    b"base-uri 'none'"
)
_NOTHING_POLICY = b"default-src 'none'; frame-ancestors 'none'"
_DOCS = ("/docs", "/redoc")
_STRUCTURE = re.compile(rb'["\\\\\[\]{}]')


@dataclass(frozen=True, slots=True)
class Bounds:
    """How a body must arrive.

    There is never a pause longer than `pause` seconds. At least `rate` bytes per second arrive in
    every `span`, however much came before, unless the body ends. All of it arrives within `longest`
    seconds. JSON is nested no deeper than `depth`. Ten minutes are enough for 10 MB at 18 KB a
    second. Sending fast at first earns no extra time, because the data is held until the rest
    arrives.
    """

    pause: float = 10.0
    span: float = 20.0
    rate: float = 4096.0
    longest: float = 600.0
    depth: int = 32


class BodyRefusedError(RefusedError):
    """The body was not read to its end."""


class RequestGuard:
    """An application behind its guard.

    `hosts`: host names that clients may use (without port); if empty, any. `proxies`: networks
    whose `X-Forwarded-For` is believed. `https`: it is reached only through HTTPS.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        hosts: Iterable[str] = (),
        proxies: Iterable[str] = (),
        https: bool = False,
        bounds: Bounds | None = None,
    ) -> None:
        self._app = app
        self._hosts = frozenset(host.lower() for host in hosts)
        self._proxies = tuple(ip_network(each) for each in proxies)
        self._bounds = bounds or Bounds()
        self._always: Headers = [
            (b"x-content-type-options", b"nosniff"),
            (b"referrer-policy", b"no-referrer"),
        ]
        if https:
            self._always.append((b"strict-transport-security", b"max-age=31536000"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        seen = _seen(scope["headers"])
        if self._proxies:
            scope["client"] = (_address(scope, self._proxies), 0)
        body = None
        if b"content-length" in seen or b"transfer-encoding" in seen:
            # Media type names are case-insensitive (RFC 9110, section 8.3.1).
            kind = seen.get(b"content-type", b"").lower()
            depth = self._bounds.depth if b"json" in kind else None
            body = _Body(
                receive,
                self._bounds,
                depth,
                fully_received=FULLY_RECEIVED in (scope.get("extensions") or ()),
            )
            receive = body.receive
        answer = _Answer(send, self._always, scope["path"], body)
        if refused := self._refused(scope, seen):
            await answer.instead(refused)
            return
        await self._app(scope, receive, answer.send)

    def _refused(self, scope: Scope, seen: dict[bytes, bytes]) -> RefusedError | None:
        if b"" in seen:
            return RefusedError("header", f"{seen[b''].decode()} may be sent only once.")
        if self._hosts and not scope["path"].startswith("/health/"):
            name = seen.get(b"host", b"").decode("latin-1").lower()
            host = name.rpartition(":")[0] if name.rpartition(":")[2].isdigit() else name
            if host not in self._hosts:
                return RefusedError("host", "Host must be one of this gateway's names.")
        raw: bytes = scope.get("raw_path") or b""
        if (b"%" in raw or b"/." in raw or b"\\" in raw or b"//" in raw) and _tricky(raw):
            return RefusedError("not_found", "There is nothing at this address.")
        return None


def _seen(headers: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """The headers by name. A header that was sent twice but must not be is under the empty name."""
    seen: dict[bytes, bytes] = {}
    for name, value in headers:
        if name in seen and name in _ONCE:
            seen[b""] = name.title()
        seen[name] = value
    return seen


def _tricky(raw: bytes) -> bool:
    """Whether a proxy may read a path differently: encoded separators and control characters, dots
    that lead up, empty segments."""
    low = raw.lower()
    if any(each in low for each in (b"%2f", b"%5c", b"\\", b"//", b"%00", b"%0a", b"%0d")):
        return True
    return any(segment in (b".", b"..") for segment in low.replace(b"%2e", b".").split(b"/"))


def _address(scope: Scope, proxies: Sequence[Network]) -> str:
    """A call's origin: the last address before the proxies that we trust."""
    peer: str = scope["client"][0] if scope.get("client") else ""
    if not _within(peer, proxies):
        return peer
    said = b",".join(value for name, value in scope["headers"] if name == b"x-forwarded-for")
    for hop in reversed(said.decode("latin-1").split(",")):
        address = hop.strip()
        try:
            ip_address(address)
        except ValueError:
            return peer
        if not _within(address, proxies):
            return address
        peer = address
    return peer


def _within(address: str, networks: Sequence[Network]) -> bool:
    try:
        at = ip_address(address)
    except ValueError:
        return False
    return any(at in network for network in networks)


class _Body:
    """A body as it arrives; `fully_received`: all of it has arrived. `refusal`: why it was
    refused."""

    def __init__(
        self, receive: Receive, bounds: Bounds, depth: int | None, *, fully_received: bool
    ) -> None:
        self._receive = receive
        self._fully_received = fully_received
        self._bounds = bounds
        self._nesting = None if depth is None else _Nesting(depth)
        self._started = self._since = time.monotonic()
        # How many bytes arrived since then, the beginning of a span.
        self._bytes = 0
        self.complete = False
        self.refusal: RefusedError | None = None

    async def receive(self) -> Message:
        if self.complete:
            # The application is waiting for the client to disconnect.
            return await self._receive()
        # A body that is already there needs no timer: one per call costs a sixtieth of a
        # submission.
        message = await (self._receive() if self._fully_received else self._in_time())
        if message["type"] != "http.request":
            return message
        piece = message.get("body", b"")
        self.complete = not message.get("more_body", False)
        if self._nesting is not None and self._nesting.too_deep(piece, self.complete):
            depth = self._bounds.depth
            raise self._refuse("too_deep", f"JSON may be nested at most {depth} levels deep.")
        return message

    async def _in_time(self) -> Message:
        bounds, now = self._bounds, time.monotonic()
        if self._bytes >= bounds.rate * bounds.span:
            self._since, self._bytes = now, 0
        until = min(now + bounds.pause, self._since + bounds.span, self._started + bounds.longest)
        try:
            async with asyncio.timeout(max(0.0, until - now)):
                message = await self._receive()
        except TimeoutError:
            raise self._refuse("too_slow", "The body did not arrive in time.") from None
        self._bytes += len(message.get("body", b""))
        return message

    def _refuse(self, code: str, detail: str) -> RefusedError:
        self.refusal = BodyRefusedError(code, detail)
        return self.refusal


class _Nesting:
    """How deep JSON is nested, piece by piece, without parsing it."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._opened = 0
        self._depth = 0
        self._in_text = False
        self._escaped = False

    def too_deep(self, piece: bytes, last: bool) -> bool:
        self._opened += piece.count(b"[") + piece.count(b"{")
        if last and self._opened <= self._most:
            # This few brackets cannot be nested deeper, whatever else the body contains.
            return False
        skip = 0 if self._escaped else -1
        self._escaped = False
        for found in _STRUCTURE.finditer(piece):
            at, sign = found.start(), found[0]
            if at == skip:
                continue
            if self._in_text:
                if sign == b"\\":
                    skip = at + 1
                    self._escaped = skip == len(piece)
                elif sign == b'"':
                    self._in_text = False
            elif sign == b'"':
                self._in_text = True
            elif sign in b"[{":
                self._depth += 1
                if self._depth > self._most:
                    return True
            elif sign in b"]}":
                self._depth -= 1
        return False


class _Answer:
    """The outgoing answer: adds missing headers, or replaces it with another answer."""

    def __init__(self, send: Send, always: Headers, path: str, body: _Body | None) -> None:
        self._send = send
        self._always = always
        self._path = path
        self._body = body
        self._replaced = False

    async def send(self, message: Message) -> None:
        if self._replaced:
            return
        if message["type"] != "http.response.start":
            await self._send(message)
            return
        given: Headers = list(message.get("headers", ()))
        refusal = self._body.refusal if self._body else None
        if refusal is not None and (
            message["status"] != status_of(refusal)
            or (b"content-type", b"application/problem+json") in given
        ):
            # A framework that reads the body takes the guard's refusal for something else. If the
            # application knows the refusal, it answers in the format that the client asked for.
            await self.instead(refusal)
            return
        names = {name for name, _ in given}
        headers = [*given, *self._always]
        if b"cache-control" not in names:
            headers.append((b"cache-control", b"no-store"))
        if b"content-security-policy" not in names:
            docs = self._path.startswith(_DOCS)
            headers.append((b"content-security-policy", _DOCS_POLICY if docs else _NOTHING_POLICY))
        if self._body is not None and not self._body.complete:
            # Nobody will read the rest, so the client should stop sending it.
            headers.append((b"connection", b"close"))
        await self._send({**message, "headers": headers})

    async def instead(self, refused: RefusedError) -> None:
        """Answer with this, whatever the application answers."""
        problem = {
            "type": f"urn:direct311:problem:{refused.code}",
            "title": refused.code.replace("_", " "),
            "status": status_of(refused),
            "detail": refused.detail,
        }
        body = json.dumps(problem).encode()
        start: Message = {
            "type": "http.response.start",
            "status": status_of(refused),
            "headers": [
                (b"content-type", b"application/problem+json"),
                (b"content-length", str(len(body)).encode()),
                (b"connection", b"close"),
            ],
        }
        refusal, self._body = self._body, None
        await self.send(start)
        self._replaced = True
        self._body = refusal
        await self._send({"type": "http.response.body", "body": body})
