"""What stands before intake's calls: the limit of reads without key, and CORS by client.

Plain ASGI: `GET services` is to cost little more than its bytes.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import parse_qs

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from direct311.intake.domain.clients import Client
from direct311.intake.entrypoints.feeds import ATOM_ROWS, GEOJSON_ROWS, MOST_ROWS
from direct311.intake.handlers.reads import ReadLimits, SharedNames
from direct311.intake.open311 import render
from direct311.intake.open311.problems import Problem
from direct311.intake.open311.queries import LISTS, charge_of, charge_of_feed, charge_of_list
from direct311.intake.open311.render import MEDIA_TYPES
from direct311.intake.ports import KnownClients
from direct311.runtime.api import problem

UNCOUNTED = ("/health/", "/metrics", "/internal/")
"""Asked by machines of ours. The front proxy lets nobody else at them."""
OPEN = (
    "/open311/",
    "/v1/policy",
    "/v1/requests/nearby",
    "/v1/requests.atom",
    "/v1/requests.geojson",
)
"""What anybody may read, from any page of the web: it is the same for everybody, and no cookie and
no token plays a part in it."""
TOO_OFTEN = "Too many reads from this address in a minute; see Retry-After."
_LIST = "/open311/v2/requests."
_WEIGHTS = {
    # As many rows as are looked at.
    "/v1/requests/nearby": charge_of(MOST_ROWS),
    # By its bytes, where it is not taken compressed.
    "/openapi.json": 10,
    # It may be a question to the identity provider.
    "/staff/callback": 10,
}
_FEEDS = {"/v1/requests.atom": ATOM_ROWS, "/v1/requests.geojson": GEOJSON_ROWS}
METHODS = b"GET, POST, DELETE"
HEADERS = b"Authorization, Content-Type, Idempotency-Key, Accept-Language, X-Api-Key"
SECONDS = b"600"


class Callers:
    """Who calls, and how often each may read: an address `most` times a minute, a client with a key
    for reading as its quota says."""

    def __init__(
        self,
        limits: ReadLimits,
        names: SharedNames,
        reader: Callable[[str], Client | None],
        most: int,
    ) -> None:
        self._limits = limits
        self._names = names
        self._reader = reader
        self._most = most

    def name(self, scope: Scope) -> str:
        """A name for the call's address, good for this day."""
        return self._names.name(scope["client"][0] if scope.get("client") else "")

    def take(self, scope: Scope) -> int | None:
        """Count a read; where there is no room for it, in how many seconds there is."""
        name, most = self._reading(scope)
        return self._limits.take(name, most, _charge(scope))

    @contextmanager
    def ahead(self, scope: Scope, most: int) -> Iterator["Ahead"]:
        """A read that was let in, counted once, and may have `most` rows: counted as one of so many
        while it is answered, so that others at the same time find no room, and in the end by its
        `rows`."""
        name, _ = self._reading(scope)
        more = charge_of(most) - 1
        minute = self._limits.add(name, more)
        ahead = Ahead()
        try:
            yield ahead
        finally:
            self._limits.give_back(name, more + 1 - charge_of(ahead.rows), minute)

    def _reading(self, scope: Scope) -> tuple[str, int]:
        query: bytes = scope["query_string"]
        if b"api_key=" in query:
            client = self._reader(_given_key(query))
            if client is not None:
                return f"client:{client.client_id}", client.quota.reads
        return self.name(scope), self._most


@dataclass(slots=True)
class Ahead:
    """What a read had in the end."""

    rows: int = 0


class ReadLimited:
    """Refuses reads (429) of a caller that has read too often this minute."""

    def __init__(self, app: ASGIApp, *, callers: Callers) -> None:
        self._app = app
        self._callers = callers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] in ("GET", "HEAD"):
            path: str = scope["path"]
            if not path.startswith(UNCOUNTED):
                wait = self._callers.take(scope)
                if wait is not None:
                    await _too_often(path, wait)(scope, receive, send)
                    return
        await self._app(scope, receive, send)


def _charge(scope: Scope) -> int:
    """As how many reads a call counts, by what is asked for."""
    path: str = scope["path"]
    if path.startswith(_LIST):
        return charge_of_list(parameters(QueryParams(scope["query_string"])))
    if path in _FEEDS:
        query = QueryParams(scope["query_string"])
        return charge_of_feed(query.get("limit"), _FEEDS[path], query.get("service_code"))
    return _WEIGHTS.get(path, 1)


def parameters(query: QueryParams) -> dict[str, str]:
    """A call's parameters; a list that is sent in several parts is one."""
    found = dict(query)
    for name in LISTS & found.keys():
        found[name] = ",".join(query.getlist(name))
    return found


def _given_key(query: bytes) -> str:
    try:
        found = parse_qs(query.decode("latin-1"), max_num_fields=300)
    except ValueError:
        # Too many parameters: who answers says so.
        return ""
    return found.get("api_key", [""])[0].strip()


class FailedKeys:
    """Counts calls with a key that is none, so that nobody tries them by the million."""

    def __init__(self, limits: ReadLimits, names: SharedNames, most: int) -> None:
        self._limits = limits
        self._names = names
        self._most = most

    def wait(self, request: Request) -> int | None:
        """Count one; in how many seconds the caller may try again, where that is too many."""
        address = request.client.host if request.client else ""
        return self._limits.take(f"keys:{self._names.name(address)}", self._most)


def _too_often(path: str, wait: int) -> Response:
    if not path.startswith("/open311/"):
        return problem(429, "too_often", TOO_OFTEN, retry_after=wait)
    form: render.Format = "xml" if path.endswith(".xml") else "json"
    body = render.errors([Problem(429, "", TOO_OFTEN)], form)
    return Response(body, 429, {"Retry-After": str(wait)}, MEDIA_TYPES[form])


class CrossOrigin:
    """CORS (Fetch standard, section 3.2): what is open to anybody is so from any page; all else is
    only from pages that a client names as its own. No cookie is ever let through."""

    def __init__(self, app: ASGIApp, *, clients: KnownClients, own_origin: str) -> None:
        self._app = app
        self._clients = clients
        self._own = own_origin

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        origin = _header(scope, b"origin")
        if origin is None:
            if not _is_open(scope):
                await self._app(scope, receive, send)
                return
            # A cache that keeps the answer may give it to a page.
            await self._app(scope, receive, _with(send, [_ANY]))
            return
        wanted = _header(scope, b"access-control-request-method")
        if scope["method"] == "OPTIONS" and wanted is not None:
            await self._preflight(scope, origin, wanted)(scope, receive, send)
            return
        if _is_open(scope):
            headers = [_ANY, _EXPOSED]
        elif self._known(origin):
            allowed = (b"access-control-allow-origin", origin.encode("latin-1"))
            headers = [allowed, _EXPOSED, _VARY]
        else:
            headers = [_VARY]
        await self._app(scope, receive, _with(send, headers))

    def _known(self, origin: str) -> bool:
        return origin == self._own or self._clients.has_origin(origin)

    def _preflight(self, scope: Scope, origin: str, wanted: str) -> Response:
        reads = wanted in ("GET", "HEAD") and scope["path"].startswith(OPEN)
        if scope["path"].startswith(UNCOUNTED) or not (reads or self._known(origin)):
            return problem(403, "origin", "No client may be used from this origin.", field="Origin")
        answer = Response(status_code=204)
        allowed = b"*" if reads else origin.encode("latin-1")
        answer.raw_headers += [
            (b"access-control-allow-origin", allowed),
            (b"access-control-allow-methods", METHODS),
            (b"access-control-allow-headers", HEADERS),
            (b"access-control-max-age", SECONDS),
            _VARY,
        ]
        return answer


_ANY = (b"access-control-allow-origin", b"*")
_EXPOSED = (b"access-control-expose-headers", b"ETag, Retry-After")
_VARY = (b"vary", b"Origin")


def _is_open(scope: Scope) -> bool:
    return scope["method"] in ("GET", "HEAD") and scope["path"].startswith(OPEN)


def _header(scope: Scope, wanted: bytes) -> str | None:
    for name, value in scope["headers"]:
        if name == wanted:
            return str(value.decode("latin-1"))
    return None


def _with(send: Send, headers: list[tuple[bytes, bytes]]) -> Send:
    async def answering(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), *headers]}
        await send(message)

    return answering
