"""The limit of reads without a key, and how many reads each call counts as. This is plain ASGI, so
that `GET services` costs little more than sending its bytes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import parse_qs

from starlette.datastructures import QueryParams
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from direct311.intake.clients.api.uncounted import UNCOUNTED
from direct311.intake.clients.domain.clients import Client
from direct311.intake.clients.handlers.reads import ReadLimits, SharedNames
from direct311.intake.open311.api.feeds import ATOM_ROWS, GEOJSON_ROWS, MOST_ROWS
from direct311.intake.open311.wire import render
from direct311.intake.open311.wire.queries import LISTS, charge_of, charge_of_feed, charge_of_list
from direct311.intake.open311.wire.render import MEDIA_TYPES
from direct311.intake.problems import Problem
from direct311.runtime.http.api import problem

TOO_OFTEN = "Too many reads from this address in a minute; see Retry-After."
_LIST = "/open311/v2/requests."
_WEIGHTS = {
    # By the rows that are looked at, not by those in the answer.
    "/v1/requests/nearby": charge_of(MOST_ROWS),
    # By its size, if it is sent uncompressed.
    "/openapi.json": 10,
    # It may need a question to the identity provider.
    "/staff/callback": 10,
}
_FEEDS = {"/v1/requests.atom": ATOM_ROWS, "/v1/requests.geojson": GEOJSON_ROWS}


class Callers:
    """Who calls, and how often each caller may read: an address `most` times a minute, a client
    with a key for reading as often as its quota says."""

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
        """A name for the call's address, valid only today."""
        return self._names.name(scope["client"][0] if scope.get("client") else "")

    def take(self, scope: Scope) -> int | None:
        """Count a read. If there is no room for it, returns in how many seconds there is."""
        name, most = self._reading(scope)
        return self._limits.take(name, most, _charge(scope))

    @contextmanager
    def ahead(self, scope: Scope, most: int) -> Iterator["ReadCost"]:
        """For an admitted read that has been counted once, and may return up to `most` rows.

        While it is being answered it counts as if it returned that many, so that simultaneous reads
        find no room. At the end it counts by its actual `rows`.
        """
        name, _ = self._reading(scope)
        more = charge_of(most) - 1
        minute = self._limits.add(name, more)
        ahead = ReadCost()
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
class ReadCost:
    """How many rows a read had in the end."""

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
    """How many reads a call counts as, by what it asks for."""
    path: str = scope["path"]
    if path.startswith(_LIST):
        return charge_of_list(parameters(QueryParams(scope["query_string"])))
    if path in _FEEDS:
        query = QueryParams(scope["query_string"])
        return charge_of_feed(query.get("limit"), _FEEDS[path], query.get("service_code"))
    return _WEIGHTS.get(path, 1)


def parameters(query: QueryParams) -> dict[str, str]:
    """A call's parameters. A list that is sent in several parts becomes one."""
    found = dict(query)
    for name in LISTS & found.keys():
        found[name] = ",".join(query.getlist(name))
    return found


def _given_key(query: bytes) -> str:
    try:
        found = parse_qs(query.decode("latin-1"), max_num_fields=300)
    except ValueError:
        # Too many parameters: the endpoint will refuse them.
        return ""
    return found.get("api_key", [""])[0].strip()


def _too_often(path: str, wait: int) -> Response:
    if not path.startswith("/open311/"):
        return problem("too_often", TOO_OFTEN, retry_after=wait)
    form: render.Format = "xml" if path.endswith(".xml") else "json"
    body = render.errors([Problem(429, "", TOO_OFTEN)], form)
    return Response(body, 429, {"Retry-After": str(wait)}, MEDIA_TYPES[form])
