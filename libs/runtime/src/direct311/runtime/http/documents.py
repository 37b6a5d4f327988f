"""Expensive answers, made once: documents, and answers that are kept briefly.

A document does not change while a process runs. It is stored as bytes, made before the first call
and compressed, with an entity tag: a client that already has it gets a one-line answer (RFC 9110,
section 13.1.2).
"""

import asyncio
import gzip
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from hashlib import sha256
from typing import Generic, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from direct311.runtime.access.sign_ins import network_of

FRESH_FOR = 300
"""How many seconds a cache need not ask again."""
WORTH_COMPRESSING = 1_000
"""Bytes."""
MOST_CALLERS = 20_000
"""How many addresses are counted in a minute; further ones are admitted uncounted."""

T = TypeVar("T")


class Built:
    """A document, made when `prepare` is called, or else at the first call for it."""

    def __init__(self, make: Callable[[], bytes], media_type: str) -> None:
        self._make = make
        self._media_type = media_type
        self._body: bytes | None = None
        self._small = b""
        self._tag = ""

    def prepare(self) -> None:
        if self._body is None:
            self._body = self._make()
            if len(self._body) > WORTH_COMPRESSING:
                self._small = gzip.compress(self._body, mtime=0)
            self._tag = sha256(self._body).hexdigest()[:32]

    def answer(self, request: Request) -> Response:
        """The document in a form that the caller accepts, or an answer that the caller already has
        it."""
        self.prepare()
        small = bool(self._small) and takes_gzip(request.headers.get("accept-encoding"))
        tag = f'"{self._tag}-gzip"' if small else f'"{self._tag}"'
        headers = {
            "ETag": tag,
            "Cache-Control": f"public, max-age={FRESH_FOR}",
            "Vary": "Accept-Encoding",
        }
        if is_known(request.headers.get("if-none-match"), tag):
            return Response(None, 304, headers)
        if small:
            headers["Content-Encoding"] = "gzip"
        return Response(self._small if small else self._body, 200, headers, self._media_type)


def is_known(if_none_match: str | None, tag: str) -> bool:
    """Whether the caller has the version with this tag (RFC 9110, section 13.1.2: weak
    comparison)."""
    if not if_none_match:
        return False
    known = {each.strip().removeprefix("W/") for each in if_none_match.split(",")}
    return "*" in known or tag in known


def takes_gzip(accept_encoding: str | None) -> bool:
    """Whether gzip may be sent (RFC 9110, section 12.5.3): the header names it, and not with weight
    zero."""
    for part in (accept_encoding or "").split(","):
        name, _, weight = part.strip().lower().partition(";")
        if name.strip() == "gzip":
            return weight.replace(" ", "").rstrip("0").rstrip(".") not in ("q=", "q")
    return False


class AddressRateLimit:
    """Limits calls per minute from one network address; each copy of a service counts
    separately."""

    def __init__(self, most: int, clock: Callable[[], float] = time.time) -> None:
        self._most = most
        self._clock = clock
        self._minute = 0
        self._taken: Counter[str] = Counter()

    def take(self, address: str | None) -> int | None:
        """Count a call. If there is no room for it, returns the number of seconds until there
        is."""
        now = int(self._clock())
        if now // 60 != self._minute:
            self._minute = now // 60
            self._taken.clear()
        name = network_of(address or "")
        if name not in self._taken and len(self._taken) >= MOST_CALLERS:
            return None
        if self._taken[name] >= self._most:
            return 60 - now % 60
        self._taken[name] += 1
        return None


class ShortLivedCache(Generic[T]):
    """Keeps an expensive answer for ten times as long as it took to make, at most a second, so that
    a caller that asks without pause takes only a tenth of the time."""

    SHARE = 10.0
    LONGEST = 1.0

    def __init__(self, make: Callable[[], Awaitable[T]]) -> None:
        self._make = make
        self._said: asyncio.Task[T] | None = None
        self._good_until = 0.0

    async def get(self) -> T:
        """The last answer, if it is recent enough. Simultaneous callers share one."""
        if self._said is None or (self._said.done() and time.monotonic() >= self._good_until):
            self._said = asyncio.create_task(self._measured())
        return await asyncio.shield(self._said)

    async def _measured(self) -> T:
        began = time.monotonic()
        try:
            return await self._make()
        finally:
            now = time.monotonic()
            self._good_until = now + min(self.SHARE * (now - began), self.LONGEST)
