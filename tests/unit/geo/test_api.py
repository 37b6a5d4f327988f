"""Geo over HTTP: who may ask, what is answered, what a bad question is told."""

import json
from datetime import UTC, datetime
from functools import partial

import pytest
from fastapi import FastAPI, Request
from starlette.testclient import TestClient

from direct311.geo.addresses.domain.municipalities import Gazette
from direct311.geo.boundaries.adapters.shapes import ShapeBoundaries, read_boundary_set
from direct311.geo.boundaries.api import router, sets_router
from direct311.geo.boundaries.handlers import Atlas
from direct311.geo.places.api import counts_router
from direct311.geo.places.api import router as address_router
from direct311.runtime.access.rules import Caller
from direct311.runtime.http.api import install
from direct311.runtime.http.health import Readiness
from direct311.runtime.telemetry import Metrics
from tests.support.geo import At, InMemoryBoundarySets, InMemoryLocations, resolver_of
from tests.unit.geo.boundaries.test_boundaries import collection, square

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LIMIT = 20_000


async def caller_of(request: Request) -> Caller:
    """The caller that the test says it is."""
    role = request.headers.get("x-test-role", "")
    return Caller(sub=f"test:{role}", roles=(role,) if role else ())


@pytest.fixture
def client(gazette: Gazette) -> TestClient:
    sets = InMemoryBoundarySets()
    atlas = Atlas(
        sets, lambda found: ShapeBoundaries(found, gazette.unincorporated), tuple, At(NOW)
    )
    resolver = resolver_of(atlas.current)
    app = FastAPI()
    install(app, Readiness(), Metrics())
    counted = InMemoryLocations({"resolved": 5, "unresolved": 1})
    app.include_router(router(atlas, caller_of))
    app.include_router(address_router(resolver, caller_of))
    app.include_router(
        sets_router(
            atlas, sets, partial(read_boundary_set, canonical=gazette.canonical), caller_of, LIMIT
        )
    )
    app.include_router(counts_router(counted, caller_of))
    client = TestClient(app, raise_server_exceptions=False)
    document = json.dumps(collection(({"NAME": "County"}, square(-80.4, 25.6, 0.2))))
    put(client, "county", document)
    towns = collection(({"GEOID": "1", "NAME": "MIAMI GARDENS"}, square(-80.4, 25.6)))
    put(client, "municipality", json.dumps(towns))
    return client


def put(client: TestClient, name: str, document: str) -> None:
    answer = client.post(
        f"/boundaries?name={name}&source=test", content=document, headers={"x-test-role": "admin"}
    )
    assert answer.status_code == 201, answer.text


def test_a_point_is_looked_up(client: TestClient) -> None:
    answer = client.get("/locate?lat=25.65&lon=-80.35", headers={"x-test-role": "agent"})
    assert answer.status_code == 200
    found = answer.json()
    assert (found["where"], found["municipality"]) == ("municipality", "Miami Gardens")
    assert set(found["boundary_sets"]) == {"county", "municipality"}
    assert found["approximate"] is False


@pytest.mark.parametrize(
    ("method", "path", "role"),
    [
        ("GET", "/locate?lat=25.65&lon=-80.35", ""),
        ("GET", "/boundaries", ""),
        ("GET", "/v1/counts", "resident"),
        ("POST", "/boundaries?name=zip&source=x", "agent"),
        ("POST", "/internal/normalise", "agent"),
    ],
)
def test_others_are_refused(method: str, path: str, role: str, client: TestClient) -> None:
    body = {"address": "9967 SW 153 ST"}
    answer = client.request(method, path, json=body, headers={"x-test-role": role})
    assert answer.status_code == 403
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "query", ["lat=91&lon=0", "lat=25.6", "lat=north&lon=-80", "lat=NaN&lon=1"]
)
def test_what_is_no_point_is_refused(query: str, client: TestClient) -> None:
    answer = client.get(f"/locate?{query}", headers={"x-test-role": "agent"})
    assert answer.status_code == 422
    assert answer.json()["field"] in ("lat", "lon")
    assert "north" not in answer.text


def test_an_address_is_normalised_for_services(client: TestClient) -> None:
    def ask(text: str) -> dict[str, object]:
        answer = client.post(
            "/internal/normalise", json={"address": text}, headers={"x-test-role": "service"}
        )
        assert answer.status_code == 200
        found: dict[str, object] = answer.json()
        return found

    found = ask("9967 southwest 153rd street apt 4, Miami FL 33157")
    assert found["address"] == "9967 SW 153RD ST"
    assert (found["unit"], found["zip_code"]) == ("APT 4", "33157")
    assert found["latitude"] == pytest.approx(25.6275, abs=0.003)
    assert found["error_m"] == pytest.approx(213, abs=20)
    name = ask("Maria Perez")
    assert "address" not in name
    assert name["reason"] == "not an address"


def test_an_import_replaces_the_layer_and_both_are_listed(client: TestClient) -> None:
    document = json.dumps(collection(({"GEOID": "2", "NAME": "Doral"}, square(-80.4, 25.6))))
    put(client, "municipality", document)
    moved = client.get("/locate?lat=25.65&lon=-80.35", headers={"x-test-role": "service"})
    assert moved.json()["municipality"] == "Doral"
    listed = client.get("/boundaries", headers={"x-test-role": "auditor"}).json()["sets"]
    assert [(one["name"], one["in_force"]) for one in listed] == [
        ("county", True),
        ("municipality", False),
        ("municipality", True),
    ]
    assert {one["imported_by"] for one in listed} == {"test:admin"}


@pytest.mark.parametrize(
    ("query", "body", "status", "field"),
    [
        ("name=zip&source=x", "{", 400, None),
        ("name=zip&source=x", "[" * 15_000, 400, None),
        ("name=zip&source=x", "{}", 422, ""),
        ("name=NOT A NAME&source=x", json.dumps(collection()), 422, "name"),
        ("name=zip", "{}", 422, "source"),
        ("name=zip&source=x&version=a b", "{}", 422, "version"),
        ("name=zip&source=x", " " * (LIMIT + 1), 413, None),
        (
            "name=zip&source=x",
            json.dumps(collection(({"ZIPCODE": "x"}, square(-80, 25)))),
            422,
            "features.0.ZIP code",
        ),
    ],
)
def test_a_bad_import_is_told_why_and_changes_nothing(
    query: str, body: str, status: int, field: str | None, client: TestClient
) -> None:
    answer = client.post(f"/boundaries?{query}", content=body, headers={"x-test-role": "admin"})
    assert (answer.status_code, answer.json().get("field")) == (status, field)
    still = client.get("/locate?lat=25.65&lon=-80.35", headers={"x-test-role": "agent"})
    assert still.json()["municipality"] == "Miami Gardens"


def test_requests_are_counted(client: TestClient) -> None:
    answer = client.get("/v1/counts", headers={"x-test-role": "admin"})
    assert answer.json() == {"total": 6, "counts": {"resolved": 5, "unresolved": 1}}
