"""Which web pages may call: CORS, by client (Fetch standard, section 3.2)."""

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from direct311.intake.clients.api.uncounted import UNCOUNTED
from direct311.intake.clients.ports import KnownClients
from direct311.runtime.http.api import problem

OPEN = (
    "/open311/",
    "/v1/policy",
    "/v1/requests/nearby",
    "/v1/requests.atom",
    "/v1/requests.geojson",
)
"""What anybody may read, from any web page: it is the same for everybody, and uses no cookie and no
token."""
METHODS = b"GET, POST, DELETE"
HEADERS = b"Authorization, Content-Type, Idempotency-Key, Accept-Language, X-Api-Key"
SECONDS = b"600"


class CrossOrigin:
    """CORS (Fetch standard, section 3.2): what is open to anybody is open from any page; everything
    else only from pages that a client lists as its own. Cookies are never allowed."""

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
            # A cache that stores the answer may give it to a page.
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
            return problem("origin", "No client may be used from this origin.", field="origin")
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
