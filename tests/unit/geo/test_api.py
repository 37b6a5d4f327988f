"""Geo over HTTP: who may ask, what is answered, what a bad question is told."""

import asyncio
import json
from functools import partial
from typing import Any

import pytest
from fastapi import FastAPI, Request
from starlette.testclient import TestClient

from direct311.geo.addresses.domain.municipalities import Gazette
from direct311.geo.boundaries.adapters.checks import check
from direct311.geo.boundaries.adapters.files import read_file
from direct311.geo.boundaries.adapters.shapes import read_boundary_set
from direct311.geo.boundaries.api import router
from direct311.geo.boundary_changes.api import router as changes_router
from direct311.geo.places.api import counts_router
from direct311.geo.places.api import router as address_router
from direct311.runtime.access.rules import Caller
from direct311.runtime.http.api import install
from direct311.runtime.http.health import Readiness
from direct311.runtime.telemetry import Metrics
from tests.support.geo import InMemoryLocations
from tests.unit.geo.boundaries.test_boundaries import collection, square
from tests.unit.geo.boundary_changes.keeping import Keeping

LIMIT = 20_000
WHY = {"reason": "The survey was redrawn by mistake."}


async def caller_of(request: Request) -> Caller:
    """The caller that the test says it is."""
    role = request.headers.get("x-test-role", "")
    return Caller(sub=f"test:{role}", roles=(role,) if role else ())


class ApiUnderTest:
    """Geo's interface on stores in memory; its loops run when a test says so."""

    def __init__(self, gazette: Gazette) -> None:
        self.keeping = keeping = Keeping()
        app = FastAPI()
        install(app, Readiness(), Metrics())
        counted = InMemoryLocations({"resolved": 5, "unresolved": 1})
        app.include_router(router(keeping.atlas, caller_of))
        app.include_router(address_router(keeping.resolver, caller_of))
        app.include_router(
            changes_router(
                keeping.decisions,
                keeping.versions,
                keeping.sets,
                keeping.differences,
                read_file,
                partial(read_boundary_set, canonical=gazette.canonical),
                check,
                caller_of,
                LIMIT,
            )
        )
        app.include_router(counts_router(counted, caller_of))
        self.client = TestClient(app, raise_server_exceptions=False)

    def propose(self, name: str, document: str) -> dict[str, Any]:
        answer = self.client.post(
            f"/boundaries?name={name}&source=test",
            content=document,
            headers={"x-test-role": "admin"},
        )
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def put(self, name: str, document: str) -> str:
        """Propose a set, and have another person approve it; returns its id."""
        set_id: str = self.propose(name, document)["set_id"]
        asyncio.run(self.keeping.compare.step())
        shown = self.client.get(f"/boundaries/{set_id}", headers={"x-test-role": "auditor"}).json()
        answer = self.client.post(
            f"/boundaries/{set_id}/approval",
            json={"hash": shown["hash"]},
            headers={"x-test-role": "records_officer"},
        )
        assert (answer.status_code, answer.json().get("state")) == (200, "in_force"), answer.text
        return set_id


@pytest.fixture
def api(gazette: Gazette) -> ApiUnderTest:
    api = ApiUnderTest(gazette)
    document = json.dumps(collection(({"NAME": "County"}, square(-80.4, 25.6, 0.2))))
    api.put("county", document)
    towns = collection(({"GEOID": "1", "NAME": "MIAMI GARDENS"}, square(-80.4, 25.6)))
    api.put("municipality", json.dumps(towns))
    return api


@pytest.fixture
def client(api: ApiUnderTest) -> TestClient:
    return api.client


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


def test_an_approved_set_replaces_the_layer_and_both_are_listed(
    api: ApiUnderTest, client: TestClient
) -> None:
    document = json.dumps(collection(({"GEOID": "2", "NAME": "Doral"}, square(-80.4, 25.6))))
    set_id = api.put("municipality", document)
    moved = client.get("/locate?lat=25.65&lon=-80.35", headers={"x-test-role": "service"})
    assert moved.json()["municipality"] == "Doral"
    listed = client.get("/boundaries", headers={"x-test-role": "auditor"}).json()["sets"]
    states = {(one["name"], one["in_force"], one["state"]) for one in listed}
    assert states == {
        ("county", True, "in_force"),
        ("municipality", False, "superseded"),
        ("municipality", True, "in_force"),
    }
    assert {one["imported_by"] for one in listed} == {"test:admin"}
    back = client.post(
        f"/boundaries/{set_id}/rollback", json=WHY, headers={"x-test-role": "records_officer"}
    )
    assert (back.status_code, back.json()["state"]) == (200, "rolled_back")
    again = client.get("/locate?lat=25.65&lon=-80.35", headers={"x-test-role": "agent"})
    assert again.json()["municipality"] == "Miami Gardens"


def test_one_person_puts_nothing_in_force(api: ApiUnderTest, client: TestClient) -> None:
    document = json.dumps(collection(({"GEOID": "2", "NAME": "Doral"}, square(-80.4, 25.6))))
    found = api.propose("municipality", document)
    assert (found["state"], found["comparison"], found["hash"]) == ("proposed", None, None)
    path = f"/boundaries/{found['set_id']}"
    asyncio.run(api.keeping.compare.step())
    shown = client.get(path, headers={"x-test-role": "agent"}).json()
    assert shown["comparison"]["changed"] == 0

    def post(what: str, role: str, body: object) -> tuple[int, str]:
        answer = client.post(f"{path}/{what}", json=body, headers={"x-test-role": role})
        return answer.status_code, answer.json().get("type", "").rpartition(":")[2]

    given = {"hash": shown["hash"]}
    assert post("approval", "admin", given) == (403, "same_person")
    assert post("approval", "custodian", given) == (403, "role")
    assert post("rejection", "agent", WHY) == (403, "role")
    assert post("rollback", "records_officer", WHY) == (409, "boundary_state")
    assert post("approval", "records_officer", {"hash": "0" * 64}) == (409, "set_hash")
    assert post("rejection", "records_officer", WHY) == (200, "")
    assert post("approval", "records_officer", given) == (409, "boundary_state")
    which = client.get(f"{path}/differences", headers={"x-test-role": "agent"})
    assert which.status_code == 403
    listed = client.get(f"{path}/differences", headers={"x-test-role": "admin"})
    assert listed.json() == {"differences": []}
    unknown = client.get("/boundaries/unknown", headers={"x-test-role": "agent"})
    assert unknown.status_code == 404


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
