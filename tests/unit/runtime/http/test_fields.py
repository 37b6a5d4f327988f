"""What is wrong with which field: paths, codes and words, and nothing that the caller made up."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import pytest
from fastapi import FastAPI, Header, Query
from fastapi.testclient import TestClient
from pydantic import Field

from direct311.runtime.access.reasons import A_REFERENCE, Reference
from direct311.runtime.errors import RefusedError
from direct311.runtime.http.api import NUMBER, install
from direct311.runtime.http.fields import FIELD_CODES, MOST_PROBLEMS
from direct311.runtime.http.health import Readiness
from direct311.runtime.parameters import AskedInstant, GivenInstant
from direct311.runtime.telemetry import Metrics
from direct311.schemas import Model, OnDate

CANARY = "Maria-Lopez-305-555-0142"
JSON = {"Content-Type": "application/json"}


class Point(Model, extra="forbid"):
    kind: Literal["point"]
    lat: float


class Area(Model, extra="forbid"):
    kind: Literal["area"]
    corners: tuple[Point, ...]


class File(Model, extra="forbid"):
    size: Annotated[int, Field(ge=1), NUMBER]
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{4}$")] | None = None


class Order(Model, extra="forbid"):
    files: Annotated[tuple[File, ...], Field(max_length=2)] = ()
    place: Annotated[Point | Area, Field(discriminator="kind")] | None = None
    either: Point | File | None = None
    answers: dict[str, int] | None = None
    many: tuple[dict[str, File], ...] = ()
    day: OnDate | None = None
    at: GivenInstant | None = None
    sure: Annotated[bool, Field(strict=True)] | None = None
    reference: Reference | None = None
    renamed: Annotated[int | None, Field(alias="called")] = None
    two: Annotated[tuple[int, ...], Field(min_length=2)] = (1, 2)


@pytest.fixture(scope="module")
def client() -> TestClient:
    app = FastAPI()
    install(app, Readiness(), Metrics())

    @app.post("/orders")
    async def orders(order: Order) -> None: ...

    @app.post("/two")
    async def two(order: Order, file: File) -> None: ...

    @app.get("/list")
    async def asked(
        since: AskedInstant,
        limit: Annotated[int, Query(ge=1)] = 1,
        words: Annotated[list[int], Query()] = [],  # noqa: B006
        x_count: Annotated[int, Header()] = 1,
        idempotency_key: Annotated[str, Header(max_length=3)] = "",
    ) -> None: ...

    @app.get("/refused/{field}")
    async def refused(field: str) -> None:
        raise RefusedError("malformed", "Not so.", field=field)

    return TestClient(app)


def told(client: TestClient, body: object, path: str = "/orders") -> Mapping[str, Any]:
    answer = client.post(path, json=body)
    assert answer.status_code == 422, answer.text
    assert CANARY not in answer.text
    problem: Mapping[str, Any] = answer.json()
    assert problem["type"] == "urn:direct311:problem:malformed"
    first = problem["errors"][0]
    assert (problem["field"], problem["detail"]) == (first["field"], first["detail"])
    assert all(each["code"] in FIELD_CODES for each in problem["errors"])
    return problem


@pytest.mark.parametrize(
    ("body", "field", "code", "detail"),
    [
        ({"files": CANARY}, "files", "wrong_type", "files must be a list."),
        ({"files": [CANARY]}, "files.0", "wrong_type", "files.0 must be a JSON object."),
        ({"files": [{}]}, "files.0.size", "missing", "files.0.size is required."),
        ({"files": [{"size": 0}]}, "files.0.size", "too_small", "files.0.size must be 1 or more."),
        ({"files": [{"size": "7"}]}, "files.0.size", "wrong_type", "A number is needed here."),
        (
            {"files": [{"size": 1}, {"size": 1, "sha256": CANARY}]},
            "files.1.sha256",
            "wrong_format",
            "files.1.sha256 must be a text that matches ^[0-9a-f]{4}$.",
        ),
        (
            {"files": [{"size": 1}] * 3},
            "files",
            "too_long",
            "files must have at most 2 entries.",
        ),
        (
            {"files": [{"size": 1, CANARY: 1}]},
            "files.0",
            "unknown_member",
            "files.0 may have only these members: size, sha256.",
        ),
        (
            {CANARY: 1},
            "",
            "unknown_member",
            "The body may have only these members: files, place, either, answers, many, day, at, "
            "sure, reference, called, two.",
        ),
        ([CANARY], "", "wrong_type", "The body must be a JSON object."),
        (CANARY, "", "wrong_type", "The body must be a JSON object."),
        (None, "", "missing", "The body is required."),
        ({"called": CANARY}, "called", "wrong_type", "called must be a whole number."),
        ({"sure": 1}, "sure", "wrong_type", "sure must be true or false."),
        ({"day": 5}, "day", "wrong_format", "day must be a day, such as 2026-03-02."),
        ({"day": CANARY}, "day", "wrong_format", "day must be a day, such as 2026-03-02."),
        ({"at": "2026-03-02T14:00"}, "at", "wrong_format", None),
        ({"at": 5}, "at", "wrong_format", None),
        ({"at": "9999-03-02T14:00:00Z"}, "at", "out_of_range", None),
        ({"reference": "-"}, "reference", "reference", A_REFERENCE),
    ],
)
def test_an_error_has_the_members_path_a_code_and_what_would_be_right(
    client: TestClient, body: object, field: str, code: str, detail: str | None
) -> None:
    (found,) = told(client, body)["errors"]
    assert (found["field"], found["code"]) == (field, code)
    assert found["detail"] == (detail or found["detail"])
    assert "value" not in found["detail"]


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        # The variants of a union are not in the body.
        ({"place": {"kind": "point", "lat": CANARY}}, ["place.lat"]),
        ({"place": {"kind": "area", "corners": [{"kind": "point"}]}}, ["place.corners.0.lat"]),
        ({"place": {"kind": CANARY}}, ["place"]),
        ({"either": {"lat": CANARY}}, ["either.kind", "either.lat", "either.size", "either"]),
        # The keys of a mapping are the caller's.
        ({"answers": {CANARY: "x"}}, ["answers"]),
        ({"many": [{CANARY: {"size": 0}}]}, ["many.0"]),
        ({"many": [{}, {"size": {CANARY: 0}}]}, ["many.1"]),
    ],
)
def test_a_path_has_only_members_that_are_declared(
    client: TestClient, body: object, fields: list[str]
) -> None:
    assert list(dict.fromkeys(each["field"] for each in told(client, body)["errors"])) == fields


def test_a_wrong_entry_does_not_make_a_list_too_short(client: TestClient) -> None:
    wrong = told(client, {"two": [CANARY, 2]})["errors"]
    assert [(each["field"], each["code"]) for each in wrong] == [("two.0", "wrong_type")]
    short = told(client, {"two": [CANARY]})["errors"]
    assert [each["code"] for each in short] == ["wrong_type", "too_short"]


def test_a_body_of_two_parts_has_their_names_in_its_paths(client: TestClient) -> None:
    problem = told(client, {"order": {"day": 1}, "file": {"size": 0}}, "/two")
    assert [each["field"] for each in problem["errors"]] == ["order.day", "file.size"]


@pytest.mark.parametrize(
    ("query", "field", "code"),
    [
        ("", "since", "missing"),
        ("since=yesterday", "since", "wrong_format"),
        ("since=2026-03-02", "since", "wrong_format"),
        ("since=2026-03-02T14:00:00Z&limit=0", "limit", "too_small"),
        ("since=2026-03-02T14:00:00Z&words=1&words=x", "words.1", "wrong_type"),
    ],
)
def test_a_parameter_is_called_by_its_name(
    client: TestClient, query: str, field: str, code: str
) -> None:
    answer = client.get(f"/list?{query}")
    assert answer.status_code == 422
    (found,) = answer.json()["errors"]
    assert (found["field"], found["code"]) == (field, code)
    assert found["detail"].startswith(field)


def test_a_header_is_called_by_its_name(client: TestClient) -> None:
    answer = client.get("/list?since=2026-03-02T14:00:00Z", headers={"X-Count": CANARY})
    assert answer.json()["field"].lower() == "x-count"
    assert CANARY not in answer.text


@pytest.mark.parametrize(
    ("content", "headers"),
    [
        (b"{", JSON),
        (CANARY.encode(), JSON),
        (b"\xff", JSON),
        (b'{"files": []}', {"Content-Type": "text/plain"}),
        (b'{"files": []}', {}),
        (b"files=1", {"Content-Type": "application/x-www-form-urlencoded"}),
    ],
)
def test_what_is_not_json_or_not_sent_as_json_is_unreadable(
    client: TestClient, content: bytes, headers: Mapping[str, str]
) -> None:
    answer = client.post("/orders", content=content, headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (400, "urn:direct311:problem:unreadable")
    assert "JSON" in answer.json()["detail"]
    assert CANARY not in answer.text


def test_half_a_surrogate_pair_is_json_so_it_is_malformed_and_not_unreadable(
    client: TestClient,
) -> None:
    answer = client.post("/orders", content=rb'"\ud800"', headers=JSON)
    wrong = {"field": "", "detail": "The body must be a JSON object."}
    assert answer.status_code == 422
    assert answer.json() == {
        "type": "urn:direct311:problem:malformed",
        "title": "malformed",
        "status": 422,
        **wrong,
        "errors": [{**wrong, "code": "wrong_type"}],
    }
    assert not any(echo in answer.content.lower() for echo in (b"d800", b"\xed\xa0\x80", b"surr"))


@pytest.mark.parametrize(
    ("field", "shown"),
    [
        ("api_key", "X-Api-Key"),
        ("idempotency_key", "Idempotency-Key"),
        ("origin", "Origin"),
        ("phone", "phone"),
    ],
)
def test_what_comes_in_a_header_is_called_so_by_the_edge(
    client: TestClient, field: str, shown: str
) -> None:
    told = client.get(f"/refused/{field}").json()
    assert told["field"] == told["errors"][0]["field"] == shown


def test_no_answer_names_more_than_fifty_errors(client: TestClient) -> None:
    errors = told(client, {"many": [CANARY] * 100})["errors"]
    assert len(errors) == MOST_PROBLEMS


def test_a_header_has_one_name_whoever_finds_it_wrong(client: TestClient) -> None:
    long = client.get("/list?since=2026-03-02T00:00:00Z", headers={"idempotency-key": CANARY})
    used = client.get("/refused/idempotency_key")
    assert long.json()["field"] == used.json()["field"] == "Idempotency-Key"
    assert long.json()["detail"].startswith("Idempotency-Key ")
    assert CANARY not in long.text
