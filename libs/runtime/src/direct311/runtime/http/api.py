"""What all HTTP interfaces share: errors, callers, health, metrics."""

import json
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from functools import partial
from importlib.resources import files
from typing import Annotated, Any, Final

import structlog
from fastapi import APIRouter, FastAPI, Request, Security
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.docs import (
    get_redoc_html,
    get_swagger_ui_html,
    get_swagger_ui_oauth2_redirect_html,
)
from fastapi.routing import APIRoute
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from fastapi.telemetry import TelemetryConfig
from prometheus_client import Histogram
from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Match, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from direct311.runtime.access.identity import Authenticator
from direct311.runtime.access.ledger import Access, AuditUnavailableError, Ledger
from direct311.runtime.access.refusals import RATE
from direct311.runtime.access.roles import DEPARTMENT_SYSTEM
from direct311.runtime.access.rules import Caller, Decision
from direct311.runtime.errors import FieldProblem, RefusedError, TransientError
from direct311.runtime.http.documents import AddressRateLimit, Built, ShortLivedCache
from direct311.runtime.http.fields import api_name, field_problems, unreadable
from direct311.runtime.http.health import Readiness
from direct311.runtime.http.problem_codes import PROBLEMS as PROBLEM_CODES
from direct311.runtime.http.problem_codes import of_the_framework, status_of
from direct311.runtime.storage.database import DatabaseError
from direct311.runtime.telemetry import Metrics
from direct311.runtime.vault.vault import DeniedError, VaultError
from direct311.schemas.model import Model

_log = structlog.get_logger(__name__)


def _number(value: object) -> object:
    if isinstance(value, str | bool):
        raise PydanticCustomError("wrong_type", "A number is needed here.")
    return value


NUMBER = BeforeValidator(_number)
"""The last annotation of a whole number in a JSON body: neither text nor `true` is a number."""


class Problem(Model):
    """An error answer, RFC 9457 (`application/problem+json`). It repeats nothing from the input.

    `type` ends with the problem's code; docs/problem-codes.md lists the codes. `errors`: everything
    that is wrong with what was sent, each with its own code; `field` and `detail` are those of the
    first. `field` is the member's path in the body, such as `files.0.size`, or a parameter's name;
    it is empty if the body as a whole is wrong.
    """

    type: str
    title: str
    status: int
    detail: str
    field: str | None = None
    errors: tuple[FieldProblem, ...] | None = None


_IN_WORDS = {
    400: "The body cannot be read",
    401: "There is no valid token",
    403: "Not allowed: the rule and what would be needed",
    404: "Not found",
    408: "The body did not arrive in time",
    409: "It conflicts with the present state",
    410: "The record's key is gone",
    413: "The body is too large",
    422: "Malformed: the field and what would be right",
    429: "Too many calls; see Retry-After",
    503: "The service cannot answer now; see Retry-After",
}
TOO_MANY_REFUSALS = "Too many refusals in a minute; see Retry-After."
LARGEST_BODY = 1024 * 1024
"""The most bytes in a request's body, for a route without its own limit; pass to
`include_router`."""

RETRY_AFTER: dict[str, Any] = {
    "Retry-After": {
        "description": "How many seconds to wait before trying again",
        "required": True,
        "schema": {"type": "integer", "minimum": 1},
    }
}
"""The header that 429 and 503 carry, as OpenAPI describes it."""

PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {
        "description": words,
        "content": {"application/problem+json": {"schema": Problem.model_json_schema()}},
        **({"headers": RETRY_AFTER} if status in (429, 503) else {}),
    }
    for status, words in _IN_WORDS.items()
}
"""Documented error answers; pass as `responses` of a router."""

_BEARER = HTTPBearer(
    auto_error=False,
    scheme_name="Bearer",
    description="A token of the identity provider, or a request's signed link.",
)


def problem(
    code: str,
    detail: str,
    *,
    status: int | None = None,
    field: str | None = None,
    retry_after: int | None = None,
    errors: Sequence[FieldProblem] = (),
) -> Response:
    """An error in the form of RFC 9457.

    :param status: if the table of codes does not decide it.
    :param field: the domain's name; the answer has the API's name.
    """
    status = status or PROBLEM_CODES[code].status
    body = Problem(
        type=f"urn:direct311:problem:{code}",
        title=code.replace("_", " "),
        status=status,
        detail=detail,
        field=api_name(field),
        errors=tuple(errors) or None,
    )
    headers = {"Retry-After": str(retry_after)} if retry_after else None
    return JSONResponse(
        body.model_dump(exclude_none=True),
        status,
        headers,
        media_type="application/problem+json",
    )


DOCUMENTS_A_MINUTE = 300
"""For one network address, over all documents of one process."""
TOO_MANY_DOCUMENTS = "Too many documents in a minute; see Retry-After."
_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


ASSETS = "/docs/assets"
"""The address of the scripts and styles of `/docs` and `/redoc`."""
_ASSETS = {
    "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
    "swagger-ui.css": "text/css; charset=utf-8",
    "redoc.standalone.js": "text/javascript; charset=utf-8",
    "favicon.png": "image/png",
}


def _page_of(page: Callable[[], Response]) -> bytes:
    return bytes(page().body)


def _asset(name: str) -> bytes:
    return files("fastapi_offline").joinpath("static", name).read_bytes()


class Application(FastAPI):
    """What every service is: FastAPI without its own telemetry, and with documents that are made
    once.

    FastAPI's telemetry records addresses with their queries, exception messages and stack traces,
    and an environment variable is enough to send them out. `direct311.runtime.telemetry` decides
    what leaves a process.
    """

    def __init__(self, **about: Any) -> None:
        self.documents: dict[str, Built] = {}
        self._readers = AddressRateLimit(DOCUMENTS_A_MINUTE)
        self._calls: set[tuple[str, str]] = set()
        super().__init__(telemetry=_NO_TELEMETRY, **about)

    def include_router(self, router: APIRouter, *, prefix: str = "", **more: Any) -> None:
        """:raises ValueError: it has a route for a call that another router has: it would never be
        reached."""
        routes = (each for each in router.routes if isinstance(each, APIRoute))
        for call in ((name, prefix + each.path) for each in routes for name in each.methods or ()):
            if call in self._calls:
                raise ValueError(f"there are two routes for {' '.join(call)}")
            self._calls.add(call)
        super().include_router(router, prefix=prefix, **more)

    def setup(self) -> None:
        """Serves the API's documents at the framework's own addresses. The framework's routes would
        build them again for each call."""
        address = "/openapi.json"
        title = f"{self.title}: the API"
        self._serve(address, lambda: _JSON(self.openapi()).encode(), "application/json")
        swagger = partial(
            get_swagger_ui_html,
            openapi_url=address,
            title=title,
            swagger_js_url=f"{ASSETS}/swagger-ui-bundle.js",
            swagger_css_url=f"{ASSETS}/swagger-ui.css",
            swagger_favicon_url=f"{ASSETS}/favicon.png",
        )
        redoc = partial(
            get_redoc_html,
            openapi_url=address,
            title=title,
            redoc_js_url=f"{ASSETS}/redoc.standalone.js",
            redoc_favicon_url=f"{ASSETS}/favicon.png",
            with_google_fonts=False,
        )
        for path, page in (
            ("/docs", swagger),
            ("/redoc", redoc),
            ("/docs/oauth2-redirect", get_swagger_ui_oauth2_redirect_html),
        ):
            self._serve(path, partial(_page_of, page), "text/html; charset=utf-8")
        # They come from a package, so our pages load nothing from other sites.
        for name, media_type in _ASSETS.items():
            self._serve(f"{ASSETS}/{name}", partial(_asset, name), media_type)

    def prepare(self) -> None:
        """Make the documents now, before anybody waits for them."""
        for each in self.documents.values():
            each.prepare()

    def _serve(self, path: str, make: Callable[[], bytes], media_type: str) -> None:
        built = self.documents[path] = Built(make, media_type)

        async def document(request: Request) -> Response:
            wait = self._readers.take(request.client.host if request.client else None)
            if wait is not None:
                return problem("too_often", TOO_MANY_DOCUMENTS, retry_after=wait)
            return built.answer(request)

        self.add_route(path, document, include_in_schema=False)


_NO_TELEMETRY: TelemetryConfig = {
    "tracing": False,
    "metrics": False,
    "logs": False,
    "operation_spans": False,
    "auto_configure": False,
}


def caller_of(
    authenticator: Authenticator, *, residents: bool = False, systems: bool = False
) -> Callable[[Request], Awaitable[Caller]]:
    """A dependency that gives the caller, or answers 401. A caller with a resident's signed link is
    refused (403) unless `residents` is set, and a department's system unless `systems` is."""

    async def caller(
        request: Request,
        # Only for the OpenAPI document: the header itself is read elsewhere, where a failure is
        # recorded.
        _: Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)] = None,
    ) -> Caller:
        found = await authenticator.caller(
            request.headers.get("authorization"),
            request.headers.get("x-on-behalf-of"),
            request.client.host if request.client else None,
        )
        request.state.caller = found
        if found.authentication == "signed_link" and not residents:
            raise RefusedError("role", "A signed link opens only its own request.")
        if DEPARTMENT_SYSTEM in found.roles and not systems:
            raise RefusedError("role", "A department's system may not call this.")
        return found

    return caller


def require(caller: Caller, *roles: str) -> None:
    """:raises RefusedError: the caller has none of these roles."""
    if not set(roles) & set(caller.roles):
        raise RefusedError("role", f"This needs one of these roles: {', '.join(roles)}.")


def install(
    app: FastAPI, readiness: Readiness, metrics: Metrics, ledger: Ledger | None = None
) -> None:
    """Give an application its error answers, `/health/live`, `/health/ready` and `/metrics`.

    Each 403 is an event in the access log, or is counted in one. The vault has already written its
    own; the others are written to `ledger` here. Too many of them are answered with 429.
    """
    app.add_middleware(_Measured, metrics=metrics)

    @app.exception_handler(RefusedError)
    async def refused(request: Request, error: RefusedError) -> Response:
        caller = getattr(request.state, "caller", None)
        if status_of(error) == 403 and caller and ledger and not isinstance(error, DeniedError):
            try:
                crowded = await ledger.refuse(*_denied(request, caller, error))
                if crowded:
                    error = RefusedError(RATE, TOO_MANY_REFUSALS, retry_after=crowded)
            except AuditUnavailableError as unavailable:
                error = unavailable
        return problem(
            error.code,
            error.detail,
            status=status_of(error),
            field=error.field,
            retry_after=error.retry_after,
            errors=_errors(error),
        )

    @app.exception_handler(RequestValidationError)
    async def malformed(request: Request, error: RequestValidationError) -> Response:
        if wanted := unreadable(error):
            return problem("unreadable", wanted)
        found = field_problems(error.errors(), _declared(request))
        return problem("malformed", found[0].detail, field=found[0].field, errors=found)

    @app.exception_handler(VaultError)
    async def unopened(_: Request, __: VaultError) -> Response:
        return problem("not_readable", "The record's key is gone; it cannot be read.")

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        code, detail = of_the_framework(error.status_code)
        answer = problem(code, detail, status=error.status_code)
        answer.headers.update(error.headers or {})
        if error.status_code == 405:
            answer.headers["Allow"] = ", ".join(_methods(request))
        return answer

    @app.exception_handler(TransientError)
    async def later(_: Request, error: TransientError) -> Response:
        _log.warning("http.transient", error=type(error).__name__)
        return problem("unavailable", "The service cannot answer now; try again.", retry_after=2)

    @app.exception_handler(DatabaseError)
    async def no_database(_: Request, error: DatabaseError) -> Response:
        _log.warning("http.database", error=type(error).__name__)
        return problem("unavailable", "The service cannot answer now; try again.", retry_after=2)

    @app.exception_handler(Exception)
    async def unexpected(_: Request, error: Exception) -> Response:
        return _unexpected(error)

    async def checked() -> Mapping[str, str]:
        return await readiness.problems()

    async def counted() -> bytes:
        return metrics.exposition()

    checks, numbers = ShortLivedCache(checked), ShortLivedCache(counted)

    @app.get("/health/live", tags=["health"])
    async def live() -> dict[str, str]:
        """The process is running."""
        return {"status": "alive"}

    @app.get("/health/ready", tags=["health"], responses={503: {"description": "What is missing"}})
    async def ready() -> Response:
        """Whether the process can work: broker, database, loops, outbox. The answer may be repeated
        for up to a second."""
        problems = await (checked() if readiness.draining else checks.get())
        blocked = readiness.blocking(problems)
        status = "not ready" if blocked else "degraded" if problems else "ready"
        return JSONResponse({"status": status, "problems": dict(problems)}, 503 if blocked else 200)

    @app.get("/metrics", tags=["health"], response_class=PlainTextResponse)
    async def exposition() -> Response:
        """Metrics in Prometheus text format. The answer may be repeated for up to a second."""
        return Response(await numbers.get(), media_type="text/plain; version=0.0.4")


def _errors(error: RefusedError) -> Sequence[FieldProblem]:
    """Everything that is wrong, even if a handler found only one thing."""
    found = error.problems
    if not found and error.code == "malformed":
        found = (FieldProblem(field=error.field or "", detail=error.detail),)
    return [each.called(api_name(each.field) or "") for each in found]


def _declared(request: Request) -> dict[str, Any]:
    """The types that the route declares: for the body, and for its parameters by name."""
    route = request.scope.get("route")
    if not isinstance(route, APIRoute):
        return {}
    of = route.dependant
    return {
        "body": route.body_field.field_info.annotation if route.body_field else None,
        **{
            kind: {each.alias: each.field_info.annotation for each in parameters}
            for kind, parameters in (
                ("path", of.path_params),
                ("query", of.query_params),
                ("header", of.header_params),
            )
        },
    }


def _unexpected(error: Exception) -> Response:
    _log.error("http.error", error=type(error).__name__)
    return problem("internal", "Something went wrong here; it has been noted.")


def _methods(request: Request) -> Sequence[str]:
    """All methods of this address (RFC 9110, section 10.2.1); the framework names only those of one
    route."""
    return [
        method
        for method in ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")
        if any(
            route.matches({**request.scope, "method": method})[0] is Match.FULL
            for route in request.app.routes
        )
    ]


def _denied(request: Request, caller: Caller, error: RefusedError) -> tuple[Access, Decision]:
    """A refusal by role, before any record was read."""
    route = getattr(request.scope.get("route"), "path", "unknown")
    access = Access(
        caller,
        action="view" if request.method in ("GET", "HEAD") else "correct",
        purpose=None,
        operation=f"{request.method} {route}",
    )
    decision = Decision(
        allowed=False,
        rule_id=f"refused:{error.code}",
        needed=error.detail,
        fields=(),
        obligations=(),
        policy_hash="",
        legal_basis=None,
    )
    return access, decision


class PlainRoute(Route):
    """A route outside FastAPI, measured under its path template like FastAPI's own.

    `largest`: the most bytes that a body may have.
    """

    def __init__(
        self,
        path: str,
        endpoint: Callable[[Request], Awaitable[Response]],
        *,
        methods: Collection[str],
        largest: int = LARGEST_BODY,
    ) -> None:
        super().__init__(path, endpoint, methods=methods, max_body_size=largest)
        self.largest = largest

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        match, found = super().matches(scope)
        return match, found if match is Match.NONE else {**found, "route": self}


class FastPath:
    """Takes calls of plain routes straight to their endpoints.

    The framework's own way costs a tenth of a submission. Only calls that a table can recognize
    take the fast path: a fixed path, or one with a single parameter in the last segment, and a body
    with a declared size within the limit. Everything else goes through the framework, which has the
    same routes.
    """

    def __init__(self, app: ASGIApp, routes: Sequence[PlainRoute]) -> None:
        self._app = app
        self._fixed: dict[tuple[str, str], PlainRoute] = {}
        self._open: dict[tuple[str, str, str], tuple[PlainRoute, str]] = {}
        for route in routes:
            head, _, rest = route.path.partition("{")
            name, _, ending = rest.partition("}")
            for method in route.methods or ():
                if not rest:
                    self._fixed[method, route.path] = route
                elif head.endswith("/") and ":" not in name and "/" not in ending:
                    self._open[method, head, ending] = (route, name)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = self._found(scope) if scope["type"] == "http" else None
        if found is None or not _fits(scope, found[0].largest):
            await self._app(scope, receive, send)
            return
        route, parameters = found
        scope["route"] = route
        scope["path_params"] = parameters
        try:
            response: Response = await route.endpoint(Request(scope, receive, send))
        except Exception as error:
            response = _unexpected(error)
        await response(scope, receive, send)

    def _found(self, scope: Scope) -> tuple[PlainRoute, dict[str, str]] | None:
        method, path = scope["method"], scope["path"]
        fixed = self._fixed.get((method, path))
        if fixed is not None:
            return fixed, {}
        head, _, last = path.rpartition("/")
        stem, dot, ending = last.rpartition(".")
        known = self._open.get((method, head + "/", dot + ending)) if stem else None
        return (known[0], {known[1]: stem}) if known else None


def _fits(scope: Scope, largest: int) -> bool:
    """Whether the body's size is declared and allowed. The server holds the client to it."""
    length = 0
    for name, value in scope["headers"]:
        if name == b"transfer-encoding":
            return False
        if name == b"content-length":
            length = int(value) if value.isdigit() else largest + 1
    return length <= largest


COUNTED_TOGETHER: Final = (
    "/v1/cases",
    "/v1/referrals",
    "/v1/legal-instruments",
    "/v1/oral-disclosures",
    "/v1/deliveries",
    "/v1/legal-requests",
    "/internal/deliveries",
    "/internal/legal-requests",
)
"""Beginnings of routes that are counted as the first of them. Which one was called would tell
everybody who reads metrics that law enforcement asked."""


def _counted(route: str) -> str:
    """The name under which a route is counted."""
    together = any(route == each or route.startswith(f"{each}/") for each in COUNTED_TOGETHER)
    return COUNTED_TOGETHER[0] if together else route


class _Measured:
    """Times each request by route template, and answers errors from below it."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics
        self._timers: dict[tuple[str, int], Histogram] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 500

        async def measured(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        started = time.perf_counter()
        try:
            await self._app(scope, receive, measured)
        finally:
            took = time.perf_counter() - started
            self._timer(getattr(scope.get("route"), "path", "none"), status // 100).observe(took)

    def _timer(self, route: str, status: int) -> Histogram:
        found = self._timers.get((route, status))
        if found is None:
            found = self._timers[route, status] = self._metrics.requests.labels(
                _counted(route), f"{status}xx"
            )
        return found
