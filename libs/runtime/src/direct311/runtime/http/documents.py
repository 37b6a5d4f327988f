"""Answers that cost more than they should each time, made once: documents, and briefly kept ones.

A document does not change while a process runs. It is bytes, made before the first call is taken,
and compressed, with an entity tag: who has it is told so in a line (RFC 9110, section 13.1.2).
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
"""Seconds for which a cache need not ask again."""
WORTH_COMPRESSING = 1_000
"""Bytes."""
MOST_CALLERS = 20_000
"""Addresses that are counted in a minute; more are let in uncounted."""

T = TypeVar("T")


class Built:
    """A document, made when `prepare` is called, or else with the first call for it."""

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
        """The document as the caller takes it, or that it is the one that the caller has."""
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
    """Whether the caller has what has this tag (RFC 9110, section 13.1.2: weak comparison)."""
    if not if_none_match:
        return False
    known = {each.strip().removeprefix("W/") for each in if_none_match.split(",")}
    return "*" in known or tag in known


def takes_gzip(accept_encoding: str | None) -> bool:
    """Whether gzip may be sent (RFC 9110, section 12.5.3): named, and not with weight zero."""
    for part in (accept_encoding or "").split(","):
        name, _, weight = part.strip().lower().partition(";")
        if name.strip() == "gzip":
            return weight.replace(" ", "").rstrip("0").rstrip(".") not in ("q=", "q")
    return False


class AddressRateLimit:
    """So many calls a minute of one network address, each copy of a service for itself."""

    def __init__(self, most: int, clock: Callable[[], float] = time.time) -> None:
        self._most = most
        self._clock = clock
        self._minute = 0
        self._taken: Counter[str] = Counter()

    def take(self, address: str | None) -> int | None:
        """Count a call; where there is no room for it, in how many seconds there is."""
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
    """What costs something to say, said again for ten times as long as it took, a second at most:
    whoever asks without pause takes a tenth of the time and not all of it."""

    SHARE = 10.0
    LONGEST = 1.0

    def __init__(self, make: Callable[[], Awaitable[T]]) -> None:
        self._make = make
        self._said: asyncio.Task[T] | None = None
        self._good_until = 0.0

    async def get(self) -> T:
        """What was said last, if that is not too long ago. Callers at the same time share one."""
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
