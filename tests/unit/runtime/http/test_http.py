"""What every HTTP face shares: clear answers, and nothing of the input in any of them."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Literal

import pytest
from fastapi import APIRouter, FastAPI, Query, Request
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from pydantic import Field
from starlette.responses import Response
from starlette.testclient import TestClient

from direct311.runtime.access.rules import Caller
from direct311.runtime.errors import RefusedError, TransientError
from direct311.runtime.http.api import Application, FastPath, PlainRoute, install, require
from direct311.runtime.http.health import Readiness
from direct311.runtime.http.problem_codes import status_of
from direct311.runtime.storage.database import DatabaseError
from direct311.runtime.telemetry import Metrics
from direct311.runtime.vault.vault import VaultError
from direct311.schemas import Instant, Model

CANARY = "Maria-Lopez-305-555-0142"


class Question(Model, extra="forbid"):
    phone: Annotated[str, Field(max_length=5)] | None = None
    inner: "Question | None" = None
    many: tuple[int, ...] = ()
    short: Annotated[str, Field(min_length=3)] | None = None
    code: Annotated[str, Field(pattern="^[a-z]{3}$")] | None = None
    few: Annotated[tuple[str, ...], Field(min_length=1, max_length=2)] | None = None
    count: Annotated[int, Field(ge=1, le=9)] | None = None
    share: Annotated[float, Field(gt=0, lt=1)] | None = None
    way: Literal["email", "phone"] | None = None


class FailingService:
    """An application with one route for each thing that can go wrong."""

    def __init__(self) -> None:
        self.metrics = Metrics()
        self.app = FastAPI(max_body_size=100_000)
        install(self.app, Readiness(), self.metrics)
        self.errors: dict[str, Exception] = {
            "refused": RefusedError("changed", "Not so.", field="phone", retry_after=7),
            "transient": TransientError(CANARY),
            "database": DatabaseError(CANARY),
            "vault": VaultError(CANARY),
            "bug": ValueError(CANARY),
        }

        @self.app.get("/broken/{name}")
        async def broken(name: str) -> None:
            raise self.errors[name]

        @self.app.post("/questions/{name}")
        async def questions(name: str, question: Question) -> str:
            return "ok"

        @self.app.get("/since")
        async def since(after: Annotated[Instant, Query()]) -> str:
            return "ok"

        async def plain(_: Request) -> Response:
            return Response(b"plain")

        self.app.router.routes.append(PlainRoute("/plain/{name}.json", plain, methods=["GET"]))
        self.client = TestClient(self.app, raise_server_exceptions=False)


@pytest.fixture
def service() -> FailingService:
    return FailingService()


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [
        ("refused", 409, "changed"),
        ("transient", 503, "unavailable"),
        ("database", 503, "unavailable"),
        ("vault", 410, "not_readable"),
        ("bug", 500, "internal"),
    ],
)
def test_every_error_is_a_problem_that_says_nothing_of_the_input(
    service: FailingService, name: str, status: int, code: str
) -> None:
    answer = service.client.get(f"/broken/{name}", params={"name": CANARY})
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == f"urn:direct311:problem:{code}"
    assert CANARY not in answer.text
    assert ("retry-after" in answer.headers) == (name in ("refused", "transient", "database"))


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"phone": CANARY}, "phone"),
        ({CANARY: 1}, ""),
        ({"inner": {CANARY: 1}}, "inner"),
        ({"inner": {"phone": CANARY}}, "inner.phone"),
        ({"many": [1, CANARY]}, "many.1"),
        ([CANARY], ""),
        (CANARY, ""),
    ],
)
def test_a_malformed_body_is_named_by_its_declared_field_alone(
    service: FailingService, body: object, field: str
) -> None:
    answer = service.client.post("/questions/a", json=body)
    assert answer.status_code == 422
    assert answer.json()["field"] == field
    assert CANARY not in answer.text


@pytest.mark.parametrize(
    ("body", "limit"),
    [
        ({"phone": CANARY}, "at most 5 characters"),
        ({"short": "a"}, "3 or more characters"),
        ({"code": CANARY}, "matches ^[a-z]{3}$"),
        ({"few": []}, "1 or more entries"),
        ({"few": [CANARY] * 7}, "at most 2 entries"),
        ({"count": 0}, "1 or more"),
        ({"count": 71}, "at most 9"),
        ({"share": 0}, "more than 0"),
        ({"share": 71}, "less than 1"),
        ({"way": CANARY}, "'email' or 'phone'"),
    ],
)
def test_what_a_field_must_be_is_told_and_nothing_of_what_was_sent(
    service: FailingService, body: object, limit: str
) -> None:
    answer = service.client.post("/questions/a", json=body)
    assert answer.status_code == 422
    assert limit in answer.json()["detail"]
    assert CANARY not in answer.text
    assert "7" not in answer.json()["detail"]


@pytest.mark.parametrize("content", [CANARY.encode(), b"{", b"\xff", b"[" * 50_000])
def test_a_body_that_is_no_json_is_refused(service: FailingService, content: bytes) -> None:
    answer = service.client.post(
        "/questions/a", content=content, headers={"content-type": "application/json"}
    )
    assert answer.status_code == 400
    assert answer.json()["type"] == "urn:direct311:problem:unreadable"
    assert CANARY not in answer.text


def test_half_a_character_in_a_text_is_refused_by_name(service: FailingService) -> None:
    answer = service.client.post(
        "/questions/a", content=b'{"phone":"\\ud800"}', headers={"content-type": "application/json"}
    )
    (error,) = answer.json()["errors"]
    assert (answer.status_code, error["field"], error["code"]) == (422, "phone", "wrong_type")


@pytest.mark.parametrize(
    "instant", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-03-02", CANARY, ""]
)
def test_an_instant_that_is_none_is_refused_by_name(service: FailingService, instant: str) -> None:
    answer = service.client.get("/since", params={"after": instant})
    assert (answer.status_code, answer.json()["field"]) == (422, "after")
    assert CANARY not in answer.text


def test_a_body_that_is_too_large_is_not_read(service: FailingService) -> None:
    answer = service.client.post("/questions/a", json={"phone": CANARY * 10_000})
    assert answer.status_code == 413
    assert CANARY not in answer.text


def test_what_is_not_there_is_a_problem_too(service: FailingService) -> None:
    for answer in (service.client.get(f"/{CANARY}"), service.client.put(f"/plain/{CANARY}.json")):
        assert answer.status_code in (404, 405)
        assert answer.headers["content-type"] == "application/problem+json"
        assert CANARY not in answer.text


def test_another_method_is_told_all_that_there_are(service: FailingService) -> None:
    """RFC 9110, section 10.2.1; the framework alone names those of the first route."""

    @service.app.get("/both/{name}")
    async def read(name: str) -> str:
        return name

    @service.app.delete("/both/{name}")
    async def remove(name: str) -> None:
        return None

    for method in ("PATCH", "OPTIONS"):
        answer = service.client.request(method, "/both/a")
        assert (answer.status_code, answer.headers["allow"]) == (405, "DELETE, GET")
    assert service.client.put(f"/plain/{CANARY}.json").headers["allow"] == "GET, HEAD"


def test_requests_are_measured_by_route_and_never_by_path(service: FailingService) -> None:
    service.client.get(f"/plain/{CANARY}.json")
    service.client.post(f"/questions/{CANARY}", json={})
    service.client.get(f"/broken/{CANARY}")
    service.client.get(f"/{CANARY}")
    text = service.client.get("/metrics").text
    assert CANARY not in text
    for labels in (
        'route="/plain/{name}.json",status="2xx"',
        'route="/questions/{name}",status="2xx"',
        'route="/broken/{name}",status="5xx"',
        'route="none",status="4xx"',
    ):
        assert f"direct311_http_seconds_count{{{labels}}} 1.0" in text


@pytest.mark.parametrize(
    ("path", "counted"),
    [
        ("/v1/cases", "/v1/cases"),
        ("/v1/cases/{case_id}/exigent", "/v1/cases"),
        ("/v1/cases/{case_id}/bounds", "/v1/cases"),
        ("/v1/referrals", "/v1/cases"),
        ("/v1/legal-instruments", "/v1/cases"),
        ("/v1/legal-requests", "/v1/cases"),
        ("/internal/legal-requests", "/v1/cases"),
        ("/v1/cases-of-others", "/v1/cases-of-others"),
        ("/v1/holds", "/v1/holds"),
    ],
)
def test_no_metric_tells_that_law_enforcement_asked(path: str, counted: str) -> None:
    app = FastAPI()
    metrics = Metrics()
    install(app, Readiness(), metrics)

    @app.get(path)
    async def answer() -> dict[str, str]:
        return {}

    TestClient(app).get(path.replace("{case_id}", "01a2301d"))
    text = metrics.exposition().decode()
    assert {
        line.split('route="')[1].split('"')[0] for line in text.splitlines() if "route=" in line
    } == {counted}


@pytest.mark.parametrize(
    ("roles", "allowed"), [(("agent",), True), (("auditor",), False), ((), False)]
)
def test_a_role_is_asked_for(roles: tuple[str, ...], allowed: bool) -> None:
    check: Callable[[], None] = lambda: require(Caller("a", roles), "agent", "admin")  # noqa: E731
    if allowed:
        check()
        return
    with pytest.raises(RefusedError) as refused:
        check()
    assert status_of(refused.value) == 403


@pytest.mark.anyio
async def test_readiness_says_what_is_missing_and_waits_two_seconds_at_most() -> None:
    readiness = Readiness()

    def check(result: str | Exception | None) -> Callable[[], Awaitable[str | None]]:
        async def one() -> str | None:
            if isinstance(result, Exception):
                raise result
            return result

        return one

    readiness.add("well", check(None))
    readiness.add("ill", check("too slow"))
    readiness.add("broken", check(ValueError(CANARY)), required=False)
    problems = await readiness.problems()
    assert problems == {"ill": "too slow", "broken": "ValueError"}
    assert readiness.blocking(problems)
    assert not readiness.blocking({"broken": "ValueError"})
    readiness.draining = True
    assert await readiness.problems() == {"process": "draining"}
    assert readiness.blocking({"process": "draining"})


# ---------------------------------------------------------------- straight to the endpoint


class Ways:
    """The same plain routes with the straight way and without."""

    def __init__(self) -> None:
        async def told(request: Request) -> Response:
            body = await request.body()
            found = {"path": request.path_params, "query": str(request.query_params)}
            return Response(repr((request.method, found, len(body))))

        async def broken(_: Request) -> Response:
            raise ValueError(CANARY)

        self.routes = [
            PlainRoute("/plain/broken.json", broken, methods=["GET"]),
            PlainRoute("/plain/list.json", told, methods=["GET"]),
            PlainRoute("/plain/list.json", told, methods=["POST"], largest=1000),
            PlainRoute("/plain/{name}.json", told, methods=["GET"]),
            PlainRoute("/deep/{rest:path}.json", told, methods=["GET"]),
        ]
        self.framework = self._application([])
        self.direct = self._application(self.routes)

    def _application(self, straight: list[PlainRoute]) -> TestClient:
        app = FastAPI()
        app.router.routes.extend(self.routes)
        app.add_middleware(FastPath, routes=straight)
        install(app, Readiness(), Metrics())
        return TestClient(app, raise_server_exceptions=False)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/plain/list.json?a=1&a=2", b""),
        ("HEAD", "/plain/list.json", b""),
        ("GET", "/plain/one.json", b""),
        ("GET", "/plain/one.two.json", b""),
        ("GET", "/plain/%C3%B1.json", b""),
        ("GET", "/plain/.json", b""),
        ("GET", "/plain/broken.json", b""),
        ("GET", "/plain/one.xml", b""),
        ("GET", "/plain/one", b""),
        ("GET", "/plain/one/two.json", b""),
        ("GET", "/deep/one/two.json", b""),
        ("DELETE", "/plain/list.json", b""),
        ("POST", "/plain/list.json", b"x" * 1000),
        ("POST", "/plain/list.json", b"x" * 1001),
        ("POST", "/plain/one.json", b"x"),
    ],
)
def test_the_straight_way_answers_as_the_framework_does(
    method: str, path: str, body: bytes
) -> None:
    ways = Ways()
    direct = ways.direct.request(method, path, content=body)
    framework = ways.framework.request(method, path, content=body)
    assert (direct.status_code, direct.text) == (framework.status_code, framework.text)


def test_a_body_that_tells_no_size_is_bounded_all_the_same() -> None:
    pieces = iter([b"x" * 600, b"x" * 600])
    answer = Ways().direct.post("/plain/list.json", content=pieces)
    assert answer.status_code == 413


# ---------------------------------------------------------------- the framework's own telemetry


@pytest.mark.parametrize(("kind", "told"), [(Application, False), (FastAPI, True)])
def test_an_application_tells_nothing_to_a_tracer_that_the_process_may_have(
    kind: type[FastAPI], told: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(sent))
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: provider)
    monkeypatch.setenv("FASTAPI_OTEL_AUTO_CONFIGURE", "true")
    app = kind(title="t", version="1")

    @app.get("/broken")
    async def broken() -> None:
        raise ValueError(CANARY)

    # As a context manager it would start the exporters that the environment names.
    answer = TestClient(app, raise_server_exceptions=False).get("/broken", params={"who": CANARY})
    assert answer.status_code == 500
    # The framework's own is the control: it tells addresses and messages.
    assert (CANARY in repr([span.to_json() for span in sent.get_finished_spans()])) is told


def test_a_service_with_two_routes_for_one_call_does_not_start() -> None:
    app = Application()
    first, second = APIRouter(prefix="/v1"), APIRouter()

    @first.post("/notice")
    async def one() -> None: ...

    @second.post("/v1/notice")
    async def other() -> None: ...

    @second.delete("/v1/notice")
    async def third() -> None: ...

    app.include_router(first)
    with pytest.raises(ValueError, match="two routes for POST /v1/notice"):
        app.include_router(second)
