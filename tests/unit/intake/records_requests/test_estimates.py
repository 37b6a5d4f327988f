"""A requester sees what the request costs, accepts it, and reads what was denied, by the token
alone."""

import asyncio
from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from direct311.intake.clients.api.failed_keys import FailedKeys
from direct311.intake.clients.handlers.reads import ReadLimits
from direct311.intake.records_requests.api import estimates_router
from direct311.intake.records_requests.domain import (
    CaseStatements,
    DenialStatement,
    DeniedPart,
    RecordsRequest,
)
from direct311.intake.records_requests.handlers import ReadStatements, SeeEstimate
from tests.support.records_requests import RECEIVED
from tests.unit.intake.records_requests.test_records_requests import Gateway

PATH = "/v1/records-requests/estimate"
ACCEPTANCE = f"{PATH}/acceptance"
STATEMENT = "/v1/records-requests/statement"


@pytest.fixture
def gateway() -> Gateway:
    return Gateway()


@pytest.fixture
def http(gateway: Gateway) -> Iterator[TestClient]:
    failed = FailedKeys(ReadLimits(gateway.counts, gateway.clock, worth=1), gateway._names(), 3)
    router = estimates_router(
        SeeEstimate(gateway.desk), ReadStatements(gateway.desk), gateway.notices, failed
    )
    with gateway.serve(router) as client:
        yield client


@pytest.fixture
def token(gateway: Gateway) -> str:
    return asyncio.run(gateway.desk.open_case(RecordsRequest("k", "words", {}))).token


def by(token: str, language: str = "en") -> dict[str, str]:
    return {"Authorization": f"Bearer {token}", "Accept-Language": language}


def test_the_requester_sees_what_it_costs_in_their_language(
    gateway: Gateway, http: TestClient, token: str
) -> None:
    answer = http.get(PATH, headers=by(token))
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:direct311:problem:no_estimate")
    gateway.desk.estimated("case-0")
    answer = http.get(PATH, headers=by(token, "es"))
    assert answer.status_code == 200, answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Language"] == "es"
    assert (answer.json()["total_cents"], answer.json()["owed_cents"]) == (150, 150)
    assert answer.json()["lines"] == [
        {
            "code": "one_sided",
            "citation": "119.07(4)(a)1",
            "units": 10,
            "cents": 150,
            "text": "Páginas por una cara",
        }
    ]
    assert "accepted_at" not in answer.json()


def test_what_was_seen_is_accepted_and_nothing_newer(
    gateway: Gateway, http: TestClient, token: str
) -> None:
    gateway.desk.estimated("case-0", version=2)
    answer = http.post(ACCEPTANCE, json={"version": 1}, headers=by(token))
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:direct311:problem:changed")
    for _ in range(2):
        answer = http.post(ACCEPTANCE, json={"version": 2}, headers=by(token))
        assert answer.status_code == 200, answer.text
        assert answer.json()["accepted_at"]


@pytest.mark.parametrize("body", [{}, {"version": 0}, {"version": "2"}, {"version": 1.0}, {"v": 1}])
def test_an_acceptance_names_a_version(
    gateway: Gateway, http: TestClient, token: str, body: dict[str, object]
) -> None:
    gateway.desk.estimated("case-0")
    assert http.post(ACCEPTANCE, json=body, headers=by(token)).status_code == 422
    assert gateway.desk.estimates["case-0"].accepted_at is None


def test_a_wrong_token_learns_nothing_and_may_not_try_many(
    gateway: Gateway, http: TestClient
) -> None:
    assert http.get(PATH).status_code == 401
    statuses = [http.get(PATH, headers=by(f"wrong-{each}")).status_code for each in range(4)]
    assert statuses == [404, 404, 404, 429]
    answer = http.post(ACCEPTANCE, json={"version": 1}, headers=by("x" * 300))
    assert answer.status_code == 429


def test_without_the_case_desk_the_caller_is_told_to_try_again(
    gateway: Gateway, http: TestClient, token: str
) -> None:
    gateway.desk.away = True
    answer = http.get(PATH, headers=by(token))
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert http.get(STATEMENT, headers=by(token)).status_code == 503


def test_what_was_denied_is_told_with_its_law(
    gateway: Gateway, http: TestClient, token: str
) -> None:
    answer = http.get(STATEMENT, headers=by(token))
    assert (answer.status_code, answer.json()["type"]) == (
        409,
        "urn:direct311:problem:no_statement",
    )
    item = DeniedPart(
        reason="exempt",
        record_id="r-1",
        exemption="protected_person",
        citation="119.071(4)(d)",
    )
    said = DenialStatement(
        denial_id="d-1",
        outcome="denied",
        items=(item,),
        statement="The canary is exempt.",
        approved_at=RECEIVED,
    )
    gateway.desk.denied["case-0"] = CaseStatements(case_id="case-0", statements=(said,))
    answer = http.get(STATEMENT, headers=by(token))
    assert answer.status_code == 200, answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    (told,) = answer.json()["statements"]
    assert told["statement"] == "The canary is exempt."
    assert told["items"] == [
        {
            "reason": "exempt",
            "record_id": "r-1",
            "exemption": "protected_person",
            "citation": "119.071(4)(d)",
        }
    ]
    assert "canary" not in repr(said)
    assert http.get(STATEMENT).status_code == 401
